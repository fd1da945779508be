# SPDX-License-Identifier: Apache-2.0
"""The registry of bast, read from memory.

Independent of gdb: memory comes from a function read(address, size), which returns bytes or raises
Unreadable. The memory may be damaged or hostile: every number is checked before use, everything is
bounded, and errors are raised as RegistryError, in one line.
"""

import bast_abi as abi
from bast_abi import Layout, RegistryError, Unreadable, require, text_of
from bast_records import Pool, Site, Stack


class Registry:
    """The registry of the anchor at an address. `made` is false before the first pool."""

    def __init__(self, read, anchor):
        self.read = read
        magic, self.address, self.bytes = abi.ANCHOR.unpack(read(anchor, abi.ANCHOR.size))
        require(magic == abi.MAGIC,
                f"the anchor at {anchor:#x} is damaged: its magic is {magic:#x}")
        self.made = self.address != 0
        if self.made:
            try:
                self._read_header()
            except RegistryError as problem:
                raise RegistryError(f"the registry at {self.address:#x}: {problem}") from None

    def _read_header(self):
        words = abi.HEADER.unpack(self.read(self.address, abi.HEADER.size))
        magic, major, minor, _, machine, pointer_bytes, self.page_bytes, itself, size = words[:9]
        rest = words[14:]
        require(magic == abi.MAGIC, f"damaged: its magic is {magic:#x}")
        require(major == abi.VERSION_MAJOR,
                f"has version {major}.{minor}; this script reads version {abi.VERSION_MAJOR}")
        require(machine in abi.MACHINES and pointer_bytes == 8,
                f"for a machine {machine} that is unknown here")
        require(self.page_bytes in abi.PAGE_BYTES, f"damaged: pages of {self.page_bytes} bytes")
        require(itself == self.address, f"damaged: it says that it is at {itself:#x}")
        require(size == self.bytes and size <= abi.REGISTRY_BYTES_MAX,
                f"damaged: {size} bytes long")
        self.tables = {"pools": rest[0:5], "slabs": rest[5:10], "sites": rest[10:15]}
        for name, form in (("pools", abi.POOL), ("slabs", abi.SLAB), ("sites", abi.SITE)):
            self._check_table(name, form.size)
        self.coros, self.coro_bytes = rest[15:17]
        slots, blocks = rest[17:33], rest[33:49]
        self.slots = Layout.described("slot", abi.SLOT_FIELDS, slots)
        self.blocks = Layout.described("control block", abi.BLOCK_FIELDS, blocks)
        after = 1 + len(abi.BLOCK_FIELDS)
        self.head_every = blocks[after]
        self.links = Layout("control block", blocks[0], dict(zip(abi.LINK_FIELDS, (
            (at, 8) for at in blocks[after + 1:])))) if minor >= abi.LINKS_SINCE_MINOR else None

    def _check_table(self, name, least):
        offset, record, capacity, used, _ = self.tables[name]
        good = (least <= record <= abi.RECORD_BYTES_MAX and used <= capacity <= abi.RECORDS_MAX
                and offset >= abi.HEADER.size and offset + record * capacity <= self.bytes)
        require(good, f"damaged: the table of {name} has {used} of {capacity} records of {record} "
                      f"bytes at {offset}, in {self.bytes} bytes")

    def _records(self, name, form):
        """(index, fields) of the used records of a table."""
        offset, record, _, used, _ = self.tables[name]
        step = max(1, abi.READ_BYTES // record)
        for first in range(0, used, step):
            count = min(step, used - first)
            data = self.read(self.address + offset + first * record, count * record)
            for i in range(count):
                yield first + i, form.unpack_from(data, i * record)

    def _pieces(self, address, size, record):
        """(bytes, address) of whole records, piece by piece."""
        require(size >= 0 and address + size <= abi.ADDRESS_END,
                f"damaged: {size} bytes of records at {address:#x}")
        step = max(1, abi.READ_BYTES // record) * record
        for at in range(0, size, step):
            piece = self.read(address + at, min(step, size - at))
            yield piece, address + at

    # --- pools and stacks -------------------------------------------------------------------------

    def pools(self):
        """By index in the table; without the data of their slots."""
        found = {}
        for index, fields in self._records("pools", abi.POOL):
            if fields[0] == abi.ENTRY_OPEN:
                found[index] = Pool(fields[2], text_of(fields[11]), fields[3])
        return found

    def _slot_pieces(self, pools):
        """(slab's fields, index of the first slot, records, their address), piece by piece."""
        total = 0
        slabs = [fields for _, fields in self._records("slabs", abi.SLAB)
                 if fields[0] == abi.ENTRY_OPEN]
        if slabs:
            self.slots.check()
        for slab in sorted(slabs, key=lambda fields: fields[4]):
            _, pool, opened, _, base, stride, guard, records = slab
            total += opened
            good = (pool in pools and stride % self.page_bytes == 0 and guard < stride
                    and base + opened * stride <= abi.ADDRESS_END and total <= abi.SLOTS_MAX)
            require(good, f"damaged: {opened} stacks of {stride} bytes at {base:#x} in pool {pool}")
            size = self.slots.record_bytes
            for piece, address in self._pieces(records, opened * size, size):
                yield slab, (address - records) // size, piece, address

    def usage(self):
        """The pools, by index, with the counts of their stacks."""
        pools = self.pools()
        for slab, first, piece, _ in self._slot_pieces(pools):
            _, pool, _, _, base, stride, _, _ = slab
            states = self.slots.column(piece, "state")
            frontiers = self.slots.column(piece, "frontier")
            require(max(frontiers, default=0) * self.page_bytes <= stride,
                    f"damaged: a slot of the slab at {base:#x}")
            for i, (state, frontier) in enumerate(zip(states, frontiers), first):
                if state != abi.SLOT_UNOPENED:
                    closed = frontier * self.page_bytes
                    pools[pool].add_open(base + i * stride + closed, stride - closed)
            pools[pool].live += states.count(abi.SLOT_LIVE)
        return pools

    def stacks(self):
        """Every stack in use, by pool and address."""
        pools, names = self.pools(), self._site_names()
        found = {}
        for slab, first, piece, address in self._slot_pieces(pools):
            states = self.slots.column(piece, "state")
            for i in (i for i, state in enumerate(states) if state == abi.SLOT_LIVE):
                at = i * self.slots.record_bytes
                stack = self._stack(slab, first + i, piece[at:at + self.slots.record_bytes],
                                    pools, names)
                stack.slot = address + at
                found[stack.slot] = stack
            require(len(found) <= abi.LIVE_MAX, f"damaged: more than {abi.LIVE_MAX} stacks in use")
        self._add_coroutines(found)
        return sorted(found.values(), key=lambda stack: (stack.pool.id, stack.low))

    def _stack(self, slab, index, record, pools, names):
        _, pool, _, _, base, stride, guard, _ = slab
        low, high = base + index * stride, base + (index + 1) * stride
        name, top, site, frontier = (self.slots.column(record, field)[0]
                                     for field in ("name", "top", "site", "frontier"))
        open_low = low + frontier * self.page_bytes
        site_name = names.get((pool, site), "")
        # A stack that is damaged, or is being created, does not hide the others.
        if not low + guard < top <= high or open_low > high:
            return Stack(0, pools[pool], site_name, "", low, low + guard, high, high, "damaged")
        return Stack(0, pools[pool], site_name, self._name(name), low, low + guard, open_low, top)

    def _name(self, address):
        """A string of the program; cut at unreadable memory and at NAME_BYTES."""
        if address == 0:
            return ""
        in_page = self.page_bytes - address % self.page_bytes
        for size in (abi.NAME_BYTES, min(abi.NAME_BYTES, in_page)):
            try:
                return text_of(self.read(address, size))
            except Unreadable:
                pass
        return "?"

    def _add_coroutines(self, stacks):
        """Adds the data of the control blocks to stacks, which are by address of their slot."""
        if not stacks or self.coros == 0:
            return
        blocks, size = self.blocks, self.blocks.record_bytes
        blocks.check()
        if self.links is not None:
            self.links.check()
        require(self.coro_bytes % size == 0 and self.coro_bytes <= abi.CORO_BYTES_MAX and
                self.head_every > 0, f"damaged: {self.coro_bytes} bytes of control blocks")
        for piece, address in self._pieces(self.coros, self.coro_bytes, size):
            first = (address - self.coros) // size
            for i, slot in enumerate(blocks.column(piece, "stack")):
                stack = stacks.get(slot)
                is_head = (first + i) % self.head_every == 0
                if stack is None or is_head or stack.state == "damaged":
                    continue
                record = piece[i * size:(i + 1) * size]
                tag, sp, pc, fp = (blocks.column(record, field)[0]
                                   for field in ("tag", "sp", "pc", "fp"))
                state = abi.CORO_STATES.get(tag & 0xFF)
                if state is not None:
                    is_parked = state == "suspended" and tag & abi.CORO_PARKED
                    stack.state = "parked" if is_parked else state
                    stack.sp, stack.pc, stack.fp = (sp, pc, fp) if stack.saved else (0, 0, 0)
                    if state == "running" and self.links is not None:
                        stack.links = tuple(self.links.column(record, field)[0]
                                            for field in abi.LINK_FIELDS)

    # --- sites ------------------------------------------------------------------------------------

    def _site_entries(self):
        for _, fields in self._records("sites", abi.SITE):
            if fields[1] in (abi.ENTRY_OPEN, abi.ENTRY_CLOSED):
                yield fields

    def _site_name(self, fields):
        kind, line, column, length = fields[2], fields[5], fields[6], fields[7]
        where = text_of(fields[15])
        if kind == abi.SITE_OTHER:
            return where or "(other)"
        cut = "..." if length > len(fields[15]) - 1 else ""
        return f"{cut}{where}:{line}:{column}" if kind == abi.SITE_SOURCE else cut + where

    def _site_names(self):
        """By index of the pool, and index in the pool."""
        return {(fields[3], fields[4]): self._site_name(fields)
                for fields in self._site_entries() if fields[3] != abi.NO_INDEX}

    def sites(self):
        """Every spawn site, over all pools, most uses first."""
        found, by_slot = {}, {}
        for fields in self._site_entries():
            name = self._site_name(fields)
            site = found.setdefault((fields[2], name), Site(name))
            site.is_written |= fields[0] % 2 != 0
            site.uses += fields[10]
            site.samples += fields[11]
            site.growths += fields[12]
            site.max = max(site.max, fields[13])
            site.histogram = [a + b for a, b in zip(site.histogram, fields[16:])]
            if fields[3] != abi.NO_INDEX:
                by_slot[fields[3], fields[4]] = site
        for slab, _, piece, _ in self._slot_pieces(self.pools()):
            columns = (self.slots.column(piece, name)
                       for name in ("state", "site", "period", "countdown", "grows"))
            for state, index, period, countdown, grows in zip(*columns):
                site = by_slot.get((slab[1], index))
                if site is not None and state != abi.SLOT_UNOPENED:
                    site.uses += max(0, period - countdown)  # Not measured yet.
                    site.growths += grows
                    site.live += state == abi.SLOT_LIVE
        return sorted((site for site in found.values() if site.uses or site.live),
                      key=lambda site: (-site.uses, site.name))
