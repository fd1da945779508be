# SPDX-License-Identifier: Apache-2.0
"""The list of jobs, the check of their arguments, and the packages that they need.

    @job("[--seconds N] [TARGET...]", takes=f"( --seconds{NUMBER}| NAME)*", names=targets)
    def fuzz(*words):
        \"\"\"run the fuzzers\"\"\"

defines `ci/run fuzz`; the docstring is its text in the list. A job returns its exit status, None if
all is well.
"""

import collections
import inspect
import os
import pathlib
import re
import shutil
import subprocess

from .shell import die, note, run

NUMBER = " [0-9]+"
REAL = " [0-9]+([.][0-9]+)?"
COLUMN = 21
Job = collections.namedtuple("Job", "usage takes names check packages run")
JOBS = {}


def job(arguments="", takes="", names=(), check=lambda *words: None, packages=("ci/packages",)):
    """takes: a regular expression for the arguments, each preceded by a blank, where NAME is one of
    the names. check: raises an error for what that cannot express. Both are applied before anything
    is installed or built, so that a mistake is reported at once; checks that other programs of ours
    make at their start are left to them."""
    def register(function):
        name = function.__name__.strip("_").replace("_", "-")
        head = f"  {name} {arguments}".rstrip().ljust(COLUMN)
        text = "\n".join(" " * COLUMN + line for line in inspect.getdoc(function).split("\n"))
        usage = head + text[COLUMN:] if len(head) == COLUMN else f"{head}\n{text}"
        JOBS[name] = Job(usage, takes, names, check, packages, function)
        return function
    return register


@job(packages=())
def help_():
    """this list"""
    print("ci/run JOB [ARGS]; ci/run JOB --help shows its arguments")
    for row in JOBS.values():
        print(row.usage)


def install(listed):
    """Installs the missing packages of a list, and prints nothing if there are none."""
    if not shutil.which("dpkg-query"):
        note(f"not Debian: install the packages of {listed}")
        return
    lines = pathlib.Path(listed).read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    # dpkg-query fails for unknown names; the comparison below decides.
    known = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package}\\n", *wanted],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    installed = {row.split()[-1] for row in known.splitlines() if row.startswith("ii ")}
    missing = sorted(set(wanted) - installed)
    if not missing:
        return
    if os.geteuid() != 0:
        die(f"run this as root once: apt-get install {' '.join(missing)}")
    note(f"installing {' '.join(missing)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


@job(packages=())
def setup():
    """install the Debian packages of ci/packages that are missing"""
    install("ci/packages")


def choose(words):
    """The job and its arguments, or an error with status 2."""
    name, *arguments = words or ["help"]
    if name in ("", "-h", "--help"):
        name = "help"
    if name not in JOBS:
        die(f"unknown job '{name}'; ci/run help lists them", 2)
    row = JOBS[name]
    if "--help" in arguments or "-h" in arguments:
        return row._replace(packages=(), run=lambda *words: print(row.usage)), arguments
    # A blank inside an argument does not separate two.
    given = "".join(" " + word.replace(" ", "\t") for word in arguments)
    takes = row.takes.replace("NAME", f"({'|'.join(row.names)})")
    if not re.fullmatch(takes, given, re.DOTALL):
        names = f"\nnames: {' '.join(row.names)}" if row.names else ""
        die(f"{name} does not take {' '.join(arguments) or 'nothing'}\n{row.usage}{names}", 2)
    row.check(*arguments)
    return row, arguments
