# SPDX-License-Identifier: Apache-2.0
"""The fuzzers, and the replay of their corpora with failing kernel calls."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import time

from . import presets
from .job import NUMBER, job
from .presets import FUZZ_TARGETS, LIBRARY_TARGETS
from .shell import JOBS, die, in_lanes, note, run, status_of

RUN = pathlib.Path("build/fuzz/run")
SEEDS = pathlib.Path("fuzz/seeds")
CORPUS = pathlib.Path("fuzz/corpus")
CANARY = "the canary: three are suspended"


def fuzzer(target, log, *options, call=subprocess.call):
    # Locals stay on the stack, where growth is tested; the replay of the corpora under the preset
    # asan has them on fake stacks.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_stack_use_after_return=0"}
    with log.open("wb") as output:
        return call([f"build/fuzz/fuzz/bast_fuzz_{target}", *options], stdout=output,
                    stderr=output, env=environment)


def max_len(target):
    return "-max_len=2055" if target in LIBRARY_TARGETS else "-max_len=131072"


def emptied(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def unpack(target):
    """The kept inputs of a target; CMake does the same for the tests."""
    directory, packed = emptied(RUN / target / "kept"), CORPUS / f"{target}.tar"
    if packed.exists():
        with tarfile.open(packed) as archive:
            archive.extractall(directory)
    return directory


def start(target, seconds):
    """One fuzzer on one core; keeps its corpus between runs."""
    home = RUN / target
    new, seeds = home / "corpus", SEEDS / target
    new.mkdir(parents=True, exist_ok=True)
    if target in LIBRARY_TARGETS:
        seeds = home / "seeds"
        seeds.mkdir(exist_ok=True)
        run("build/fuzz/fuzz/bast_replay", "--bytes", seeds, target, SEEDS / target)
    regressions = pathlib.Path("fuzz/regressions", target)
    return fuzzer(target, home / "log", f"-max_total_time={seconds}", max_len(target),
                  "-timeout=60", "-rss_limit_mb=6000", "-print_final_stats=1",
                  f"-artifact_prefix={home}/", new, seeds, unpack(target),
                  *([regressions] if regressions.exists() else []), call=subprocess.Popen)


def find_canary():
    """A harness without findings must first show that it can have one: from this seed, within so
    many runs, independent of the machine's speed. The finding must be reproduced when its input is
    run alone."""
    started, found = time.monotonic(), RUN / "canary.input"
    found.unlink(missing_ok=True)
    for log, options, missing in (
            ("canary.log", ("-seed=1", "-runs=400000", "-max_len=300",
                            f"-exact_artifact_path={found}"), "the canary was not found"),
            ("canary.log.replay", (found,), "the canary was found, but not again")):
        fuzzer("canary", RUN / log, *options)
        if CANARY not in (RUN / log).read_text(errors="replace"):
            die(f"{missing}; see {RUN / log}")
    note(f"fuzz: the canary was found after {time.monotonic() - started:.0f} s")


def report(target, failed):
    """One line of results; more after a finding. Returns failed."""
    log = (RUN / target / "log").read_text(errors="replace")
    if failed:
        # The program as text, and the sanitizer's report.
        lines = log.splitlines()
        first = next((number for number, line in enumerate(lines)
                      if re.search("^bast fuzz|ERROR: ", line)), len(lines) - 40)
        print("\n".join(lines[max(first, 0):][:41]))
        note(f"the input is kept in {RUN / target}/; fuzz/README.md says how to replay it")
    executions, rate = ((re.findall(rf"^stat::{name}: *(\d+)", log, re.MULTILINE) or [0])[-1]
                        for name in ("number_of_executed_units", "average_exec_per_sec"))
    kept = sum(path.is_file() for path in (RUN / target / "corpus").iterdir())
    note(f"fuzz {target}: {'FOUND' if failed else 'ok'}, {executions} executions, {rate} a second, "
         f"{kept} inputs kept")
    return failed


@job("[--seconds N] [TARGET...]", takes=f"( --seconds{NUMBER}| NAME)*", names=FUZZ_TARGETS)
def fuzz(*words):
    """run the fuzzers (60 s each), the canary first"""
    seconds = ["60", *filter(str.isdigit, words)][-1]
    targets = [word for word in words if word in FUZZ_TARGETS] or FUZZ_TARGETS
    presets.build("fuzz", "bast_replay", "bast_fuzz_canary",
                  *(f"bast_fuzz_{target}" for target in targets))
    RUN.mkdir(parents=True, exist_ok=True)
    find_canary()
    return max(report(target, result != "ok") for target, result, _ in in_lanes(
        len(os.sched_getaffinity(0)), targets, lambda target: start(target, seconds)))


def fail_calls(target):
    """Its seeds with pairs of failing calls; and with single ones the 40 inputs of its corpus that
    cover the most which those before them in the manifest do not. The time grows with the square of
    an input's calls."""
    directory = emptied(pathlib.Path("build/dev/fuzz/faults", target).absolute())
    rows = [line.split() for line in (CORPUS / f"{target}.txt").read_text().splitlines()]
    rows.sort(key=lambda row: (-int(row[2]) if row[2] != "-" else 0, row[0]))
    for name, *_ in rows[:40]:
        shutil.copy(f"build/dev/fuzz/corpus/{target}/{name}", directory)
    replay = "../build/dev/fuzz/bast_replay"
    return (status_of(replay, "--pairs", target, f"seeds/{target}", cwd="fuzz")
            or status_of(replay, "--faults", target, directory, cwd="fuzz"))


@job()
def faults():
    """run the corpora with each kernel call failing, once, from then on, in pairs"""
    presets.build("dev", "bast_replay")
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return max(pool.map(fail_calls, LIBRARY_TARGETS))
