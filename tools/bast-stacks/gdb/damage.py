# SPDX-License-Identifier: Apache-2.0
"""Run by gdb in bast_test.py: damages one stack's record, then one word of the registry's header at
a time, prints the error of `bast list`, and restores the word."""

import gdb

import bast_frames

# What, offset in the header, bytes, value: lib/bast/watch/abi.hpp.
DAMAGE = (
    ("magic", 0, 8, 0),
    ("version", 8, 2, 9),
    ("machine", 16, 2, 40),
    ("self", 24, 8, 1),
    ("bytes", 32, 8, 1 << 40),
    ("slabs used", 72 + 24 + 16, 4, 0xFFFFFFFF),
    ("coros", 144, 8, 0x10),
    ("slot top", 160 + 4, 2, 0xFFFF),
    ("block sp", 192 + 2, 2, 3),
)

inferior = gdb.selected_inferior()
(registry,) = bast_frames.registries()
top = registry.stacks()[0].slot + registry.slots.fields["top"][0]
was = inferior.read_memory(top, 8).tobytes()
inferior.write_memory(top, bytes(8))
gdb.execute("bast list")
inferior.write_memory(top, was)
for what, offset, size, value in DAMAGE:
    was = inferior.read_memory(registry.address + offset, size).tobytes()
    inferior.write_memory(registry.address + offset, value.to_bytes(size, "little"))
    try:
        gdb.execute("bast list", to_string=True)
        print(f"{what}: not noticed")
    except gdb.error as problem:
        print(f"{what}: {problem}")
    inferior.write_memory(registry.address + offset, was)
print(f"restored: {len(registry.stacks())}")
