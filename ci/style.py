# SPDX-License-Identifier: Apache-2.0
"""Checks the mechanical part of the house style.

The rules, each with the name it is reported under:
  spdx      the first lines carry the licence identifier
  pragma    a header has #pragma once
  columns   at most 100 columns (COLUMNS), outside of raw strings
  tabs      no tabs, except in a Makefile
  length    a source has at most 400 lines; more than 300 is a warning
  test      a test is named Subject, WhatHolds
  todo      an open task names its issue: TODO(#12)
  version   a namespace of the library is opened with its version, bast::inline BAST_ABI
  syscall   only lib/bast/os makes system calls (tests may)
  order     a memory order other than seq_cst and relaxed names what it "pairs with", on its line or
            in the three before
  reason    a suppression (NOLINT, GCOVR_EXCL, diagnostic ignored, clang-format off) says why, on
            its line
  format    clang-format-19 agrees
  script    bash and python can parse the scripts

A line that breaks syscall or order for a good reason ends in // NOLINT(bast-<rule>): the reason.
"""

import ast
import pathlib
import re
import subprocess
import tempfile

from . import laws, results
from .job import job
from .shell import ROOT, files_of, run, status_of

COLUMNS, FILE_WARN, FILE_FAIL = 100, 300, 400
CXX = {".hpp", ".cpp"}
SOURCE = CXX | {".S", ".h", ".c", ".cmake", ".py", ".sh", ".in"}

# Spelled apart, so that this file does not trip over its own rules.
SPDX = "SPDX-License-" + "Identifier: Apache-2.0"
OPEN_TASK = re.compile(r"\bTO" + r"DO\b(?!\(#\d+\))")
SUPPRESSION = re.compile(
    r"NOLINT(?!END)(?:NEXTLINE|BEGIN)?\b(?:\([^)]*\))?|GCOVR?_EXCL_(?:LINE|START|BR_LINE)"
    r"|diagnostic ignored \"[^\"]*\"|clang-format o" + r"ff")
REASON = re.compile(r"^[\s:,/*#-]*\w+\s+\w+")
SYSCALL = re.compile(
    r"(?:^|[^\w.:>])(?:::)?(mmap|munmap|mprotect|madvise|sigaltstack|sigaction|syscall)\s*\(")
# Test machinery and the records of watch are outside.
UNVERSIONED = re.compile(r"^namespace bast::(?!inline BAST_ABI|watch\b|test\b|model\b)",
                         re.MULTILINE)
ORDER = re.compile(r"memory_order(?:_|::)(?:acquire|release|acq_rel|consume)\b"
                   r"|__ATOMIC_(?:ACQUIRE|RELEASE|ACQ_REL|CONSUME)\b")
# Comments, literals and raw strings, in the order in which C++ would recognise them.
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])+'",
    re.DOTALL)
RAW_STRING = re.compile(r'R"([^\s()\\]{0,16})\(.*?\)\1"', re.DOTALL)
TEST_NAME = re.compile(r"^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP)\((?![A-Z]\w*, [A-Z])", re.MULTILINE)


