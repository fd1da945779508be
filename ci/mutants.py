# SPDX-License-Identifier: Apache-2.0
"""Runs every mutant of ci/mutants.toml against the harness that must detect it.

Builds the presets `mutants` and `mutants-asan`, in which all bugs are planted and BAST_MUTANT
selects one. Each harness must pass without a mutant and fail with it, by a failed test and not by a
timeout. Prints one table; exit status 1 if a mutant survives, if a harness fails without one, if
the list and the sources name different mutants, or if a user build contains any.
"""

import os
import re
import subprocess
import sys
import time
import tomllib

from . import presets
from .job import job
from .shell import ROOT

ORDINARY = "mutants"
TABLE = tomllib.loads((ROOT / "ci/mutants.toml").read_text())

# Where bugs are planted: the header with their names, their prefix outside of it, and the target
# and the file of a user build.
PLANTED = (
    ("lib/bast/base/mutant.hpp", "", "bast_core", "lib/libbast_core.a"),
    ("tools/bast-stacks/model/mutant.hpp", "stacks_", "bast_stacks", "tools/bast-stacks"),
)


def names_in(header, prefix):
    return {prefix + name
            for name in re.findall(r"^  X\((\w+)\)", (ROOT / header).read_text(), re.MULTILINE)}


def names_in_sources():
    return set().union(*(names_in(header, prefix) for header, prefix, _, _ in PLANTED))


def run_harness(preset, harness, mutant, seconds):
    """Returns (status, seconds): status is 'passed', 'failed', 'timeout' or 'nothing'."""
    environment = dict(os.environ, BAST_MUTANT=mutant)
    # ctest's own --timeout yields to that of a test; `timeout` ends all processes.
    command = ["timeout", str(seconds), "ctest", "--preset", preset, "-R", harness,
               "--stop-on-failure", "--no-tests=error"]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    took = time.monotonic() - start
    if "No tests were found" in done.stdout:
        return "nothing", took, done.stdout
    if done.returncode == 0:
        return "passed", took, done.stdout
    failed = re.search(r"\*\*\*(Failed|Exception)|Subprocess aborted|SEGFAULT", done.stdout)
    return ("failed" if failed else "timeout"), took, done.stdout


def shipped_mutants():
    """Names of mutants in a user build: there must be none."""
    presets.build("release", *(target for _, _, target, _ in PLANTED))
    found = []
    for _, _, _, file in PLANTED:
        found += mutants_of(ROOT / "build/release" / file)
    return found


def mutants_of(file):
    symbols = subprocess.run(["nm", "-C", file], stdout=subprocess.PIPE, text=True, check=True)
    strings = subprocess.run(["strings", file], stdout=subprocess.PIPE, text=True, check=True)
    found = re.findall(r"chosen_mutant|choose_mutant", symbols.stdout)
    return found + sorted(names_in_sources() & set(strings.stdout.split()))


@job("[NAME...]", takes="( NAME)*", names=TABLE)
def mutants(*wanted):
    """plant each bug of ci/mutants.toml; a test must detect it"""
    complaints = []
    if set(TABLE) != names_in_sources():
        complaints.append(f"named in one place only: {sorted(set(TABLE) ^ names_in_sources())}")
    rows = {name: row for name, row in TABLE.items() if not wanted or name in wanted}
    for preset in sorted({row.get("build", ORDINARY) for row in rows.values()}):
        presets.build(preset)
    sound = {}
    lines = []
    for name, row in rows.items():
        preset, harness = row.get("build", ORDINARY), row["harness"]
        if (preset, harness) not in sound:
            status, _, output = run_harness(preset, harness, "", row["seconds"])
            sound[preset, harness] = status == "passed"
            if status != "passed":
                complaints.append(f"{name}: without it, the harness '{harness}' {status}\n{output}")
        status, took, _ = run_harness(preset, harness, name, row["seconds"])
        killed = status == "failed" and sound[preset, harness]
        lines.append(f"{name:28} {'killed' if killed else 'SURVIVED':9} {took:6.1f} s  {harness}")
        print(lines[-1])
        if not killed:
            complaints.append(f"{name}: {row['what']}: the harness {status}")
    shipped = shipped_mutants()
    if shipped:
        complaints.append(f"a build for users contains {' '.join(shipped)}")
    for complaint in complaints:
        print(f"mutants: {complaint}", file=sys.stderr)
    killed = sum(" killed " in line for line in lines)
    print(f"{killed} of {len(rows)} mutants killed, {len(complaints)} complaints")
    return 1 if complaints else 0
