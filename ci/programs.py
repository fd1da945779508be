# SPDX-License-Identifier: Apache-2.0
"""The jobs that build a preset, or configure one, and run a program or two."""

import os
import pathlib
import re

from . import presets
from .job import NUMBER, REAL, job
from .presets import PRESETS, TEST_PRESETS
from .shell import JOBS, ROOT, die, note, run, run_logged, show, status_of


@job("NAME [...]", takes=" NAME( .*)?", names=PRESETS)
def preset(name, *arguments):
    """configure, build and test one preset; more arguments go to ctest"""
    presets.build(name)
    # A preset without tests, such as bench, has no test preset.
    return presets.run_tests("ctest.log", name, *arguments) if name in TEST_PRESETS else None


def is_directory(directory="."):
    if not os.path.isdir(directory):
        die(f"demo: '{directory}' is not a directory", 2)


@job("[DIRECTORY]", takes="( [^-].*)?", check=is_directory, packages=("ci/packages-demo",))
def demo(directory="/usr/include"):
    """build the release preset, run the demo on a directory, and show the
    inspector's report"""
    note("release: configure and build the demo and the inspector")
    # Without tests, so that their libraries need not be installed. The tests reuse the objects.
    presets.configure("release", "-DBAST_TESTS=OFF", "-DBAST_SANITIZER_TESTS=OFF",
                      "-DBAST_PROOF_TESTS=OFF")
    presets.make("release", "bast_demo", "bast_stacks")
    stacks, recording = "build/release/tools/bast-stacks", "build/release/demo.json"
    run(stacks, "run", "-o", recording, "--", "build/release/examples/bast_demo", directory)
    note("the inspector's report")
    run(stacks, "report", recording)
    run(stacks, "flame", recording, "-o", "build/release/demo.svg")
    run(stacks, "export", recording, "--format", "html", "-o", "build/release/demo.html")
    note("build/release/demo.svg: its deepest stacks; build/release/demo.html: everything")


@job("[N]", takes="( [1-9][0-9]*)?")
def properties(runs="100000"):
    """run each rapidcheck property N times (100,000)"""
    programs = ["bast_property_test", "bast_stacks_property_test"]
    presets.build("release-tools", *programs)
    os.environ["BAST_PROPERTY_RUNS"] = runs
    return max(status_of(f"build/release-tools/proptest/{program}") for program in programs)


@job()
def interleavings():
    """the lock-free structures in more orders: three departures, and a million random
    schedules of each strategy for each test"""
    presets.build("release", "bast_interleave_test")
    os.environ["BAST_INTERLEAVE_LONG"] = "1"
    return status_of("build/release/stress/interleave/bast_interleave_test", "--gtest_brief=1")


@job("[...]", takes=f"( --seconds{REAL}| --seed{NUMBER}| --plant| [a-z_]+)*")
def stress(*arguments):
    """run the stress tests; arguments go to bast_stress"""
    presets.build("dev", "bast_stress")
    return status_of("build/dev/stress/bast_stress", *arguments)


@job("[...]", takes=f"( --(minutes|every){REAL}| --(coroutines|seed){NUMBER}| --plant)*")
def soak(*arguments):
    """watch memory and descriptors for half an hour; arguments go to bast_soak"""
    presets.build("release", "bast_soak")
    return status_of("build/release/stress/bast_soak", *(arguments or ("--minutes", "30")))


@job("[N] [--seed S] [PATH...]", takes=".*")
def mutate(*arguments):
    """sample N generated faults and report those that no test detects"""
    return status_of("ci/mutate", *arguments)


@job("[N]", takes="( [1-9][0-9]*)?")
def flake(times="20"):
    """repeat the unit tests of dev until one fails, N times at most (20)"""
    presets.build("dev")
    # Each program whole, so the order of its tests is shuffled.
    os.environ["GTEST_SHUFFLE"] = "1"
    return presets.run_tests("flake.log", "dev", "-E", "^(consumers|snippets)",
                             "--repeat", f"until-fail:{times}")


@job("[...]", packages=("ci/packages", "ci/packages-bench"),
     takes=f"( --rounds{NUMBER}| --(only|against|build|output) [^ ]+| --quick| --four-million)*")
def bench(*arguments):
    """build and run the benchmarks; arguments go to bench/run"""
    presets.build("bench")
    return status_of("bench/run", *arguments)


