# SPDX-License-Identifier: Apache-2.0
"""The output of `bast list`, `bast usage` and `bast sites`."""

import array
import contextlib
import os
import re

import gdb

import bast_frames
from bast_abi import SPANS_MAX, RegistryError

# The last two: gdb cannot demangle a name with a constraint in it.
OF_THE_LIBRARY = ("bast::", "bast_arch_", "_ZN4bast", "_ZNK4bast")
# In a library built with line tables only, inlined functions have no namespace.
FILES_OF_THE_LIBRARY = re.compile(
    r"(^|/)bast/(base|os|arch|watch|stack|coro|cancel|process)/([^/]+/)?[^/]+$")
SEARCH_FRAMES = 16  # searched by `list` for one outside of the library
PLACES_MAX = 10_000  # stacks for which `list` searches
PAGES_MAX = 1 << 22  # queried by `usage` from the kernel: 16 GiB


def size_text(count):
    """A readable number of bytes."""
    if count < 1024:
        return f"{count} B"
    if count < 1 << 20:
        return f"{count / 1024:.1f} KiB"
    return f"{count / (1 << 20):.1f} MiB" if count < 1 << 30 else f"{count / (1 << 30):.1f} GiB"


def print_table(header, rows):
    """Aligns columns whose title begins with `>` right; leaves out empty columns."""
    columns = [column for column in zip(header, *rows) if any(column[1:])]
    padded = []
    for title, *cells in columns:
        texts = [title.lstrip(">"), *cells]
        width = max(map(len, texts))
        is_right = title.startswith(">")
        padded.append([text.rjust(width) if is_right else text.ljust(width) for text in texts])
    for row in zip(*padded):
        gdb.write("  ".join(row).rstrip() + "\n")


def short(where):
    """A place in the source without its folders; a label unchanged."""
    path, colon, rest = where.partition(":")
    return os.path.basename(path) + colon + rest if colon else where


def all_stacks():
    """Every stack in use, in the order of the commands' numbers from 1, and the threads on them."""
    stacks = [stack for registry in bast_frames.registries() for stack in registry.stacks()]
    return stacks, bast_frames.locate(stacks)


def title(stack):
    return f'"{stack.name}"' if stack.name else short(stack.site)


# --- where a stack is -----------------------------------------------------------------------------


def symbol_at(pc):
    """The function that holds an address, also without debug information."""
    text = gdb.execute(f"info symbol {pc:#x}", to_string=True).strip()
    return re.sub(r"( \+ \d+)? in section .*", "", text) if " in section " in text else f"{pc:#x}"


def place(stack):
    """The newest function of a saved stack outside of the library, and its line."""
    if not stack.intact:
        return f"damaged: sp {stack.sp:#x} is not on it"
    with contextlib.suppress(gdb.error, RegistryError), bast_frames.frames_of(stack) as frame:
        for _ in range(SEARCH_FRAMES):
            if frame is None:
                break
            name, line = frame.name() or "", frame.find_sal()
            file = line.symtab.filename if line.symtab is not None else ""
            is_ours = name.startswith(OF_THE_LIBRARY) or FILES_OF_THE_LIBRARY.search(file)
            if name and not is_ours:
                return name + (f" ({os.path.basename(file)}:{line.line})" if file else "")
            frame = frame.older()
    return symbol_at(stack.pc)


def depth_text(stack, thread):
    """From the top to the stack pointer, if that is known."""
    if thread is not None:
        return size_text(stack.top - thread.sp)
    return size_text(stack.top - stack.sp) if stack.saved and stack.intact else ""


def signal_text(number, stack, thread):
    """The meaning of a signal for a stack; begins with * for a crash."""
    what = f"{thread.signal} stopped thread {thread.number} on stack {number}"
    if thread.grows(stack):
        return f"{what}, which grows by it: `handle SIGSEGV nostop noprint`."
    if stack.guard <= min(thread.sp, thread.fault) < stack.low:
        return f"* {what}: it overflowed."
    return f"* {what}."


