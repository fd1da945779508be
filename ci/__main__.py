# SPDX-License-Identifier: Apache-2.0
"""What ci/run executes: checks the arguments, installs what is missing, runs the job."""

import importlib
import os
import sys

if sys.version_info < (3, 11):
    sys.exit(f"ci/run: needs Python 3.11; python3 is {sys.version.split()[0]}")

from . import job, shell

# In the order of the list of jobs.
for module in ("steps", "programs", "fuzz", "corpus", "mutants", "cost_table", "su_compare",
               "matrix", "layers", "style", "laws"):
    importlib.import_module(f"ci.{module}")


def main(words):
    sys.stdout.reconfigure(line_buffering=True)
    shell.end_on_signals()
    # Disables git's ownership check: a container may run as another user.
    os.environ.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
                      GIT_CONFIG_VALUE_0=str(shell.ROOT))
    # One checkout's cache entries serve the next: paths below the root are hashed relative to it.
    # Sources that are not in the cache are preprocessed once and not twice.
    os.environ.update(CCACHE_BASEDIR=os.environ.get("PWD", str(shell.ROOT)), CCACHE_NOHASHDIR="1",
                      CCACHE_DEPEND="1")
    try:
        chosen, arguments = job.choose(words)
        for packages in chosen.packages:
            job.install(packages)
        return chosen.run(*arguments)
    except shell.Failed as failure:
        message, status = str(failure), failure.status
    except BrokenPipeError:
        os._exit(141)  # as a shell: 128 and SIGPIPE
    except OSError as error:
        message, status = f"{error.filename}: {error.strerror}", 1
    shell.end_processes()
    if message:
        print(f"ci/run: {message}", file=sys.stderr)
    return status


sys.exit(main(sys.argv[1:]))
