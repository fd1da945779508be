# SPDX-License-Identifier: Apache-2.0
"""The test programs of the copy: which exist, which reach which fault, which detect it."""

import ctypes
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

LAYERS = ("base", "arch", "os", "lockfree", "watch", "stack", "coro", "cancel", "process", "op",
          "io", "sched", "scope")
# In the order of their runs: the layers, then programs that use all of them, the slow ones last.
LIBRARY = (*(f"bast_{layer}_test" for layer in LAYERS), "bast_testing_test",
           "bast_generation_wrap_variant_test", "bast_model_test", "bast_replay",
           "bast_property_test", "bast_interleave_test", "bast_stress")
PARTS = ("model", "read", "code", "show", "draw", "cli")
TOOLS = (*(f"bast_stacks_{part}_test" for part in PARTS), "bast_stacks_replay",
         "bast_stacks_property_test")
TABLE_BYTES = 1 << 16           # bast_faults of fault.hpp
SHORTEST, SLOWER = 20, 10       # seconds of a run, and the factor over the run without a fault
MEMORY = 4 << 30                # bytes for all processes of a run
FILE = 512 << 20

# Tests that pass in the tree and not in the copy, and why.
REWRITTEN = {}


@dataclasses.dataclass(frozen=True)
class Harness:
    """A test program, or one of the ways in which ctest starts it."""
    name: str
    command: tuple
    directory: str | None = None
    is_gtest: bool = True


def in_order(program, tools):
    order = LIBRARY + (TOOLS if tools else ())
    return order.index(program) if program in order else None


def lower_programs(layers):
    """The test programs of the layers below all of these: none of these is linked into them."""
    places = [LAYERS.index(layer) if layer in LAYERS else 0 for layer in layers]
    return {f"bast_{layer}_test" for layer in LAYERS[:min(places, default=0)]}


def targets(build, tools, lower):
    """The programs to build: those of the order that the copy has, without the lower ones."""
    has = set(re.findall(r"^build (\w+): phony", (build / "build.ninja").read_text(), re.MULTILINE))
    return [name for name in LIBRARY + (TOOLS if tools else ()) if name in has - lower]


def all_harnesses(build, tools, lower):
    found = []
    for file in build.rglob("bast_*_test"):
        place = None if file.name in lower else in_order(file.name, tools)
        if place is not None and os.access(file, os.X_OK) and file.is_file():
            found.append((place, file.name, Harness(file.name, (str(file),))))
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                             stdout=subprocess.PIPE, check=True).stdout
    for test in json.loads(listing)["tests"]:
        properties = {row["name"]: row["value"] for row in test.get("properties", [])}
        command = test.get("command", [])
        if not command or "PASS_REGULAR_EXPRESSION" in properties:
            continue
        program = os.path.basename(command[0])
        if program not in ("bast_replay", "bast_stress", "bast_stacks_replay"):
            continue
        place = in_order(program, tools)
        if place is not None:
            if "--seconds" in command:
                command[command.index("--seconds") + 1] = "1"
            found.append((place, test["name"], Harness(
                test["name"], tuple(command), properties.get("WORKING_DIRECTORY"), False)))
    return [harness for _, _, harness in sorted(found, key=lambda row: row[:2])]


def tests_of(harness):
    done = subprocess.run([*harness.command, "--gtest_list_tests"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, check=True)
    suite, tests = "", []
    for line in done.stdout.splitlines():
        name = line.split("#")[0].rstrip()
        if name and not line.startswith(" "):
            suite = name if name.endswith(".") else ""
        elif suite and name:
            tests.append(suite + name.strip())
    return [test for test in tests if ".DISABLED_" not in test and not test.startswith("DISABLED_")]


# ---- one run

def become_subreaper():
    """Processes that a test leaves running become our children, and are ended."""
    prctl = ctypes.CDLL(None).prctl
    prctl(36, 1, 0, 0, 0)               # PR_SET_CHILD_SUBREAPER
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end_with_children)
    prctl(1, signal.SIGTERM, 0, 0, 0)   # PR_SET_PDEATHSIG


def end_with_children(*_):
    end_descendants()
    os._exit(1)


def descendants():
    """{pid: bytes in memory} of every process below this one."""
    parents, sizes = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            parents[int(entry)], sizes[int(entry)] = int(fields[1]), int(fields[21]) * 4096
    below, grew = {os.getpid()}, True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        below |= more
        grew = bool(more)
    below.discard(os.getpid())
    return {pid: sizes[pid] for pid in below}


def end_descendants():
    for _ in range(100):
        below = descendants()
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            return
        time.sleep(0.02)


def limit():
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, hard))