def blank(text):
    """The code without comments and literals, of the same length and with the same lines."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


class Checker:
    def __init__(self, root):
        self.root = root
        self.violations, self.warnings = [], []

    def report(self, path, line, rule, message):
        self.violations.append((rule, f"{path}:{line}: [{rule}] {message}"))

    def check_text(self, name, text):
        lines = text.split("\n")
        # The output of a program is compared verbatim, however long its lines are.
        printed = set()
        for match in RAW_STRING.finditer(text) if name.suffix in CXX else ():
            first = text.count("\n", 0, match.start()) + 1
            printed.update(range(first, first + match[0].count("\n") + 1))
        if not any(SPDX in line for line in lines[:3]):
            self.report(name, 1, "spdx", f"missing: {SPDX}")
        if name.suffix == ".hpp" and "#pragma once" not in lines:
            self.report(name, 1, "pragma", "missing: #pragma once")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS and number not in printed:
                self.report(name, number, "columns", f"{len(line)} columns")
            if "\t" in line and name.name != "Makefile":
                self.report(name, number, "tabs", "use spaces")
            if OPEN_TASK.search(line):
                self.report(name, number, "todo", "name an issue, as in TO" + "DO(#12)")
            for match in SUPPRESSION.finditer(line):
                if name.parts[0] != "ci" and not REASON.search(line[match.end():]):
                    self.report(name, number, "reason", f"say why: {match[0]}")

    def check_source(self, name, text):
        lines = text.count("\n")
        if lines > FILE_FAIL:
            self.report(name, FILE_FAIL, "length", f"{lines} lines, at most {FILE_FAIL}")
        elif lines > FILE_WARN:
            self.warnings.append(f"{name}: {lines} lines; look for the second concept")
        for match in TEST_NAME.finditer(text):
            self.report(name, text.count("\n", 0, match.start()) + 1, "test", "Subject, WhatHolds")

    def check_library(self, name, text):
        for match in UNVERSIONED.finditer(blank(text)):
            line = text.count("\n", 0, match.start()) + 1
            self.report(name, line, "version", "write namespace bast::inline BAST_ABI::...")
        is_test = name.stem.endswith("_test") or name.parts[2] == "testing"
        if name.parts[2] == "os" or is_test or name.suffix not in CXX:
            return
        previous = ""
        for number, (code, line) in enumerate(zip(blank(text).split("\n"), text.split("\n")), 1):
            match = SYSCALL.search(code)
            excused = "NOLINT(bast-syscall)" in line or "NOLINTNEXTLINE(bast-syscall)" in previous
            previous = line
            if match and not excused:
                self.report(name, number, "syscall", f"{match[1]}() belongs to lib/bast/os")

    def check_orders(self, name, text):
        lines = text.split("\n")
        for number, code in enumerate(blank(text).split("\n"), 1):
            context = "\n".join(lines[max(0, number - 4):number]).lower()
            if ORDER.search(code) and not re.search(r"pairs with|nolint\(bast-order\)", context):
                self.report(name, number, "order", 'say what it "pairs with"')

    def check_script(self, name, path, text):
        first = text.split("\n", 1)[0]
        if name.suffix == ".py" or "python" in first and first.startswith("#!"):
            try:
                ast.parse(text)
            except SyntaxError as error:
                self.report(name, error.lineno or 1, "script", str(error))
        elif name.suffix == ".sh" or first.startswith("#!") and "sh" in first:
            result = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
            if result.returncode != 0:
                self.report(name, 1, "script", result.stderr.strip())

    def check_format(self, names):
        command = ["clang-format-19", "--dry-run", "-Werror", "--ferror-limit=3"]
        if names:
            result = subprocess.run(command + names, cwd=self.root, capture_output=True, text=True)
            found = re.findall(r"^(\S+?):(\d+):\d+: error", result.stderr, re.MULTILINE)
            for name, line in dict(reversed(found)).items():  # The first line of each file.
                self.report(name, line, "format", "use `ci/run format`")

    def check(self):
        formatted = []
        for name, path in files_of(self.root):
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue  # Fuzz corpora and pictures are not text.
            if name.suffix in CXX:
                formatted.append(str(name))
            if name.suffix in SOURCE or name.name in ("CMakeLists.txt", "Makefile") \
                    or text.startswith("#!"):
                self.check_text(name, text)
                self.check_script(name, path, text)
            if name.suffix in CXX | {".S", ".inc"}:
                self.check_source(name, text)
            if name.suffix in CXX:
                self.check_orders(name, text)
            if name.parts[:2] == ("lib", "bast") and name.suffix in CXX | {".S"}:
                self.check_library(name, text)
        self.check_format(formatted)
        return self.violations


# ---- The self-test: a clean tree, and one planted violation at a time. ---------------------------

HEAD = f"// {SPDX}\n"
CLEAN = {
    "lib/bast/base/a.hpp": HEAD + "\n#pragma once\n\nint mmap_count;  // mmap(1) in words\n",
    "lib/bast/os/map.cpp": HEAD + "\nvoid map() { mmap(0); }\n",
    "lib/bast/stack/good.cpp": HEAD + """
