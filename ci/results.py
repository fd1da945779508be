# SPDX-License-Identifier: Apache-2.0
"""Counts the results of a ctest run, and checks its skips against the list in ci/skips.toml.

A test that skips for a reason that the list does not allow in this preset, on this machine, counts
as failed.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as xml

from .shell import ROOT


class Results:
    def __init__(self):
        self.passed, self.failed, self.skipped = [], [], []  # skipped: (name, reason)

    def add_program(self, tree):
        """One GoogleTest program. A test may report several failures."""
        for case in tree.iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            skip = case.find("skipped")
            if case.find("failure") is not None:
                self.failed.append(name)
            elif skip is not None:
                message = skip.get("message") or ""
                self.skipped.append((name, message.split("\n", 1)[-1].strip()))
            elif case.get("status") == "run":
                self.passed.append(name)

    def add_test(self, case):
        """One test of ctest that is not a GoogleTest program, or one test of such a program."""
        name, status = case.get("name"), case.get("status")
        if status == "run":
            self.passed.append(name)
        elif status == "notrun" and case.find("skipped") is not None:
            output = (case.findtext("system-out") or "").strip()
            # GoogleTest and bast_stress print the reason; other programs print it last.
            found = (re.search(r"_test\.[ch]pp:\d+: Skipped\n(.*)", output)
                     or re.search(r"\.hpp:\d+: Skipped\n(.*)", output)
                     or re.search(r" skipped: (.*)", output))
            reason = found[1] if found else (output.split("\n") or [""])[-1]
            self.skipped.append((name, reason.strip()))
        else:
            self.failed.append(name)


def read(build, junit):
    """junit is written by ctest; build/results/*.xml by the GoogleTest programs that it ran as one
    test each."""
    results = Results()
    programs = {path.stem: path for path in (build / "results").glob("*.xml")}
    for case in xml.parse(junit).iter("testcase"):
        path = programs.get(case.get("name"))
        if path is None:
            results.add_test(case)
            continue
        before = len(results.failed)
        results.add_program(xml.parse(path))
        # A program that fails without naming a test, for example after the last one.
        if case.get("status") == "fail" and len(results.failed) == before:
            results.failed.append(case.get("name"))
    return results


def machine_lacks(probe):
    """Whether this machine lacks the property of a [machine] reason, by its shell command."""
    return subprocess.run(["bash", "-c", probe], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def unexpected(skipped, preset, table):
    """The skips that no row of the list allows."""
    found, lacks = [], {}
    for name, reason in skipped:
        allowed = False
        for pattern, presets in table["build"].items():
            allowed = allowed or bool(re.fullmatch(pattern, reason)) and (
                preset in presets or presets == ["any"])
        for pattern, probe in table["machine"].items():
            if not allowed and re.fullmatch(pattern, reason):
                if probe not in lacks:
                    lacks[probe] = machine_lacks(probe)
                allowed = lacks[probe]
        if not allowed:
            found.append((name, reason))
    return found


def count(build, junit):
    """How many passed, failed and were skipped, in a build directory named like its preset."""
    results = read(build, junit)
    wrong = unexpected(results.skipped, build.name,
                       tomllib.loads((ROOT / "ci/skips.toml").read_text()))
    for name, reason in wrong:
        print(f"{name}: skipped, which ci/skips.toml does not allow in {build.name}: {reason}",
              file=sys.stderr)
    return (len(results.passed), len(results.failed) + len(wrong),
            len(results.skipped) - len(wrong))


def self_test():
    with tempfile.TemporaryDirectory() as directory:
        build = pathlib.Path(directory)
        (build / "results").mkdir()
        (build / "results/p.xml").write_text(
            '<testsuites><testsuite name="S"><testcase name="A" classname="S" status="run"/>'
            '<testcase name="B" classname="S" status="run"><failure/><failure/></testcase>'
            '<testcase name="C" classname="S" status="run"><skipped message="f.cpp:1&#10;why"/>'
            '</testcase><testcase name="D" classname="S" status="notrun"/>'
            '</testsuite></testsuites>')
        (build / "junit.xml").write_text(
            '<testsuite><testcase name="p" status="fail"/><testcase name="q" status="fail"/>'
            '<testcase name="r" status="run"/><testcase name="s" status="notrun">'
            '<skipped/><system-out>x\nfork skipped: no fibers\n</system-out></testcase>'
            '<testcase name="t" status="notrun"/></testsuite>')
        results = read(build, build / "junit.xml")
        got = (results.passed, results.failed, results.skipped)
        expected = (["S.A", "r"], ["S.B", "q", "t"], [("S.C", "why"), ("s", "no fibers")])
        assert got == expected, got
        table = {"build": {"wh.": ["dev"]}, "machine": {"no fibers": "true", "no x": "false"}}
        assert unexpected(results.skipped, "dev", table) == []
        assert unexpected(results.skipped, "asan", table) == [("S.C", "why")]
        others = [("u", "no x"), ("v", "wh")]
        assert unexpected(others, "dev", table) == others
    print("results: self-test passed")
