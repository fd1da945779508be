# SPDX-License-Identifier: Apache-2.0
"""The copy of the tree: rewritten with the sampled faults, configured, built."""

import os
import re
import subprocess

from . import rewrite

ERROR = re.compile(r"^(\S+?):(\d+):(\d+): (?:fatal )?error: (.*)$")
PLACE = re.compile(r"^(?:In file included from |\s+from )?(\S+?):(\d+):(\d+): ")
FLAGS = "-w -Wno-error -Wno-narrowing"


class NotBuilt(Exception):
    pass


def git_files(root):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode()
    return sorted({name for name in output.split("\0") if name and (root / name).is_file()})


class Copy:
    def __init__(self, root, tools):
        self.root, self.tools = root, tools
        self.home = root / "build/mutate"
        self.tree, self.build = self.home / "tree", self.home / "build"
        self.script = self.home / "separate.cmake"
        # Targets whose sources do not compile together, as found by the last run.
        self.separate = set(re.findall(r"TARGET (\w+)", self.script.read_text())) \
            if self.script.exists() else set()
        self.writers = {}
        self.home.mkdir(parents=True, exist_ok=True)

    def write(self, name, content, mode):
        """Writes only changed files, so that ninja builds no more than that."""
        path = self.tree / name
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)

    def rewrite(self, faults):
        """Writes the whole copy with these faults: {number: fault}."""
        by_file = {}
        for number, fault in faults.items():
            by_file.setdefault(fault.path, []).append((number, fault))
        names = git_files(self.root)
        self.writers = {}
        for name in names:
            source = self.root / name
            content = source.read_bytes()
            if name in by_file:
                writer = rewrite.Writer(content.decode("latin-1"), by_file[name])
                self.writers[name] = writer
                content = writer.text.encode("latin-1")
            self.write(name, content, source.stat().st_mode & 0o777)
        known = set(names)
        for path in list(self.tree.rglob("*")):
            if not path.is_dir() and str(path.relative_to(self.tree)) not in known:
                path.unlink()
        header = self.home / "fault.hpp"
        content = (self.root / "ci/mutation/fault.hpp").read_bytes()
        if not header.exists() or header.read_bytes() != content:
            header.write_bytes(content)

    def environment(self):
        # One checkout's cache entries serve the next: paths are hashed relative to this one.
        return dict(os.environ, CCACHE_BASEDIR=str(self.home), CCACHE_NOHASHDIR="1", LC_ALL="C")

    def configure(self):
        # Read by project(); the targets exist after the last line of CMakeLists.txt.
        self.script.write_text("".join(
            f"cmake_language(DEFER CALL set_property TARGET {target} PROPERTY UNITY_BUILD OFF)\n"
            for target in sorted(self.separate)))
        command = ["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja",
                   "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=g++-12",
                   "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                   "-DCMAKE_CXX_FLAGS_DEBUG=-Og -g1",
                   f"-DCMAKE_CXX_FLAGS={FLAGS} -include {self.home}/fault.hpp",
                   "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0",
                   f"-DCMAKE_PROJECT_bast_INCLUDE={self.script}",
                   "-DBAST_WERROR=OFF", "-DBAST_SANITIZER_TESTS=OFF", "-DBAST_EXAMPLES=OFF",
                   "-DBAST_INSTALL=OFF", "-DBAST_TESTS=ON", "-DBAST_PROOF_TESTS=ON",
                   f"-DBAST_TOOLS={'ON' if self.tools else 'OFF'}"]
        done = subprocess.run(command, env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise NotBuilt(f"cannot configure {self.tree}\n{done.stdout}")

    def make(self, targets=()):
        """Builds; returns the faults that the compiler refused, or raises with any other error.

        If the sources of a target do not compile together, returns nothing and adds it to
        `separate`; the copy must then be configured again."""
        command = ["ninja", "-C", str(self.build), "-k", "0", "-j", "2", *targets]
        done = subprocess.run(command, env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        (self.home / "build.log").write_text(done.stdout)
        if done.returncode == 0:
            return set()
        refused, unknown, before = set(), [], set(self.separate)
        for block in re.split(r"^FAILED: ", done.stdout, flags=re.MULTILINE)[1:]:
            blamed = [(message, self.blamed(message)) for message in self.errors(block)]
            target = re.match(r"\S*?(\w+)\.dir/Unity/", block)
            if all(faults for _, faults in blamed) and blamed:
                refused.update(fault for _, faults in blamed for fault in faults)
            elif target and blamed:
                self.separate.add(target[1])
            else:
                unknown.append(block)
        if unknown and not refused and before == self.separate:
            raise NotBuilt("\n".join(block[:3000] for block in unknown[:3]))
        return refused

    def errors(self, output):
        """The lines of each error: its context, itself, and its notes."""
        lines = output.splitlines()
        errors = [i for i, line in enumerate(lines) if ERROR.match(line)]
        for at, i in enumerate(errors):
            first = i
            while first > 0 and re.search(r"required (?:from|by)|In instantiation|In substitution"
                                          r"|In (?:member )?function|In constructor|In lambda"
                                          r"|^In file included|^\s+from ", lines[first - 1]):
                first -= 1
            last = errors[at + 1] if at + 1 < len(errors) else min(len(lines), i + 40)
            yield [lines[i], *lines[first:i][::-1], *lines[i + 1:last]]

    def blamed(self, message):
        """The fault at the compiler's error, or else those of the first line it names."""
        places = []
        for line in message:
            match = PLACE.match(line)
            if match:
                name = os.path.relpath(os.path.join(self.build, match[1]), self.tree)
                if name in self.writers:
                    places.append((self.writers[name], int(match[2]), int(match[3])))
        for writer, line, column in places:
            fault = writer.at(line, column)
            if fault is not None:
                return [fault]
        return next((faults for writer, line, _ in places if (faults := writer.on(line))), [])
