# SPDX-License-Identifier: Apache-2.0
"""Commands of gdb for programs that use bast: `bast list`, `bast bt`, `bast usage`, `bast sites`.

  gdb -x bast.py PROGRAM        or, in gdb or .gdbinit: source /path/to/bast.py

The commands are in modules beside this file, to keep their names out of gdb's own `python`.
"""

import os
import sys

# Also when gdb loads this through a symbolic link named after a program.
FOLDER_OF_BAST = os.path.dirname(os.path.realpath(__file__))
if FOLDER_OF_BAST not in sys.path:
    sys.path.append(FOLDER_OF_BAST)

import bast_commands  # noqa: E402,F401  found by the line above
