# SPDX-License-Identifier: Apache-2.0
"""Writes docs/what-calls-cost.md. The calls are in tools/costs; their groups on the page follow
from their labels."""

import json
import pathlib
import platform
import subprocess

from . import presets
from .job import job
from .shell import die, note, run

PAGE = pathlib.Path("docs/what-calls-cost.md")
AGAIN = ", again"

# The heading of a group, and the beginnings of its labels; the first has all others.
GROUPS = (
    ("C library", ("",)),
    ("C++ standard library", ("throw and catch", "ostringstream", "ifstream", "std::",
                              "directory_iterator")),
    ("SQLite", ("SQLite:",)),
    ("PCRE2", ("PCRE2:",)),
    ("Lua", ("Lua:",)),
    ("libxml2", ("libxml2:",)),
    ("nlohmann-json", ("nlohmann-json:",)),
    ("OpenSSL", ("OpenSSL:",)),
)
PACKAGES = ("libc6", "libstdc++6", "libsqlite3-0", "libpcre2-8-0", "liblua5.4-0", "libxml2",
            "nlohmann-json3-dev", "libssl3")

TEXT = """# What calls cost

The stack use of common calls in bytes, below their caller: what a coroutine needs to make them. \
Measured by `bast-stacks`, to the byte, each call in its own coroutine; \
`ci/run cost-table` rewrites this page. The programs are in `tools/costs`.

*First call* is the first in the process: the dynamic linker resolves the function (link with \
`-z now` to avoid that in fibers), locales and configuration files are read. *Then* is the deepest \
of the later calls.

Three conclusions:

- Most calls take less than 6 KiB, even the first time; a stack of 16 KiB has room for them.
- A recursion over its input has no bound: `std::regex` takes about 900 bytes for each character \
that it matches. Limit the input of such calls, or give them a separate pool whose stacks may \
grow; growth costs nothing until it happens.
- A signal takes its frame from the same stack; the inspector's recommendations list \
that reserve separately.
"""


def group_of(label):
    return next(name for name, starts in reversed(GROUPS) if label.startswith(starts))


def versions():
    """The measured packages, for the page's last line."""
    told = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\\n", *PACKAGES],
                          capture_output=True, text=True, check=False).stdout
    return ", ".join(line for line in told.splitlines() if " " in line)


def rows_of(recording):
    """(label, first, again) of each call, less the depth of a coroutine that does nothing."""
    depth = {site["where"]: site["max"] for site in recording["sites"] if site["uses"] > 0}
    nothing = depth.pop("(nothing)", None)
    if nothing is None:
        die("the recording is not of bast_costs: it has no site '(nothing)'")
    for label, most in depth.items():
        if label.endswith(AGAIN) or label == "(other)":
            continue
        again = depth.get(label + AGAIN)
        if again is None:
            die(f"'{label}' was not called again: did it fail?")
        yield label, most - nothing, again - nothing


def page_of(recording):
    parts = [TEXT]
    rows = list(rows_of(recording))
    for group, _ in GROUPS:
        members = sorted((r for r in rows if group_of(r[0]) == group), key=lambda r: r[2])
        parts.append(f"\n## {group}\n\n| call | first call, bytes | then, bytes |\n"
                     "|---|---:|---:|\n")
        for label, first, again in members:
            name = label.split(": ", 1)[-1] if label.startswith(f"{group}: ") else label
            name = name.replace("|", "\\|")
            parts.append(f"| {name} | {first:,} | {again:,} |\n")
    parts.append(f"\nMeasured on {platform.machine()}, Linux {platform.release().split('-')[0]}, "
                 f"{recording['compiler']}, optimised; {versions()}.\n")
    return "".join(parts)


@job(packages=("ci/packages", "ci/packages-costs"))
def cost_table():
    """measure the stack use of calls of well-known libraries and write
    docs/what-calls-cost.md; installs the libraries of ci/packages-costs"""
    note("release: configure and build, with the measured programs")
    presets.configure("release", "-DBAST_COSTS=ON")
    presets.make("release", "bast_costs", "bast_stacks")
    recording = pathlib.Path("build/release/costs.json")
    run("build/release/tools/bast-stacks", "run", "-o", recording, "--",
        "build/release/tools/costs/bast_costs")
    PAGE.write_text(page_of(json.loads(recording.read_text())))
    print(f"wrote {PAGE}")
