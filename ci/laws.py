# SPDX-License-Identifier: Apache-2.0
"""Keeps the table of laws in docs/testing.md up to date.

For every law F-n, C-n, P-n and R-n of docs/laws.md counts its checks: unit tests (TEST names that
contain F<n>_), the models of the fuzzers, properties, stress and the interleaving checker, mutants.
A law of coroutines (F) needs two independent kinds, the others need one. Fails if one has fewer, or
if the table differs.
"""

import re
import sys
import tomllib

from .job import job
from .shell import ROOT

PAGE = ROOT / "docs/testing.md"
BEGIN, END = "<!-- laws: written by ci/run laws -->\n", "<!-- end of laws -->\n"
# The number of laws of each family, the kinds of oracle that each needs, and the laws of layers to
# come.
FAMILIES = {
    "F": (20, 2, {20: "operations in flight; comes with `op`"}),
    "C": (19, 1, {}),
    "P": (23, 1, {18: "commands of a scope", 20: "commands as ops"}),
    "R": (5, 1, {}),  # lib/bast/watch/README.md
}


def sources(*patterns):
    found = []
    for pattern in patterns:
        found += [p.read_text() for p in sorted(ROOT.glob(pattern))]
    return "\n".join(found)


def rows():
    tests = sources("lib/**/*_test.cpp")
    model = sources("fuzz/model/*.cpp", "fuzz/model/*.hpp")
    properties = sources("proptest/*.cpp")
    stress = sources("stress/**/*.cpp")
    mutants = tomllib.loads((ROOT / "ci/mutants.toml").read_text())
    lines, complaints = [], []
    for family, (count, needed, not_yet) in FAMILIES.items():
        for n in range(1, count + 1):
            law = f"{family}-{n}"
            if n in not_yet:
                lines.append(f"| {law} | {not_yet[n]} | | | |")
                continue
            cited = re.compile(rf"\b{law}\b")
            unit = len(re.findall(rf"^TEST(?:_F|_P)?\(\w+,\s*(?:\w+_)?{family}{n}_", tests,
                                  re.MULTILINE))
            killed = [name for name, row in mutants.items() if row["law"] == law]
            in_model = "yes" if cited.search(model) else ""
            also = [name for name, text in (("property", properties), ("stress", stress))
                    if cited.search(text)]
            kinds = sum(map(bool, (unit, in_model, also, killed)))
            if kinds < needed:
                complaints.append(f"law {law} has {kinds} kinds of oracle, and needs {needed}")
            named = ", ".join(f"`{name}`" for name in killed)
            lines.append(f"| {law} | {unit} | {in_model} | {', '.join(also)} | {named} |")
    return lines, complaints


@job("[--write]", takes="( --write)?", packages=())
def laws(write=None):
    """check the table of laws in docs/testing.md, or rewrite it"""
    lines, complaints = rows()
    table = ("| law | unit tests | models of the fuzzers | property, stress | mutants |\n"
             "|---|---|---|---|---|\n" + "\n".join(lines) + "\n")
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + table + END + after
    if write:
        PAGE.write_text(wanted)
    elif page != wanted:
        complaints.append("the table in docs/testing.md is out of date: ci/run laws --write")
    for complaint in complaints:
        print(f"laws: {complaint}", file=sys.stderr)
    print(f"laws: {len(complaints)} complaints")
    return 1 if complaints else 0
