# SPDX-License-Identifier: Apache-2.0
"""The copy of the tree: written anew with the sampled faults, configured, built."""

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
        self.unity = True
        self.writers = {}
        self.home.mkdir(parents=True, exist_ok=True)

    def write(self, name, content, mode):
        """Only what differs, so that ninja builds no more than that."""
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
        # What one checkout compiled serves the next: paths are hashed relative to this one.
        return dict(os.environ, CCACHE_BASEDIR=str(self.home), CCACHE_NOHASHDIR="1", LC_ALL="C")

    def configure(self):
        unity = "ON" if self.unity else "OFF"
        command = ["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja",
                   "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=g++-12",
                   "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                   "-DCMAKE_CXX_FLAGS_DEBUG=-Og -g1",
                   f"-DCMAKE_CXX_FLAGS={FLAGS} -include {self.home}/fault.hpp",
                   f"-DCMAKE_UNITY_BUILD={unity}", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0",
                   "-DBAST_WERROR=OFF", "-DBAST_SANITIZER_TESTS=OFF", "-DBAST_EXAMPLES=OFF",
                   "-DBAST_INSTALL=OFF", "-DBAST_TESTS=ON", "-DBAST_PROOF_TESTS=ON",
                   f"-DBAST_TOOLS={'ON' if self.tools else 'OFF'}"]
        done = subprocess.run(command, env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise NotBuilt(f"cannot configure {self.tree}\n{done.stdout}")

    def make(self, targets=()):
        """Builds; returns the faults that the compiler refused. Raises for any other error."""
        command = ["ninja", "-C", str(self.build), "-k", "0", "-j", "2", *targets]
        done = subprocess.run(command, env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        (self.home / "build.log").write_text(done.stdout)
        if done.returncode == 0:
            return set()
        refused, unknown = set(), []
        for message in self.errors(done.stdout):
            faults = self.blamed(message)
            refused.update(faults)
            if not faults:
                unknown.append(message)
        if not refused or not self.writers:
            said = "\n".join("\n".join(message) for message in unknown[:3]) or done.stdout[-3000:]
            raise NotBuilt(said)
        return refused

    def errors(self, output):
        """The lines of each error: what leads to it, itself, and its notes."""
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
        for line in message:
            match = PLACE.match(line)
            if not match:
                continue
            try:
                name = os.path.relpath(os.path.join(self.build, match[1]), self.tree)
            except ValueError:
                continue
            if name in self.writers:
                faults = self.writers[name].at(int(match[2]), int(match[3]))
                if faults:
                    return faults
        return []