def list_stacks():
    stacks, threads = all_stacks()
    rows, ends = [], []
    for number, stack in enumerate(stacks, 1):
        thread, where, mark = threads.get(stack.slot), "", ""
        if thread is not None:
            where = f"thread {thread.number}"
            if thread.signal:
                ends.append(signal_text(number, stack, thread))
                mark = "*" if ends[-1].startswith("*") else ""
        elif stack.saved:
            where = place(stack) if number <= PLACES_MAX else symbol_at(stack.pc)
        rows.append([mark, str(number), stack.name, short(stack.site), stack.state,
                     depth_text(stack, thread), size_text(stack.pool.limit), where])
    if not rows:
        gdb.write("No stack is in use.\n")
        return
    print_table(["", ">#", "name", "site", "state", ">depth", ">limit", "at"], rows)
    if len(rows) > PLACES_MAX:
        ends.append(f"From {PLACES_MAX + 1} on `at` is the function that suspends, not its caller.")
    for line in ends:
        gdb.write(line + "\n")


# --- memory ---------------------------------------------------------------------------------------


class Residency:
    """Counts pages in memory, if this machine's kernel runs the process."""

    def __init__(self, page_bytes):
        self.page_bytes, self.left = page_bytes, PAGES_MAX
        inferior = gdb.selected_inferior()
        connection = getattr(inferior, "connection", None)
        native = connection is not None and connection.type == "native"
        self.path = f"/proc/{inferior.pid}/pagemap" if native else None

    def bytes_in(self, spans):
        """Of spans of memory, (address, bytes); None if not known."""
        total = 0
        if self.path is None or len(spans) >= SPANS_MAX:  # There may be more.
            return None
        for address, size in spans:
            first = address // self.page_bytes
            pages = -(-(address + size) // self.page_bytes) - first
            self.left -= pages
            if self.left < 0:
                return None
            try:
                with open(self.path, "rb", buffering=0) as pagemap:
                    words = array.array("Q", os.pread(pagemap.fileno(), pages * 8, first * 8))
            except (OSError, ValueError, OverflowError):
                return None
            total += sum(1 for word in words if word >> 62)  # In memory, or swapped out.
        return total * self.page_bytes

    def text(self, spans):
        known = self.bytes_in(spans)
        return "" if known is None else size_text(known)


def usage():
    pools, rows = [], []
    for registry in bast_frames.registries():
        resident = Residency(registry.page_bytes)
        stacks = registry.stacks()
        threads = bast_frames.locate(stacks)
        for pool in sorted(registry.usage().values(), key=lambda pool: pool.id):
            pools.append([str(pool.id), short(pool.where), str(pool.opened), str(pool.live),
                          size_text(pool.open_bytes), resident.text(pool.spans),
                          size_text(pool.limit)])
        for stack in stacks:
            rows.append([str(len(rows) + 1), str(stack.pool.id), title(stack),
                         depth_text(stack, threads.get(stack.slot)),
                         size_text(stack.top - stack.open_low),
                         resident.text([(stack.open_low, stack.top - stack.open_low)]),
                         size_text(stack.pool.limit)])
    print_table([">pool", "made at", ">stacks", ">in use", ">open", ">resident", ">limit of each"],
                pools)
    if rows:
        gdb.write("\n")
        print_table([">#", ">pool", "stack", ">used", ">open", ">resident", ">limit"], rows)


def sites():
    rows, written = [], []
    for registry in bast_frames.registries():
        for site in registry.sites():
            depths = [site.quantile(50), site.quantile(99), site.max if site.samples else None]
            rows.append([str(site.uses), str(site.live), str(site.growths),
                         *("" if depth is None else size_text(depth) for depth in depths),
                         site.name])
            if site.is_written:
                written.append(site.name)
    if not rows:
        gdb.write("No stack was used.\n")
        return
    print_table([">uses", ">in use", ">growths", ">p50", ">p99", ">max", "site"], rows)
    for name in written:
        gdb.write(f"{name} was being written: its numbers may not fit together.\n")