// Publishes the record; pairs with the load in reader().
void publish() { flag.store(1, std::memory_order_release); }

int lint = os::mmap(0);  // NOLINT(misc-thing): the reason is here
int call = mmap(0);      // NOLINT(bast-syscall): a planted exception
const char* text = "mmap(";
""",
    "lib/bast/stack/slab_test.cpp": HEAD + "\nint x = mmap(0);\n",
    "ci/good.sh": f"#!/bin/bash\n# {SPDX}\nexit 0\n",
    "LICENSE": "no\trules\n",
}
PLANTS = [
    ("spdx", "lib/bast/os/b.cpp", "int b;\n"),
    ("spdx", "ci/bare", "#!/bin/bash\nexit 0\n"),
    ("pragma", "lib/bast/os/b.hpp", HEAD + "\nextern int b;\n"),
    ("columns", "lib/bast/os/b.S", HEAD + "#" * 101 + "\n"),
    ("tabs", "cmake/x.cmake", f"# {SPDX}\n\tset(a b)\n"),
    ("length", "lib/bast/os/b.S", HEAD + "nop\n" * 400),
    ("test", "lib/bast/os/b_test.cpp", HEAD + "\nTEST(b, it_works) {}\n"),
    ("todo", "ci/x.py", f"# {SPDX}\n# TO" + "DO: later\n"),
    ("syscall", "lib/bast/stack/b.cpp", HEAD + "\nvoid f() { ::munmap(p, 1); }\n"),
    ("syscall", "lib/bast/coro/b.hpp", HEAD + "\n#pragma once\n\nint x = sigaction (1);\n"),
    ("version", "lib/bast/os/b_test.cpp", HEAD + "\nnamespace bast::os {}\n"),
    ("order", "lib/bast/stack/b.cpp", HEAD + "\nint x = y.load(std::memory_order_acquire);\n"),
    ("reason", "lib/bast/os/b.cpp", HEAD + "\nint b;  // NOLINT\n"),
    ("reason", "lib/bast/os/b.cpp", HEAD + "\n#pragma GCC diagnostic ignored \"-Wall\"\n"),
    ("reason", "lib/bast/os/b.cpp", HEAD + "\nint b;  // GCOVR_EXCL_LINE\n"),
    ("format", "lib/bast/os/b.cpp", HEAD + "\nint   b;\n"),
    ("script", "ci/x.sh", f"#!/bin/bash\n# {SPDX}\nif true; then\n"),
    ("script", "ci/x", f"#!/usr/bin/env python3\n# {SPDX}\ndef f(:\n"),
]


def violations_of(files):
    with tempfile.TemporaryDirectory() as directory:
        for name, text in {".clang-format": (ROOT / ".clang-format").read_text(), **files}.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Checker(pathlib.Path(directory)).check()


def self_test():
    failures = [f"the clean tree is reported: {text}" for _, text in violations_of(CLEAN)]
    for rule, name, text in PLANTS:
        found = violations_of({name: text})
        if not any(found_rule == rule for found_rule, _ in found):
            failures.append(f"not reported: [{rule}] in {name}:\n{text[:200]}; found only {found}")
    print("\n".join(failures) or f"style: self-test caught all {len(PLANTS)} plants")
    return len(failures)


def check_tree():
    checker = Checker(ROOT)
    for _, text in checker.check():
        print(text)
    for text in checker.warnings:
        print(f"warning: {text}")
    print(f"style: {len(checker.violations)} violations, {len(checker.warnings)} warnings")
    return len(checker.violations)


@job()
def style():
    """check the rules of style, and that each law has its tests"""
    failed = laws.laws() or self_test() or check_tree() or results.self_test() \
        or status_of("ci/mutate", "--self-test")
    return 1 if failed else 0


@job()
def format_():
    """rewrite all C++ files with clang-format"""
    run("clang-format-19", "-i", *(path for _, path in files_of(ROOT)
                                   if path.suffix in CXX))
