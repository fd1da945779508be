# SPDX-License-Identifier: Apache-2.0
"""Every fault that the sources below some paths can have, in an order that a seed decides."""

import concurrent.futures
import hashlib
import json
import pathlib
import pickle
import platform
import random
import re
import shlex
import subprocess

from clang import cindex

from . import finder, operators

# Helpers of tests and of fuzzers, their input, and code compiled for the other CPU.
FOREIGN = {"testing", "testdata", "gdb", *({"x86_64", "aarch64"} - {platform.machine()})}
SOURCES = (".hpp", ".cpp", ".inc")
# -I, -D and the like; everything else is for the other compiler.
KEPT = re.compile(r"-(?:I|D|std=|isystem)")


def is_tested_code(name):
    path = pathlib.PurePath(name)
    return path.suffix in SOURCES and not path.stem.endswith("_test") \
        and not path.stem.startswith(("test_", "fuzz_")) and not FOREIGN & set(path.parts)


def files_below(root, paths):
    """The files below the paths that git would commit: {path: [names]}."""
    found = {}
    for path in paths:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--",
                   path]
        output = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
        found[path] = sorted({name for name in output.decode().split("\0")
                              if name and is_tested_code(name) and (root / name).is_file()})
    return found


def layer_of(name):
    """base of lib/bast/base/text.cpp; tools/read of tools/bast-stacks/read/core.cpp."""
    parts = pathlib.PurePath(name).parts
    if parts[0] == "tools":
        return f"tools/{parts[2]}" if len(parts) > 3 else "tools"
    return parts[2] if len(parts) > 3 else "bast"


def target_of(name):
    """The target that compiles a source, or would compile the code of a header."""
    layer = layer_of(name)
    if layer.startswith("tools/"):
        return "bast_stacks" if name.endswith("/main.cpp") else f"bast_stacks_{layer[6:]}"
    return "bast_bast" if "/uring_" in name else f"bast_core_{layer}"


class Commands:
    """The build of the copy, in terms of the tree itself."""

    def __init__(self, root, tree, build):
        self.root, self.tree = root, tree
        rows = json.loads((build / "compile_commands.json").read_text())
        self.by_target = {}
        for row in rows:
            match = re.search(r"CMakeFiles/(\w+)\.dir/", row["command"])
            if match and not row["file"].endswith(".S"):
                self.by_target.setdefault(match[1], row["command"])

    def of(self, name):
        target = target_of(name)
        words = shlex.split(self.by_target.get(target) or self.by_target["bast_core_base"])
        kept = []
        for i, word in enumerate(words):
            if KEPT.match(word):
                kept.append(word)
                if word in ("-isystem", "-I", "-D"):
                    kept.append(words[i + 1])
        return ["-x", "c++", "-w", "-ferror-limit=0",
                *(word.replace(str(self.tree), str(self.root)) for word in kept)]


def search(root, names, jobs):
    """Runs in a process of its own: the faults of some translation units."""
    index = cindex.Index.create()
    found = finder.Finder(root, {str(root / name): name for name in names})
    for name, arguments in jobs:
        unit = index.parse(str(root / name), arguments,
                           options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        found.walk(unit)
    return list(found.faults.values()), {found.wanted[file] for file in found.files}


def find(root, commands, names, processes):
    """All faults of the named files. Headers are read as a source includes them, or alone."""
    found, seen = {}, set()
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        for suffix in (".cpp", ".hpp"):
            todo = [n for n in names if n.endswith(suffix) and n not in seen]
            jobs = [(n, commands.of(n)) for n in todo]
            runs = [pool.submit(search, root, names, jobs[i::processes]) for i in range(processes)]
            for run in runs:
                faults, files = run.result()
                found.update((fault.key(), fault) for fault in faults)
                seen |= files
    return sorted(found.values(), key=operators.Fault.key)


def find_cached(root, commands, names, processes, directory):
    """The same, kept in a file until a source or this program changes."""
    state = hashlib.sha256()
    for part in ("operators", "expressions", "statements", "finder"):
        state.update(pathlib.Path(__file__).with_name(f"{part}.py").read_bytes())
    for name in names:
        state.update(name.encode() + b"\0" + (root / name).read_bytes())
        state.update(" ".join(commands.of(name)).encode())
    file = directory / f"candidates-{state.hexdigest()[:16]}.pickle"
    if file.exists():
        return pickle.loads(file.read_bytes())
    faults = find(root, commands, names, processes)
    file.write_bytes(pickle.dumps(faults))
    return faults


def shuffled(faults, seed):
    """The order of a seed. It takes faults with equal chances, so layers in proportion."""
    order = list(faults)
    random.Random(seed).shuffle(order)
    return order
