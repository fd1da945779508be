# SPDX-License-Identifier: Apache-2.0
"""The commands `bast list`, `bast bt`, `bast usage` and `bast sites`: what they print.

They read the registry that every program with bast keeps (see bast_registry.py), so they need no
debug information of bast, and they work on processes, on core files and over remote connections.
"""

import array
import contextlib
import os
import re

import gdb

import bast_frames
from bast_abi import SPANS_MAX, RegistryError

FRAMES_MAX = 10_000  # of one backtrace
SEARCH_FRAMES = 16  # in which `list` looks for one that is not the library's
PLACES_MAX = 10_000  # stacks for which `list` does
PAGES_MAX = 1 << 22  # that `usage` asks the kernel about: 16 GiB
FRAME_LINE = re.compile(r"^#(\d+) +")


def size_text(count):
    """Bytes as people read them."""
    if count < 1024:
        return f"{count} B"
    if count < 1 << 20:
        return f"{count / 1024:.1f} KiB"
    return f"{count / (1 << 20):.1f} MiB" if count < 1 << 30 else f"{count / (1 << 30):.1f} GiB"


def print_table(header, rows):
    """Columns whose title begins with `>` are aligned right. The last is not padded."""
    right = [title.startswith(">") for title in header]
    rows = [[title.lstrip(">") for title in header], *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    for row in rows:
        cells = [text.rjust(width) if is_right else text.ljust(width)
                 for text, width, is_right in zip(row, widths, right)]
        gdb.write("  ".join(cells).rstrip() + "\n")


def short(where):
    """A place in the source without its folders; a label as it is."""
    path, colon, rest = where.partition(":")
    return os.path.basename(path) + colon + rest if colon else where


def all_stacks():
    """Every stack in use, in the order by which the commands number them from 1."""
    return [stack for registry in bast_frames.registries() for stack in registry.stacks()]


def title(stack):
    return f'"{stack.name}"' if stack.name else short(stack.site)


# --- where a stack is -----------------------------------------------------------------------------


def symbol_at(pc):
    """The function that holds an address, without debug information too."""
    text = gdb.execute(f"info symbol {pc:#x}", to_string=True).strip()
    return re.sub(r"( \+ \d+)? in section .*", "", text) if " in section " in text else f"{pc:#x}"


def place(stack):
    """The newest function of a suspended stack that is not the library's, and its line."""
    if not stack.intact:
        return f"damaged: sp {stack.sp:#x} is not on it"
    with contextlib.suppress(gdb.error, RegistryError), bast_frames.frames_of(stack) as frame:
        for _ in range(SEARCH_FRAMES):
            if frame is None:
                break
            name = frame.name() or ""
            if name and not name.startswith(("bast::", "bast_arch_")):
                line = frame.find_sal()
                at = ""
                if line.symtab is not None:
                    at = f" ({os.path.basename(line.symtab.filename)}:{line.line})"
                return name + at
            frame = frame.older()
    return symbol_at(stack.pc)


def depth_text(stack, thread):
    """From the top to the stack pointer, where that is known."""
    if thread is not None:
        return size_text(stack.top - thread.sp)
    return size_text(stack.top - stack.sp) if stack.suspended and stack.intact else ""


def signal_text(number, stack, thread):
    """What a signal means to a stack; begins with * for a crash."""
    what = f"{thread.signal} stopped thread {thread.number} on stack {number}"
    if thread.grows(stack):
        return f"{what}, which grows by it: `handle SIGSEGV nostop noprint`."
    if stack.guard <= min(thread.sp, thread.fault) < stack.low:
        return f"* {what}: it overflowed."
    return f"* {what}."


def list_stacks():
    stacks = all_stacks()
    threads = bast_frames.threads_on(stacks)
    rows, ends = [], []
    for number, stack in enumerate(stacks, 1):
        thread, where, mark = threads.get(stack.slot), "", ""
        if thread is not None:
            where = f"thread {thread.number}"
            if thread.signal:
                ends.append(signal_text(number, stack, thread))
                mark = "*" if ends[-1].startswith("*") else ""
        elif stack.suspended:
            where = place(stack) if number <= PLACES_MAX else symbol_at(stack.pc)
        elif stack.state == "running":
            where = "resumed another"
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


# --- backtraces -----------------------------------------------------------------------------------


def print_frames(stack):
    """As gdb prints them, numbered from the stack's own newest."""
    with bast_frames.frames_of(stack) as frame:
        if frame is None:
            raise RegistryError("gdb finds no frame there")
        newer = frame.level()
        text = gdb.execute(f"backtrace -no-filters {newer + FRAMES_MAX}", to_string=True)
        limit_reached = False
        shown = False
        for line in text.splitlines():
            match = FRAME_LINE.match(line)
            if match:
                number = int(match[1]) - newer
                shown = number >= 0
                limit_reached = number == FRAMES_MAX - 1
                line = f"#{number:<3}" + line[match.end():]
            if shown:
                gdb.write(line + "\n")
        if limit_reached:
            gdb.write(f"(more than {FRAMES_MAX} frames)\n")


def backtrace(argument):
    if not argument:
        raise RegistryError("say which: the number or the name of a stack in `bast list`, or all")
    stacks = list(enumerate(all_stacks(), 1))
    if argument == "all":
        chosen = [(number, stack) for number, stack in stacks if stack.suspended]
    elif argument.isdecimal():
        chosen = [(number, stack) for number, stack in stacks if number == int(argument)]
    else:
        chosen = [(number, stack) for number, stack in stacks
                  if argument in (stack.name, stack.site, short(stack.site))]
    if not chosen and argument == "all":
        raise RegistryError("no stack is suspended")
    if not chosen:
        raise RegistryError(f"there is no stack {argument}: `bast list` shows {len(stacks)}")
    for number, stack in chosen:
        if not stack.suspended:
            raise RegistryError(explain_running(number, stack))
        gdb.write(f"{chr(10) if number != chosen[0][0] else ''}"
                  f"Stack {number}, {title(stack)}, {stack.state}:\n")
        try:
            print_frames(stack)
        except (RegistryError, gdb.error) as problem:
            if argument != "all":
                raise
            gdb.write(f"{problem}\n")


def explain_running(number, stack):
    thread = bast_frames.threads_on([stack]).get(stack.slot)
    if thread is not None:
        command = f"thread apply {thread.number} backtrace"
        return f"stack {number} is thread {thread.number}'s: `{command}`"
    if stack.state == "running":
        return f"stack {number} resumed another: where it did is not known until that suspends"
    return f"stack {number} is not suspended: its state is {stack.state}"


# --- memory ---------------------------------------------------------------------------------------


class Residency:
    """Counts pages in memory, where this machine's kernel runs the process."""

    def __init__(self, page_bytes):
        self.page_bytes, self.left = page_bytes, PAGES_MAX
        inferior = gdb.selected_inferior()
        connection = getattr(inferior, "connection", None)
        native = connection is not None and connection.type == "native"
        self.path = f"/proc/{inferior.pid}/pagemap" if native else None

    def bytes_in(self, spans):
        """Of spans of memory, (address, bytes); None where it is not known."""
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
        threads = bast_frames.threads_on(stacks)
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
    rows = []
    for registry in bast_frames.registries():
        for site in registry.sites():
            depths = [site.quantile(50), site.quantile(99), site.max if site.samples else None]
            rows.append([str(site.uses), str(site.live), str(site.growths),
                         *("" if depth is None else size_text(depth) for depth in depths),
                         site.name])
    if not rows:
        gdb.write("No stack was used.\n")
        return
    print_table([">uses", ">in use", ">growths", ">p50", ">p99", ">max", "site"], rows)


# --- the commands ---------------------------------------------------------------------------------


class BastCommand(gdb.Command):
    """Stacks of the coroutines of bast."""

    def __init__(self):
        super().__init__("bast", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, prefix=True)


class Subcommand(gdb.Command):
    """A command that calls a function; its help is its own."""

    def __init__(self, name, function, takes_argument, text):
        self.__doc__ = text
        self.name, self.function, self.takes_argument = name, function, takes_argument
        super().__init__(f"bast {name}", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        argument = argument.strip()
        try:
            if argument and not self.takes_argument:
                raise RegistryError(f"takes no argument, but was given {argument}")
            self.function(*([argument] if self.takes_argument else []))
        except (RegistryError, gdb.error) as problem:
            raise gdb.GdbError(f"bast {self.name}: {problem}") from None


BastCommand()
Subcommand("list", list_stacks, False, """List every stack in use.

Usage: bast list

The columns: the number by which other commands call it; the coroutine's name; where it was started;
its state; its depth, from its top to its stack pointer; the limit of that; and where it is: the
newest function that is not the library's, or the thread that is on it. A * marks the stack on which
a thread crashed.""")
Subcommand("bt", backtrace, True, """Print the backtrace of a suspended coroutine.

Usage: bast bt NUMBER|NAME|all

NUMBER and NAME are those of `bast list`. No register of the program is changed for it. Only the
stack pointer, the program counter and the frame pointer of a suspended coroutine are known, so that
values which its newest frame keeps in other registers are shown as not saved.""")
Subcommand("usage", usage, False, """Show the memory of pools and stacks.

Usage: bast usage

Of each pool and of each stack in use: what is used now, what is open, that is, usable without
growing, what of it is in memory (of processes of this machine), and the limit.""")
Subcommand("sites", sites, False, """Show how deep the stacks of each spawn site were.

Usage: bast sites

The uses, the stacks in use now, how often they grew, and the depths: median, 99th percentile,
deepest. Stacks in use now count from their end on.""")
