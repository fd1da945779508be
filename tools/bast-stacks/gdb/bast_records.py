# SPDX-License-Identifier: Apache-2.0
"""The contents of the registry: pools, spawn sites, and stacks in use."""

import bisect
import dataclasses

import bast_abi as abi
from bast_abi import bucket_high


@dataclasses.dataclass(slots=True)
class Pool:
    id: int
    where: str
    limit: int  # bytes, like all sizes
    opened: int = 0  # stacks
    live: int = 0  # stacks in use
    open_bytes: int = 0
    # (address, bytes) of the open parts, SPANS_MAX at most.
    spans: list = dataclasses.field(default_factory=list)

    def add_open(self, address, size):
        self.opened += 1
        self.open_bytes += size
        if len(self.spans) < abi.SPANS_MAX:
            self.spans.append((address, size))


@dataclasses.dataclass
class Site:
    name: str
    uses: int = 0
    samples: int = 0
    growths: int = 0
    max: int = 0
    live: int = 0
    is_written: bool = False  # the program was stopped while it wrote the numbers
    histogram: list = dataclasses.field(default_factory=lambda: [0] * abi.BUCKETS)

    def quantile(self, per_cent):
        """The upper bound of the bucket that holds the quantile, or None without samples."""
        total = sum(self.histogram)
        rank, seen = -(-total * per_cent // 100), 0
        for bucket, count in enumerate(self.histogram):
            seen += count
            if count and seen >= rank:
                return min(bucket_high(bucket), self.max)
        return None


@dataclasses.dataclass(slots=True)
class Stack:
    slot: int  # address of its record
    pool: Pool
    site: str
    name: str
    guard: int     # start of its guard; addresses, like those below
    low: int       # lowest address that can be opened
    open_low: int  # lowest open address
    top: int       # its start
    # Without a coroutine; else a name of CORO_STATES, or parked; or damaged.
    state: str = "in use"
    sp: int = 0  # these are only known while saved
    pc: int = 0
    fp: int = 0
    # While it is running and has resumed another: addresses that may hold its saved words.
    links: tuple = ()

    @property
    def saved(self):
        """True if the place where it continues is known."""
        return self.state in ("suspended", "parked", "resuming")

    @property
    def intact(self):
        """False if its saved words are impossible."""
        return not self.saved or self.low <= self.sp < self.top


def stack_at(stacks, guards, address):
    """The stack whose slot contains an address, its guard included, or None. `stacks` are by
    address, and `guards` are the starts of theirs."""
    at = bisect.bisect_right(guards, address) - 1
    return stacks[at] if at >= 0 and address <= stacks[at].top else None
