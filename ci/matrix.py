# SPDX-License-Identifier: Apache-2.0
"""Compiler options that affect the code around a context switch, or the orders of atomics, under
both compilers."""

import pathlib
import re
import time

from .job import job
from .shell import JOBS, ROOT, die, note, status_of

# What a switch happens in, and what waits across one.
LAYERS = ("arch", "lockfree", "stack", "coro", "op", "io", "sched", "scope")
# Name, flags of the compiler, more arguments of cmake. Flags go to the assembler too, which enables
# CET in a .S file.
ROWS = (
    ("O0", "-O0 -g", ""),
    ("O2", "-O2 -g", ""),
    ("O3", "-O3 -g", ""),
    ("Os", "-Os -g", ""),
    ("lto", "-O2 -g", "-DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON"),
    ("pie", "-O2 -g -fPIE",
     "-DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_EXE_LINKER_FLAGS=-pie"),
    ("no-pie", "-O2 -g -fno-pie",
     "-DCMAKE_POSITION_INDEPENDENT_CODE=OFF -DCMAKE_EXE_LINKER_FLAGS=-no-pie"),
    ("stack-protector", "-O2 -g -fstack-protector-strong", ""),
    ("stack-clash", "-O2 -g -fstack-clash-protection", ""),
    ("cet", "-O2 -g -fcf-protection=full", ""),
    ("native", "-O2 -g -march=native", ""),
    ("omit-fp", "-O2 -g -fomit-frame-pointer", ""),
    ("keep-fp", "-O2 -g -fno-omit-frame-pointer", ""),
    ("libcxx", "-O2 -g -stdlib=libc++", ""),
)
# libc++ is clang's.
CELLS = {f"{compiler}-{name}": (compiler, flags, arguments)
         for compiler in ("g++-12", "clang++-19") for name, flags, arguments in ROWS
         if (compiler, name) != ("g++-12", "libcxx")}


def cells(pattern=""):
    try:
        found = [name for name in CELLS if re.search(pattern, name)]
    except re.error:
        found = []
    if not found:
        die(f"no row of the matrix matches '{pattern}'", 2)
    return found


def build_and_test(name):
    """One combination; its output is in the file log. Whether it passes."""
    compiler, flags, arguments = CELLS[name]
    directory = pathlib.Path("build/matrix", name)
    directory.mkdir(parents=True, exist_ok=True)
    commands = (
        ["cmake", "-G", "Ninja", "-S", ".", "-B", directory, "-DCMAKE_BUILD_TYPE=",
         f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
         f"-DCMAKE_CXX_FLAGS={flags}", f"-DCMAKE_ASM_FLAGS={flags}", "-DBAST_ASSERTIONS=ON",
         # A third of the time; the preset `separate` compiles each source by itself.
         "-DBAST_EXAMPLES=OFF", "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0",
         *arguments.split(),
         # GNU ld cannot read the bitcode of clang's link-time optimisation; lld can.
         *(["-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld"] if name == "clang++-19-lto" else [])],
        ["cmake", "--build", directory, "-j", str(JOBS), "--target",
         *(f"bast_{layer}_test" for layer in LAYERS)],
        ["ctest", "--test-dir", directory, "-L", f"^({'|'.join(LAYERS)})$", "-j", str(JOBS),
         "--output-on-failure", "--no-tests=error", "--output-log",
         ROOT / directory / "ctest.log"])
    with (directory / "log").open("wb") as log:
        return not any(status_of(*command, stdout=log, stderr=log) for command in commands)


@job("[REGEX]", takes="( [^ ]+)?", check=cells)
def matrix(pattern=""):
    """the context switch under both compilers and many flags; REGEX picks rows"""
    rows, failures = [], 0
    for name in cells(pattern):
        started = time.monotonic()
        result = "ok" if build_and_test(name) else "FAILED"
        if result != "ok":
            failures += 1
            log = pathlib.Path("build/matrix", name, "log").read_text(errors="replace")
            print("\n".join(log.splitlines()[-60:]))
        seconds = int(time.monotonic() - started)
        rows.append(f"{name:28} {result:7} {seconds:4} s  {CELLS[name][1]} {CELLS[name][2]}")
        note(rows[-1])
    print("", *rows, sep="\n")
    if failures:
        die(f"{failures} of {len(rows)} rows of the matrix failed")