@job("[...]", takes="( --?[a-z].*)?")
def coverage(*arguments):
    """coverage of lib/bast: at least 95% of its lines and, in compiled sources, 90%
    of its branches; arguments go to gcovr"""
    # Counters of an earlier run would be added to this one's.
    for counters in pathlib.Path("build/coverage").rglob("*.gcda"):
        counters.unlink()
    presets.build("coverage")
    failed = presets.run_tests("ctest.log", "coverage")
    if failed:
        return failed
    note("coverage of lib/bast without its tests; details in build/coverage/report/index.html")
    report = pathlib.Path("build/coverage/report")
    report.mkdir(exist_ok=True)
    run("gcovr", "--root", ".", "--gcov-executable", "gcov-12", "-j", str(JOBS), "--filter",
        "lib/bast/", "--exclude", r".*_test\.cpp$", "--exclude", "lib/bast/testing/",
        "--exclude-throw-branches", "--exclude-unreachable-branches",
        "--exclude-branches-by-pattern", r".*BAST_(ASSERT|CHECK|MUTANT)\(.*", "--json",
        report / "coverage.json", *arguments, "build/coverage")
    again = ["gcovr", "--root", ".", "--add-tracefile", report / "coverage.json"]
    lines = status_of(*again, "--html-details", report / "index.html", "--txt",
                      report / "report.txt", "--fail-under-line", "95")
    show(report / "report.txt")
    # gcov counts the branches of an inlined function once for each copy, so that a header's share
    # depends on how many kinds of coroutine the tests start. The branch threshold applies to
    # sources compiled once.
    with (report / "branches.txt").open("wb") as output:
        branches = status_of(*again, "--filter", r"lib/bast/.*\.cpp$", "--print-summary",
                             "--fail-under-branch", "90", stdout=output)
    for line in (report / "branches.txt").read_text().splitlines():
        if line.startswith("branches"):
            print(f".cpp files: {line}")
    return branches or lines


@job("[--alone]", takes="( --alone)?")
def tidy(alone=None):
    """run clang-tidy on the library, a layer at a time or each source by itself"""
    if not alone:
        # All sources of a layer in one file, and again only what changed since.
        presets.build("tidy")
        return
    # Some of its checks need single files.
    presets.configure("ubsan")
    # A file for another CPU is in no build, and clang-tidy could only guess its options.
    known = pathlib.Path("build/ubsan/compile_commands.json").read_text()
    sources = [f"^{re.escape(str(path))}$" for path in sorted((ROOT / "lib/bast").rglob("*.cpp"))
               if not path.stem.endswith("_test") and "testing" not in path.parts
               and f'"{path}"' in known]
    run_logged(pathlib.Path("build/ubsan/tidy.log"), [
        "run-clang-tidy-19", "-quiet", "-j", str(JOBS), "-p", "build/ubsan", *sources])
    note(f"tidy: clang-tidy read {len(sources)} files")


@job("[--all]", takes="( --all)?")
def consumers(everything=None):
    """build and run the sample users of the library, compile each installed header
    alone, compare two builds; --all: what depends on the compiler, with each"""
    if everything:
        return status_of("ci/consumers/run", everything)
    presets.build("dev", "bast_core")
    # The test is registered in the dev preset, so that ctest bounds its time and counts it.
    return presets.run_tests("consumers.log", "dev", "-R", "^consumers$")


@job()
def inspector():
    """build bast-stacks against an installed bast, as a project of its own, and run
    its tests"""
    home = pathlib.Path("build/inspector")
    common = ["cmake", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
              "-DCMAKE_CXX_COMPILER=g++-12", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
              "-DCMAKE_UNITY_BUILD=ON"]
    note("inspector: the library is built and installed, then the inspector built against it")
    run_logged(
        home / "configure.log",
        [*common, "-S", ".", "-B", home / "library", "-DBAST_TESTS=OFF",
         "-DBAST_SANITIZER_TESTS=OFF", "-DBAST_EXAMPLES=OFF",
         f"-DCMAKE_INSTALL_PREFIX={ROOT / home / 'prefix'}"],
        ["cmake", "--build", home / "library", "-j", str(JOBS), "--target", "install", "--",
         "--quiet"],
        [*common, "-S", "tools/bast-stacks", "-B", home, "-DBAST_WERROR=ON",
         f"-DCMAKE_PREFIX_PATH={ROOT / home / 'prefix'}", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0"])
    run("cmake", "--build", home, "-j", str(JOBS), "--", "--quiet")
    return presets.run_tests("ctest.log", "inspector", "-j", str(JOBS), "--no-tests=error",
                             where="--test-dir")
