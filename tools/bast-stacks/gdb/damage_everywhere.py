# SPDX-License-Identifier: Apache-2.0
"""Run by gdb in bast_test.py: reads the registry through memory with replaced bytes, and requests
the frames of contexts that were never saved, without writing to the program. Whatever the bytes
are, a reading ends with a result or with a RegistryError."""

import dataclasses
import random

import gdb

import bast_abi
import bast_commands
import bast_frames
import bast_registry

SEED = 20261121
ROUNDS = 1500
WORDS = (0, 1, 7, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


class LyingMemory:
    """The program's memory, with bytes replaced."""

    def __init__(self, lies):
        self.lies = lies  # address: byte

    def __call__(self, address, size):
        data = bytearray(bast_frames.read(address, size))
        for at, byte in self.lies.items():
            if address <= at < address + size:
                data[at - address] = byte
        return bytes(data)


def look(anchor, lies):
    """True if the reading is refused."""
    try:
        registry = bast_registry.Registry(LyingMemory(lies), anchor)
        if registry.made:
            for stack in registry.stacks():
                assert stack.guard <= stack.low < stack.top < bast_abi.ADDRESS_END, stack
            registry.usage()
            for site in registry.sites():
                site.quantile(99)
    except bast_abi.RegistryError as problem:
        assert "\n" not in str(problem), problem
        return True
    return False


def word_at(address, value):
    return {address + i: byte for i, byte in enumerate(value.to_bytes(8, "little"))}


def places(registry):
    """(address, bytes) of the memory that a reading follows."""
    yield registry.address, bast_abi.HEADER.size
    for name, size in (("pools", 256), ("slabs", 64), ("sites", 2480)):
        yield registry.address + registry.tables[name][0], size
    slabs = list(registry._records("slabs", bast_abi.SLAB))
    yield slabs[0][1][7], registry.slots.record_bytes * 8
    yield registry.coros, registry.blocks.record_bytes * 8


(registry,) = bast_frames.registries()
anchor = next(a for address, size in bast_frames.note_memory()
              for a in bast_abi.anchors_in_notes(bast_frames.read(address, size), address))
assert not look(anchor, {})
readings = refused = 0
for offset in range(0, bast_abi.HEADER.size, 8):
    for value in WORDS:
        refused += look(anchor, word_at(registry.address + offset, value))
        readings += 1
source = random.Random(SEED)
where = list(places(registry))
for number in range(ROUNDS):
    lies = {}
    for _ in range(source.randint(1, 4)):
        address, size = source.choice(where)
        if source.random() < 0.5:
            lies[address + source.randrange(size)] = source.randrange(256)
        else:
            lies |= word_at(address + source.randrange(size // 8) * 8, source.choice(WORDS))
    try:
        refused += look(anchor, lies)
    except Exception:
        print(f"seed {SEED}, round {number}: {lies}")
        raise
    readings += 1
for number in range(ROUNDS):
    notes = bytearray(source.randbytes(64))
    notes[source.randrange(48):][:5] = bast_abi.NOTE_OWNER
    list(bast_abi.anchors_in_notes(bytes(notes), source.choice(WORDS)))
frame = gdb.newest_frame()
words = [*WORDS, frame.pc(), *(bast_frames.unsigned(frame.read_register(r)) for r in ("sp", "pc"))]
for number in range(ROUNDS // 10):
    stack = source.choice([stack for stack in registry.stacks() if stack.saved])
    field = source.choice(("sp", "pc", "fp"))
    near = getattr(stack, field) + source.randrange(-256, 256)
    wrong = dataclasses.replace(stack, **{field: source.choice([near, *words])})
    try:
        bast_commands.print_frames(wrong)
    except (bast_abi.RegistryError, gdb.error) as problem:
        assert "Python" not in str(problem), problem
assert gdb.newest_frame() == frame
print(f"{readings} damaged readings, {refused} refused")
