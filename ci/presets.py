# SPDX-License-Identifier: Apache-2.0
"""What CMake knows: names, and presets, which all jobs configure, build and test in one way."""

import json
import pathlib
import re
import shutil

from . import results
from .shell import ROOT, die, note, run, run_logged, status_of


def names_in(file, variable):
    return re.search(rf"set\({variable}\s+([a-z_ ]+)\)", (ROOT / file).read_text())[1].split()


# Bottom up.
CORE_LAYERS = names_in("lib/CMakeLists.txt", "BAST_CORE_LAYERS")
# The library's targets, whose inputs are programs of a model; and the inspector's, whose inputs are
# files that it reads.
LIBRARY_TARGETS = names_in("fuzz/CMakeLists.txt", "BAST_FUZZ_TARGETS")
INSPECTOR_TARGETS = names_in("fuzz/CMakeLists.txt", "BAST_INSPECTOR_FUZZ_TARGETS")
FUZZ_TARGETS = LIBRARY_TARGETS + INSPECTOR_TARGETS

PRESETS, TEST_PRESETS = (
    [row["name"] for row in json.loads((ROOT / "CMakePresets.json").read_text())[kind]
     if not row.get("hidden")] for kind in ("configurePresets", "testPresets"))

# The output of ctest and GoogleTest apart from failures and their reasons.
FINE = re.compile(
    r"\[(HANDLER|ERROR)_| *Start +[0-9]+:|\[(==========|----------| RUN      |       OK )"
    r"| *[0-9]+/[0-9]+ Test +#[0-9]+: .*(Passed|\*\*\*Skipped) ")
# The programs that the tests of a label need; bast_<label>_test for others.
PROGRAMS = {
    "fuzz": ["bast_model_test", "bast_replay"],
    "interleave": ["bast_interleave", "bast_interleave_test"],
    "proptest": ["bast_property_test"],
    "sanitizers": ["bast_driver", "bast_planted_bugs"],
    "stress": ["bast_soak", "bast_stress"],
    "variant": ["bast_generation_wrap_variant_test"],
}


def configure(name, *arguments):
    run_logged(pathlib.Path("build", name, "configure.log"),
               ["cmake", "--preset", name, *arguments])


def make(name, *targets):
    """Builds these targets, or all."""
    run("cmake", "--build", "--preset", name, *(["--target", *targets] if targets else []), "--",
        "--quiet")


def build(name, *targets):
    note(f"{name}: configure and build")
    configure(name)
    make(name, *targets)


def run_tests(log, name, *arguments, where="--preset"):
    """Runs ctest, keeps its whole output in build/NAME/LOG and prints the failures, and one line of
    sums. Returns its status. where: --preset, or --test-dir for a build without one."""
    directory = pathlib.Path("build", name)
    log = directory / log
    junit, sums = (log.with_name(log.name + suffix) for suffix in (".xml", ".sums"))
    for old in (log, junit):
        old.unlink(missing_ok=True)
    shutil.rmtree(directory / "results", ignore_errors=True)
    status = status_of("ctest", "--quiet", "--output-log", ROOT / log, "--output-junit",
                       ROOT / junit, "--test-output-size-passed", "65536", where,
                       name if where == "--preset" else directory, *arguments)
    if status and log.exists():
        for line in log.read_text(errors="replace").splitlines():
            if not FINE.match(line):
                print(line)
    if not junit.exists():
        die(f"ctest ran no test; see {log}")
    passed, failed, skipped = results.count(directory, junit)
    text = f"{passed} passed, {failed} failed, {skipped} skipped"
    sums.write_text(text + "\n")
    note(f"{log}: {text}")
    return 1 if failed else status


def sums_of(log):
    """The [passed, failed, skipped] that run_tests counted."""
    sums = pathlib.Path("build", f"{log}.sums")
    return [int(number) for number in re.findall("[0-9]+", sums.read_text())] \
        if sums.exists() else [0, 0, 0]


def test_labels(log, name, labels, *arguments):
    """Builds and runs the tests with these labels and nothing else; arguments go to ctest."""
    programs = [PROGRAMS.get(label, [f"bast_{label}_test"]) for label in labels]
    build(name, *sum(programs, []))
    return run_tests(log, name, "-L", f"^({'|'.join(labels)})$", *arguments)
