# SPDX-License-Identifier: Apache-2.0
"""Checks what is written about the layers of lib/bast.

Which layer may include which is checked by clang in each build with it (cmake/BastLayers.cmake).
The rules here, by name:
  order   the drawing in lib/README.md, the list in lib/CMakeLists.txt and the folders of lib/bast
          are the same layers, the first two from the lowest upwards
  readme  "May call:" in a layer's README.md lists the layers that its sources include, all of them
  heavy   no face pulls in <iostream>, <functional> or <regex>
  alone   every face compiles alone with clang; with gcc ci/consumers compiles every header
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from . import presets
from .job import job
from .shell import ROOT, die

# A build with clang, without a sanitizer. The step `tidy` may be making it.
BUILD = pathlib.Path("build/tidy")
GENERATED = BUILD / "lib/generated/bast_core"
# Where an order is written, and how: one name each, or all of them in one match.
WRITTEN = {
    "lib/README.md": r"^ ([a-z]+) {2,}\S",
    "lib/CMakeLists.txt": r"set\(BAST_CORE_LAYERS ([a-z ]+)\)",
}
INCLUDED = re.compile(r'^#include ["<]bast/([a-z]+)\.hpp[">]', re.MULTILINE)
MAY_CALL = re.compile(r"May call: ([^.]*)\.")
HEAVY = re.compile(r"/(iostream|functional|regex)(?=\s)")
SOURCES = (".hpp", ".cpp", ".S", ".inc")


def orders(root):
    """Each place where the layers are written, and what it says."""
    for name, pattern in WRITTEN.items():
        found = re.findall(pattern, (root / name).read_text(), re.MULTILINE)
        yield name, " ".join(found).split()


def includes_of(library, layer):
    """The other layers whose faces the sources of a layer include, apart from tests."""
    found = set()
    for path in [library / f"{layer}.hpp", *(library / layer).rglob("*")]:
        if path.suffix in SOURCES and not path.stem.endswith("_test"):
            found |= set(INCLUDED.findall(path.read_text()))
    return found - {layer, "config"}


def compile_alone(face, include):
    """The errors of clang, and the headers that a face includes, as the compiler finds them."""
    made = subprocess.run(["clang++-19", "-std=c++23", "-fsyntax-only", "-Wall", "-Wextra",
                           "-Werror", "-MD", "-MF", "-", *include, "-x", "c++", "-"],
                          input=f"#include <bast/{face}>\n", text=True, capture_output=True)
    return made.stderr, made.stdout


def violations(root, compiles=True):
    """Yields (rule, text). Compiling is slow, and only two rules need it."""
    library = root / "lib/bast"
    written = dict(orders(root))
    layers = written["lib/README.md"]
    for name, order in written.items():
        if order != layers:
            yield "order", f"{name} has {order}, lib/README.md {layers}"
    folders = {path.name for path in library.iterdir() if path.is_dir()} - {"testing"}
    if folders != set(layers):
        yield "order", f"lib/bast has the folders {sorted(folders)}, lib/README.md {layers}"
    for layer in sorted(folders & set(layers)):
        stated = MAY_CALL.search((library / layer / "README.md").read_text())
        named = set(re.findall(r"`([a-z]+)`", stated[1])) & set(layers) if stated else None
        used = includes_of(library, layer)
        if named != used:
            yield "readme", f"{layer}/README.md: May call: {sorted(used) or 'nothing'}"
    faces = sorted(face.name for face in library.glob("*.hpp")) if compiles else []
    include = [f"-I{root}/lib", f"-I{GENERATED}"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for face, (errors, headers) in zip(faces, pool.map(
                lambda face: compile_alone(face, include), faces)):
            if errors:
                yield "alone", f"<bast/{face}>: {errors}"
            for header in set(HEAVY.findall(headers)):
                yield "heavy", f"<bast/{face}> pulls in <{header}>"


# ---- The self-test. ------------------------------------------------------------------------------

# What a source of a layer includes, and whether clang must refuse it with a module map.
REFUSED = [
    ("library", "stack", "bast/coro.hpp", True),
    ("library", "stack", "bast/os/memory.hpp", True),
    ("library", "stack", "bast/testing/baseline.hpp", True),
    ("library", "stack", "bast/os.hpp", False),
    ("library", "stack", "bast/stack/slab.hpp", False),
    ("tests", "stack", "bast/coro.hpp", True),
    ("tests", "stack", "bast/coro/pool.hpp", True),
    ("tests", "stack", "bast/os/memory.hpp", False),
    ("tests", "stack", "bast/testing/baseline.hpp", False),
]
# A file of a copy of the tree, and the line that breaks a rule of ours.
PLANTED = [
    ("order", "lib/CMakeLists.txt", "set(BAST_CORE_LAYERS base os)"),
    ("order", "lib/bast/misc/thing.cpp", "int thing;"),
    ("readme", "lib/bast/stack/slab.cpp", "#include <bast/coro.hpp>"),
    ("heavy", "lib/bast/base/check.hpp", "#include <functional>"),
    ("alone", "lib/bast/process.hpp", "inline std::basic_regex<char>* lonely;"),
]


def is_refused(kind, layer, header):
    command = ["clang++-19", "-std=c++23", "-fsyntax-only", "-Xclang", "-fno-cxx-modules",
               "-fmodules-decluse", f"-fmodule-name=bast_{layer}",
               f"-fmodule-map-file={BUILD}/layers/{kind}.modulemap", f"-I{ROOT}/lib",
               f"-I{GENERATED}", "-x", "c++", "-"]
    made = subprocess.run(command, input=f"#include <{header}>\n", text=True, capture_output=True)
    if made.returncode != 0 and "does not directly depend" not in made.stderr:
        die(made.stderr)
    return made.returncode != 0


def self_test():
    failures = [f"<{header}> in {kind} of {layer}: expected {'' if expected else 'not '}refused"
                for kind, layer, header, expected in REFUSED
                if is_refused(kind, layer, header) != expected]
    for rule, name, line in PLANTED:
        with tempfile.TemporaryDirectory() as directory:
            copy = pathlib.Path(directory)
            shutil.copytree(ROOT / "lib", copy / "lib")
            (copy / name).parent.mkdir(exist_ok=True)
            with open(copy / name, "a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")
            found = {found for found, _ in violations(copy, rule in ("heavy", "alone"))}
        if found != {rule}:
            failures.append(f"{line} in {name}: found {sorted(found)}, expected [{rule}]")
    print("\n".join(failures) or f"layers: self-test caught all {len(REFUSED) + len(PLANTED)}")
    return len(failures)


@job()
def layers():
    """check what is written about the layers, and that clang enforces them"""
    if not (BUILD / "layers").is_dir():
        presets.configure("tidy")
    if self_test():
        return 1
    found = list(violations(ROOT))
    for rule, text in found:
        print(f"[{rule}] {text}")
    print(f"layers: {len(found)} violations")
    return 1 if found else 0
