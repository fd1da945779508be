# SPDX-License-Identifier: Apache-2.0
"""The corpora of the fuzzers, one archive for each target: fuzz/corpus/TARGET.tar.

Equal inputs give an equal archive, byte for byte. The manifest TARGET.txt has a line for each
input: its name, its bytes, and how many features it covers that no input before it does.
"""

import pathlib
import re
import shutil
import tarfile

from . import presets
from .fuzz import CORPUS, RUN, SEEDS, emptied, fuzzer, max_len, unpack
from .job import job
from .presets import FUZZ_TARGETS, LIBRARY_TARGETS
from .shell import die, note


def new_features(control):
    """The number of new features of each input, in the order of libFuzzer's control file."""
    lines = control.read_text().split("\n")
    names = [pathlib.Path(line).name for line in lines[2:2 + int(lines[0])]]
    seen, added = set(), dict.fromkeys(names, 0)
    for line in lines:
        match = re.fullmatch(r"FT (\d+)((?: \d+)*)", line)
        if match:
            features = set(match[2].split())
            added[names[int(match[1])]] = len(features - seen)
            seen |= features
    return added


def pack(target, directory, control):
    added = new_features(control)
    rows = []
    with tarfile.open(CORPUS / f"{target}.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(directory.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
            rows.append(f"{path.name} {entry.size} {added.get(path.name, '-')}\n")
    (CORPUS / f"{target}.txt").write_text("".join(rows))
    return len(rows)


def merge(target, into, *directories):
    """Copies the inputs with new coverage."""
    log = RUN / target / "merge.log"
    if fuzzer(target, log, "-set_cover_merge=1", max_len(target), into, *directories):
        die(f"the inputs of {target} cannot be merged; see {log}")


def merge_files(target, new, directories):
    """Those with coverage that no seed has. Small ones, and of many some of each size: at most 150,
    of at most 4 KiB each and 40 KiB together."""
    small, covered = (emptied(RUN / target / name) for name in ("small", "covered"))
    for directory in directories:
        for path in directory.iterdir():
            if path.stat().st_size <= 4096:
                shutil.copy(path, small)
    seeds = [shutil.copy(path, covered) for path in (SEEDS / target).iterdir()]
    merge(target, covered, small)
    for path in seeds:
        pathlib.Path(path).unlink()
    found, total = sorted((path.stat().st_size, path) for path in covered.iterdir()), 0
    for size, path in found[::(len(found) + 149) // 150 or 1]:
        total += size
        if total > 40960:
            break
        shutil.copy(path, new)


@job()
def corpus():
    """merge the fuzzers' inputs with new coverage into fuzz/corpus"""
    presets.build("fuzz", *(f"bast_fuzz_{target}" for target in FUZZ_TARGETS))
    for target in FUZZ_TARGETS:
        home = RUN / target
        old, found, new = unpack(target), home / "corpus", emptied(home / "merged")
        found.mkdir(exist_ok=True)
        if target in LIBRARY_TARGETS:
            merge(target, new, old, found)
        else:
            merge_files(target, new, (old, found))
        # Into an empty directory: the control file has the features of each input.
        control = home / "merged.control"
        control.unlink(missing_ok=True)
        fuzzer(target, home / "merged.log", "-merge=1", f"-merge_control_file={control}",
               emptied(home / "merged.again"), new)
        note(f"corpus {target}: {pack(target, new, control)} inputs")
