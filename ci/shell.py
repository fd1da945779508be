# SPDX-License-Identifier: Apache-2.0
"""What a shell would do: commands, their status, several at a time, and their end."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The CI machine has two cores. The presets use the same number.
JOBS = 2


class Failed(Exception):
    """Ends the job. The message is empty if a command has printed the reason."""

    def __init__(self, status, message=""):
        super().__init__(message)
        self.status = status


def die(message, status=1):
    raise Failed(status, message)


def note(text):
    print(f"== {text}")


def status_of(*command, **options):
    """Runs a command; its exit status, or 128 and the signal that ended it."""
    code = subprocess.call(command, **options)
    return code if code >= 0 else 128 - code


def run(*command, **options):
    """Runs a command that must succeed."""
    status = status_of(*command, **options)
    if status:
        raise Failed(status)


def run_logged(log, *commands):
    """Runs commands whose output is printed only if one fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        for command in commands:
            if status_of(*command, stdout=output, stderr=output):
                die(log.read_text(errors="replace").rstrip("\n"))


def show(path):
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.flush()


def files_of(root):
    """(name, path) of what git would commit, or of everything outside build/ without git."""
    if (root / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                 "--exclude-standard"], cwd=root, stdout=subprocess.PIPE, text=True)
        if listed.returncode:
            raise Failed(listed.returncode)
        names = set(listed.stdout.split("\0")) - {""}
    else:
        names = {str(path.relative_to(root)) for path in root.rglob("*")}
    for name in sorted(names):
        path = root / name
        if path.is_file() and not path.is_symlink() and not name.startswith("build/"):
            yield pathlib.PurePath(name), path


def in_lanes(lanes, names, start):
    """Runs the processes start(name), so many at a time. Yields (name, result, seconds) of each
    that ends; the result is ok or FAILED."""
    running = {}
    for name in [*names, None]:
        # With every lane taken, and after the last name, waits for one that ends.
        while len(running) == lanes or running and name is None:
            pid, status = os.wait()
            # The first process of a container gets those of others, too.
            if pid in running:
                ended, process, started = running.pop(pid)
                process.returncode = os.waitstatus_to_exitcode(status)
                yield ended, "FAILED" if status else "ok", int(time.monotonic() - started)
        if name is not None:
            process = start(name)
            running[process.pid] = name, process, time.monotonic()


# ---- the end -----------------------------------------------------------------------------------

def processes_below():
    """Every process below this one, parents first, without those that have ended."""
    children = {}
    for file in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = file.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(file.parent.name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def end_processes():
    for pid in processes_below():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def end_on_signals():
    """A terminal signals all processes, but a supervisor only this one."""
    def end(number, _):
        end_processes()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # the first process of a container ignores it

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end)
