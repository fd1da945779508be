# SPDX-License-Identifier: Apache-2.0
"""Many tests at a time: test and quick while a person waits, nightly all others."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

from .job import job
from .presets import CORE_LAYERS, LIBRARY_TARGETS, sums_of, test_labels
from .shell import ROOT, die, files_of, in_lanes, note, show

# Two steps run at a time, so that one uses the cores that the other leaves idle.
LANES = 2
# Each step is a job, in a separate process; the longest first.
STEPS = {
    # Stress needs no assertions, the only difference of `release`; several lives run in `asan`.
    "dev": "preset dev -E ^(consumers$|stress|fuzz.*lives)",
    "asan": "labels asan",
    # The inspector's run at night, and `dev` replays their findings.
    "fuzz": f"fuzz --seconds 5 {' '.join(LIBRARY_TARGETS)}",
    "tsan": "labels tsan",
    "release": "labels release",
    "aarch64": "labels aarch64",
    "hardened": "labels hardened",
    "no-exceptions": "labels no-exceptions",
    "consumers": "consumers",
    "tidy": "tidy",
    "layers": "layers",
    "style": "style",
}
# Without the loops that fail every kernel call, which take long and do not depend on the CPU or a
# second thread.
SHORTENED = ("aarch64", "tsan")
# For these presets a step runs the tests that differ from `dev`, by label: the layers whose code or
# whose callers' code is different. `ci/run nightly` runs all of them.
# Interleavings run on one thread, where TSan has nothing to see.
LABELS = {
    "asan": f"{' '.join(CORE_LAYERS)} testing variant fuzz proptest interleave stress sanitizers",
    "tsan": "os lockfree watch stack coro cancel process op io sched scope stress sanitizers",
    "release": "arch coro cancel stress",
    "hardened": "arch stack coro",
    "no-exceptions": "coro cancel process op io sched scope",
    "aarch64": "base os arch stack coro",
}
# A change of the code that tests share reaches all of them.
LAYERS = [*CORE_LAYERS, "testing"]
# The other proofs, the quickest first.
NIGHTLY = (
    "tidy --alone", "consumers --all", "fuzz --seconds 60", "preset asan", "preset tsan",
    "preset hardened", "preset no-exceptions", "preset ubsan", "preset asan-gcc",
    "preset asan-no-uar", "preset tsan-nosync", "preset msan-core", "preset libcxx",
    "preset protection", "preset aarch64", "preset separate", "inspector", "coverage", "faults",
    "mutants", "mutate 50", "properties 20000", "interleavings", "stress --seconds 20",
    "soak --minutes 10", "flake 5", "preset valgrind", "matrix")


def log_of(step):
    return pathlib.Path("build/test", f"{step}.log")


def start(step):
    note(f"step {step}")
    environment = {**os.environ, **({"GTEST_FILTER": "-*X6_*"} if step in SHORTENED else {})}
    with log_of(step).open("wb") as log:
        return subprocess.Popen(["sh", "ci/run", *STEPS[step].split()], stdout=log, stderr=log,
                                env=environment)


@job("[STEP...]", takes="( NAME)*", names=STEPS)
def test(*steps):
    """what every change must pass, or only the named steps; ends with N passed,
    N failed; at most 12 minutes from nothing on the reference machine, up to
    17 on slower ones, 3 when all is built"""
    started, rows, all_passed, all_failed = time.monotonic(), {}, 0, 0
    steps = steps or STEPS
    log_of("").parent.mkdir(parents=True, exist_ok=True)
    for old in pathlib.Path("build").glob("*/*.log.sums"):
        old.unlink()
    for step, result, seconds in in_lanes(LANES, steps, start):
        show(log_of(step))
        note(f"step {step}: {result} after {seconds} s")
        rows[step] = result, seconds
    print(f"\n{'step':15} {'result':7} seconds  passed  failed skipped")
    for step in steps:
        result, seconds = rows[step]
        passed, failed, skipped = sums_of(
            "dev/consumers.log" if step == "consumers" else f"{step}/ctest.log")
        # A step that fails before or outside its tests must not end in "0 failed".
        failed = failed or int(result != "ok")
        all_passed, all_failed = all_passed + passed, all_failed + failed
        print(f"{step:15} {result:7} {seconds:7} {passed:7} {failed:7} {skipped:7}")
    print(f"{'all of it':15} {'':7} {time.monotonic() - started:7.0f}  ({LANES} steps at a time)")
    print(f"{all_passed} passed, {all_failed} failed")
    return 1 if all_failed else 0


def changed_layers():
    """The layers with uncommitted changes in their folder or face."""
    status = subprocess.run(["git", "status", "--porcelain", "--untracked-files=all"],
                            stdout=subprocess.PIPE, text=True).stdout
    return sorted(set(re.findall(r"^.. (?:.* -> )?lib/bast/([a-z_]+)[./]", status, re.MULTILINE)))


@job("[LAYER...]", takes="( NAME)*", names=LAYERS)
def quick(*layers):
    """the inner loop: tests of the layers with uncommitted changes, or of the named
    ones, and of what stands on them"""
    layers = layers or changed_layers()
    for layer in layers:
        if layer not in LAYERS:
            die(f"no layer '{layer}': {' '.join(LAYERS)}", 2)
    if not layers:
        note("nothing in lib/bast is uncommitted: all layers")
    everything = not layers or "testing" in layers
    lowest = 0 if everything else min(CORE_LAYERS.index(layer) for layer in layers)
    models = ["fuzz", "proptest", "interleave", "variant"]
    return test_labels("quick.log", "dev", [*models, *CORE_LAYERS[lowest:]])


@job("PRESET", takes=" NAME", names=LABELS)
def labels(name):
    """the tests of a preset that a step of `test` runs"""
    # Compiler refusals and failing kernel calls are tested by `dev`.
    return test_labels("ctest.log", name, LABELS[name].split(), "-E",
                       "^nodiscard|^refusals|^fuzz.*faults")


def tree_hash():
    tree = hashlib.sha1()
    for name, path in files_of(ROOT):
        tree.update(hashlib.sha1(path.read_bytes()).digest() + bytes(name) + b"\0")
    return tree.hexdigest()[:16]


@job("[--again]", takes="( --again)?")
def nightly(again=None):
    """all other proofs, with one table; continues an interrupted run of this tree,
    unless --again; about three hours"""
    started = time.monotonic()
    # A job that passed on this very tree is not run again.
    state = pathlib.Path("build/nightly", tree_hash())
    if again:
        shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, exist_ok=True)
    done = {proof: state / proof.replace(" ", "_") for proof in NIGHTLY}
    rows = {proof: file.read_text().rstrip() + "  (before)" for proof, file in done.items()
            if file.exists()}

    def start_proof(proof):
        note(f"nightly: {proof}")
        return subprocess.Popen(["sh", "ci/run", *proof.split()])

    failures = 0
    pending = [proof for proof in NIGHTLY if proof not in rows]
    for proof, result, seconds in in_lanes(1, pending, start_proof):
        rows[proof] = f"{proof:24} {result:7} {seconds:6} s"
        if result == "ok":
            done[proof].write_text(rows[proof] + "\n")
        else:
            failures += 1
    print("", *(rows[proof] for proof in NIGHTLY), sep="\n")
    note(f"nightly: {time.monotonic() - started:.0f} s")
    if failures:
        die(f"{failures} jobs failed")
