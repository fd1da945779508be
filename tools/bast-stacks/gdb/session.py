# SPDX-License-Identifier: Apache-2.0
"""gdb sessions of the tests: on the program, on a core file, connected to an emulator."""

import contextlib
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 100
BROKEN = ("Traceback", "Error occurred in Python", "Python Exception", "internal-error")


def to_gdb(commands):
    return [word for command in commands for word in ("-ex", command)]


class Session(unittest.TestCase):
    """A test that runs gdb, once or more."""

    options = None  # of the command line: gdb, program, emulator

    def setUp(self):
        if shutil.which(self.options.gdb) is None:
            self.skipTest(f"there is no {self.options.gdb}")
        if self.options.emulator and shutil.which(self.options.emulator[0]) is None:
            self.skipTest(f"there is no {self.options.emulator[0]}")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def gdb(self, commands, arguments):
        """gdb's standard output and error."""
        command = [self.options.gdb, "-nx", "-batch", "-iex", "set debuginfod enabled off",
                   "-ex", "set width 0", "-ex", "set startup-with-shell off",
                   "-x", str(HERE / "bast.py"), *to_gdb(commands), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False,
                              cwd=self.folder.name, env={**os.environ, "LC_ALL": "C"})
        output = done.stdout.decode(errors="replace")
        if "ptrace: Operation not permitted" in output:
            self.skipTest("ptrace is not permitted here")
        for word in BROKEN:
            self.assertNotIn(word, output)
        return output

    @contextlib.contextmanager
    def stub(self, mode):
        """The emulator, waiting for gdb at a socket; this is the socket's name."""
        socket = pathlib.Path(self.folder.name, "stub")
        command = [*self.options.emulator, "-g", str(socket), self.options.program, *mode]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) as emulator:
            try:
                while not socket.exists() and emulator.poll() is None:
                    time.sleep(0.01)  # There is nothing to wait on before the socket exists.
                yield socket, emulator
            finally:
                emulator.kill()

    def session(self, commands, mode=()):
        """gdb's output for the program, from its first instruction on, and the program's."""
        if not self.options.emulator:
            return self.gdb(["starti", *commands], ["--args", self.options.program, *mode])
        with self.stub(mode) as (socket, emulator):
            connect = [f"set sysroot {self.sysroot()}", f"target remote {socket}"]
            output = self.gdb([*connect, *commands], [self.options.program])
            emulator.kill()
            return output + emulator.stdout.read().decode(errors="replace")

    def sysroot(self):
        return self.options.emulator[self.options.emulator.index("-L") + 1]

    def only_native(self):
        if self.options.emulator:
            self.skipTest("what gdb asks the kernel of this machine")

    def assert_lines(self, output, *patterns):
        for pattern in patterns:
            self.assertRegex(output, re.compile(pattern, re.MULTILINE))

    def core_of_the_kernel(self, mode):
        """The core file of a crash, or None if the kernel writes none into the folder."""
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("a sanitizer's shadow memory is too much for a core file")
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        if pattern.startswith("|") or "/" in pattern or hard == 0:
            return None
        subprocess.run(
            [self.options.program, mode], cwd=self.folder.name, check=False, timeout=TIMEOUT,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        cores = list(pathlib.Path(self.folder.name).glob("core*"))
        return str(cores[0]) if cores else None
