# SPDX-License-Identifier: Apache-2.0
"""Compares the frames that bast-stacks reads from .eh_frame with the compiler's own records.

Builds the library's core with -fstack-usage, links all of it into one shared object, runs
`bast-stacks static --frames` for the frames of all functions in it, and prints those that differ.
Fails if a function differs without an explanation below.

gcc counts the return address, clang does not; both are compared with it. A function and the part of
it that the compiler moved away (".cold") are one. Three differences have a reason:
  rounding   A function that rounds its stack pointer down takes an amount that depends on its
             caller. The tool counts the maximum, the compiler less.
  arguments  gcc marks a function as dynamic if it makes room for arguments at each call, although
             the number is the maximum.
  switch     Inline assembly that switches stacks goes below what its compiler knows: over the red
             zone, which it must not write to, and the values that it saves there.
"""

import collections
import pathlib
import re
import subprocess

from . import presets
from .job import job
from .shell import JOBS, run

NODE = re.compile(r'^node: \{ title: "(?:[^"]*:)?([^":]+)" label: '
                  r'"[^"]*\\n(\d+) bytes \((static|dynamic|dynamic,bounded)\)')
SU = re.compile(r"^.*?:\d+:([^:\t]+)\t(\d+)\t(static|dynamic|dynamic,bounded)$")


def build(compiler, directory):
    is_gcc = "clang" not in compiler
    flags = "-fstack-usage" + (" -fcallgraph-info=su" if is_gcc else "")
    run("cmake", "-S", ".", "-B", directory, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={flags}", "-DBAST_TESTS=OFF",
        "-DBAST_EXAMPLES=OFF", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON", stdout=subprocess.DEVNULL)
    run("cmake", "--build", directory, "-j", str(JOBS), "--target", "bast_core",
        stdout=subprocess.DEVNULL)
    archive = next(directory.glob("lib/libbast*.a"))
    whole = directory / "whole.so"
    run(compiler, "-shared", "-o", whole, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive")
    return is_gcc, whole


def read_usage(directory, is_gcc):
    """The compiler's records: {linker's name: {(bytes, kind)}}."""
    said = collections.defaultdict(set)
    pattern = NODE if is_gcc else SU
    for path in (directory / "lib").rglob("*.ci" if is_gcc else "*.su"):
        for line in path.read_text().splitlines():
            match = pattern.match(line)
            if match:
                size = int(match[2]) + (0 if is_gcc else 8)
                kind = "static" if match[3] == "static" else "dynamic"
                said[match[1].removesuffix(".cold")].add((size, kind))
    return said


def explain(size, kind, said):
    for said_size, said_kind in said:
        if kind == "realigned" and said_size <= size < said_size + 128:
            return "rounding"
        if kind == "switches" and said_size <= size <= said_size + 128 + 16:
            return "switch"
        if size == said_size and kind == "static" and said_kind == "dynamic":
            return "arguments"
    return None


@job("[--compiler CXX] [--tool PROGRAM] [--build DIRECTORY]",
     takes="( --(compiler|tool|build) [^ ]+)*")
def su_compare(*words):
    """compare the frames of bast-stacks with those of the compiler, for each
    function of the core"""
    options = dict(zip(words[::2], words[1::2]))
    compiler = options.get("--compiler", "g++-12")
    tool = options.get("--tool", "build/release/tools/bast-stacks")
    directory = pathlib.Path(options.get("--build", f"build/su-{compiler}"))
    presets.build("release", "bast_stacks")
    is_gcc, whole = build(compiler, directory)
    said = read_usage(directory, is_gcc)
    output = subprocess.run([tool, "static", "--frames", whole], check=True,
                            capture_output=True, text=True).stdout
    frames = {}
    for line in output.splitlines():
        name, size, kind = line.split("\t")
        name = name.removesuffix(".cold")
        if name not in frames or frames[name][0] < int(size):
            frames[name] = (int(size), kind)
    equal, different, explained = 0, [], []
    for name, (size, kind) in sorted(frames.items()):
        if name not in said or (size, kind.replace("switches", "static")) in said[name]:
            equal += name in said
            continue
        text = f"{name}: tables {size} {kind}, compiler {sorted(said[name])}"
        reason = explain(size, kind, said[name])
        if reason:
            explained.append(f"{text} ({reason})")
        else:
            different.append(text)
    absent = len(set(said) - set(frames))
    for text in different + explained:
        print(text)
    print(f"su_compare: {compiler}: {equal} functions equal, {len(explained)} explained, "
          f"{len(different)} different, {absent} that the linker did not keep under their name")
    return 1 if different else 0

