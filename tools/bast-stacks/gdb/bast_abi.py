# SPDX-License-Identifier: Apache-2.0
"""The registry's records, byte by byte: lib/bast/watch/abi.hpp in Python."""

import dataclasses
import struct

MAGIC = 0x4843545754534142
VERSION_MAJOR = 1
ADDRESS_END = 1 << 64
NO_INDEX = 0xFFFFFFFF

# Limits of a process, or a little above; beyond them the registry is damaged.
REGISTRY_BYTES_MAX = 1 << 32
RECORDS_MAX = 1 << 16
RECORD_BYTES_MAX = 1 << 20
SLOTS_MAX = 1 << 24
LIVE_MAX = 1 << 20
SPANS_MAX = 1 << 16  # kept per pool
CORO_BYTES_MAX = 1 << 33
NAME_BYTES = 64
READ_BYTES = 1 << 20

NOTE = struct.Struct("<III")
NOTE_OWNER = b"bast\0"
NOTE_TYPE = 1
ANCHOR = struct.Struct("<QQQ")
HEADER = struct.Struct("<QHHIHHIQQQQQII" + "QIIII" * 3 + "QQ16H16HII48s80s152x")
POOL = struct.Struct("<IIQQQQQQBBB45x152s")
SLAB = struct.Struct("<IIIIQQQQ16x")
SITE = struct.Struct("<8I7Q88x256s512I")
assert (HEADER.size, POOL.size, SLAB.size, SITE.size) == (512, 256, 64, 2480)

MACHINES = (62, 183)  # of ELF: x86-64, aarch64
PAGE_BYTES = (4096, 16384, 65536)
ENTRY_OPEN, ENTRY_CLOSED = 1, 2
SLOT_UNOPENED, SLOT_LIVE = 0, 2
SITE_OTHER, SITE_SOURCE = 0, 1
CORO_STATES = {2: "running", 3: "suspended", 4: "finished"}
CORO_PARKED = 1 << 13
# The library's own records: the fields in the order of slot_layout and coro_layout, with bytes.
SLOT_FIELDS = {"name": 8, "top": 8, "site": 2, "countdown": 2, "period": 2, "grows": 2,
               "frontier": 2, "state": 1}
BLOCK_FIELDS = {"sp": 8, "pc": 8, "fp": 8, "tag": 8, "stack": 8}
LINK_FIELDS = ("newest", "outer")  # after head_every
LINKS_SINCE_MINOR = 1
SAVED = struct.Struct("<QQQ")  # the target of a link: sp, pc, fp
LINEAR_BUCKETS, BUCKETS_PER_OCTAVE, BUCKETS = 64, 32, 512


class RegistryError(Exception):
    """The registry cannot be read; the text is the reason and the place."""


class Unreadable(RegistryError):
    """Absent memory."""

    def __init__(self, address, size):
        super().__init__(f"cannot read {size} bytes at {address:#x}")


def require(condition, message):
    if not condition:
        raise RegistryError(message)


def text_of(data):
    """The text before the first zero, safe to print."""
    text = data.split(b"\0", 1)[0].decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def anchors_in_notes(data, address):
    """The addresses of the anchors in the ELF notes of data, which are at address."""
    at = 0
    while at + NOTE.size <= len(data):
        owner_bytes, description_bytes, kind = NOTE.unpack_from(data, at)
        owner = at + NOTE.size
        description = owner + (owner_bytes + 3) // 4 * 4
        at = description + (description_bytes + 3) // 4 * 4
        if at > len(data):
            return
        if kind == NOTE_TYPE and data[owner:owner + owner_bytes] == NOTE_OWNER:
            if description_bytes >= 8:
                distance = struct.unpack_from("<q", data, description)[0]
                yield (address + description + distance) % ADDRESS_END


def bucket_high(bucket):
    """The largest depth of a bucket."""
    if bucket < LINEAR_BUCKETS:
        return bucket * 64 + 63
    octave, part = divmod(bucket - LINEAR_BUCKETS, BUCKETS_PER_OCTAVE)
    return (1 << (octave + 12)) + ((part + 1) << (octave + 7)) - 1


@dataclasses.dataclass
class Layout:
    """The layout of a library record: checked offsets in bytes."""
    what: str
    record_bytes: int
    fields: dict  # name: (offset, size)

    @classmethod
    def described(cls, what, fields, words):
        """From the words of the header: the record's size, and the offset of each field."""
        return cls(what, words[0],
                   {name: (at, width) for (name, width), at in zip(fields.items(), words[1:])})

    def check(self):
        size = self.record_bytes
        require(0 < size <= 4096 and size % 8 == 0, f"a {self.what} of {size} bytes")
        for name, (offset, width) in self.fields.items():
            require(offset % width == 0 and offset + width <= size,
                    f"a {self.what} of {size} bytes has its {name} at {offset}")

    def column(self, records, name):
        """The field of every record in a bytes-like object."""
        offset, width = self.fields[name]
        words = memoryview(records).cast({1: "B", 2: "H", 8: "Q"}[width])
        return words[offset // width::self.record_bytes // width].tolist()