def run(harness, seconds, fault=0, tests=None, record=None, fail_fast=True):
    """Returns (status, seconds, failed test or None, output): status is passed, failed, timeout or
    memory. Runs in a separate session and directory."""
    command = list(harness.command)
    if harness.is_gtest:
        command += ["--gtest_color=no", "--gtest_brief=0"]
        command += ["--gtest_fail_fast"] if fail_fast else []
        command += [f"--gtest_filter={':'.join(tests)}"] if tests else []
    place = tempfile.mkdtemp(prefix="bm-")
    environment = dict(os.environ, TMPDIR=place, MUTATE_FAULT=str(fault))
    environment.pop("MUTATE_REACHED", None)
    if record:
        environment["MUTATE_REACHED"] = record
    start = time.monotonic()
    with open(os.path.join(place, "output"), "w+b") as output:
        process = subprocess.Popen(command, cwd=harness.directory or place, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=limit)
        status = None
        wait = 0.02
        while status is None:
            try:
                status = "passed" if process.wait(wait) in (0, 77) else "failed"
            except subprocess.TimeoutExpired:
                wait = min(wait * 2, 0.5)
                if time.monotonic() - start > seconds:
                    status = "timeout"
                elif wait == 0.5 and sum(descendants().values()) > MEMORY:
                    status = "memory"
        took = time.monotonic() - start
        if status in ("timeout", "memory"):
            process.kill()
            process.wait()
        end_descendants()
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - (1 << 20)))
        said = output.read().decode("utf-8", "replace")
    shutil.rmtree(place, ignore_errors=True)
    return status, took, first_failed(said) if status != "passed" else None, said


def failed_tests(said):
    return list(dict.fromkeys(re.findall(r"^\[  FAILED  \] ([\w/]+\.[\w/]+)", said, re.MULTILINE)))


def first_failed(said):
    failed = failed_tests(said)
    if failed:
        return failed[0]
    started = re.findall(r"^\[ RUN      \] (\S+)", said, re.MULTILINE)
    return started[-1] if started else None


# ---- the copy without a fault

@dataclasses.dataclass
class Baseline:
    harness: Harness
    tests: list      # of a GoogleTest program
    seconds: float
    left_out: dict   # test: why
    failed: dict     # test: output


def baseline(harness):
    """Runs a harness whole. A test that fails there and not alone is left out."""
    tests = tests_of(harness) if harness.is_gtest else []
    found = Baseline(harness, tests, 0.0, {}, {})
    for _ in range(8):
        wanted = [t for t in tests if t not in found.left_out and t not in found.failed]
        if tests and not wanted:
            break
        status, took, last, said = run(harness, 600, tests=wanted, fail_fast=False)
        found.seconds = max(found.seconds, took)
        if status == "passed":
            break
        for test in failed_tests(said) or [last or harness.name]:
            again = run(harness, 120, tests=[test] if tests else None)
            if test in REWRITTEN:
                found.left_out[test] = REWRITTEN[test]
            elif again[0] == "passed":
                found.left_out[test] = "failed among the others and passed alone"
            else:
                found.failed[test] = again[3]
        if not tests:
            break
    found.tests = [t for t in tests if t not in found.left_out]
    return found


def reached(harness, test):
    """The numbers of the switches that one test reaches, in any process."""
    with tempfile.NamedTemporaryFile(prefix="bm-reached-") as table:
        table.write(bytes(TABLE_BYTES))
        table.flush()
        status = run(harness, 120, tests=[test] if test else None, record=table.name)[0]
        table.seek(0)
        return status, [number for number, byte in enumerate(table.read(TABLE_BYTES)) if byte]


# ---- a fault

def decide(number, plan):
    """plan: (harness, its tests or None, its seconds without a fault). Stops at the first that
    detects it. Returns (killed, by whom, how, seconds)."""
    start = time.monotonic()
    for harness, tests, seconds in plan:
        status, _, failed, _ = run(harness, max(SHORTEST, SLOWER * seconds), number, tests)
        if status != "passed":
            name = harness.name if not failed else f"{harness.name} {failed}"
            return True, name, status, time.monotonic() - start
    return False, "", "", time.monotonic() - start


def plan_of(layer, rows, reach, number):
    """The tests for a fault: its own layer, those above, those below.

    rows: baselines in order; reach: {(harness name, test): numbers}."""
    program = f"bast_{layer.replace('tools/', 'stacks_')}_test"
    names = [row.harness.name for row in rows]
    own = names.index(program) if program in names else 0
    plan = []
    for row in rows[own:] + rows[:own]:
        if row.harness.is_gtest:
            tests = [t for t in row.tests if number in reach.get((row.harness.name, t), ())]
            if tests:
                plan.append((row.harness, tests, row.seconds))
        elif number in reach.get((row.harness.name, ""), ()):
            plan.append((row.harness, None, row.seconds))
    return plan
