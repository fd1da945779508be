# SPDX-License-Identifier: Apache-2.0
"""The commands `bast list`, `bast bt`, `bast usage` and `bast sites`.

They read the registry that every program with bast keeps (see bast_registry.py), so they need no
debug information of bast, and they work on processes, on core files and over remote connections.
"""

import re

import gdb

import bast_frames
import bast_show
from bast_abi import RegistryError

FRAMES_MAX = 10_000  # of one backtrace
ADDRESS = re.compile(r"^(#\d+ +)(0x[0-9a-f]+)")
FRAME_LINE = re.compile(r"^#(\d+) +")


# --- backtraces -----------------------------------------------------------------------------------


def print_frames(stack):
    """The frames in gdb's format, numbered from the stack's newest."""
    with bast_frames.frames_of(stack) as frame:
        if frame is None:
            raise RegistryError("gdb finds no frame there")
        newer = frame.level()
        text = gdb.execute(f"backtrace -no-filters {newer + FRAMES_MAX}", to_string=True)
    number, addresses = -1, 0
    for line in text.splitlines():
        match = FRAME_LINE.match(line)
        if match:
            number = int(match[1]) - newer
            line = f"#{number:<3}" + line[match.end():]
            address = ADDRESS.match(line)
            if number >= 0 and address:
                addresses += 1
                if addresses == 1 and int(address[2], 16) == stack.pc + 1:  # See frames_of.
                    line = f"{address[1]}{stack.pc:#018x}{line[address.end():]}"
        if number >= 0:
            gdb.write(line + "\n")
    if number == FRAMES_MAX - 1:
        gdb.write(f"(more than {FRAMES_MAX} frames)\n")


def backtrace(argument):
    if not argument:
        raise RegistryError("say which: the number or the name of a stack in `bast list`, or all")
    every, threads = bast_show.all_stacks()
    stacks = list(enumerate(every, 1))
    if argument == "all":
        chosen = [(number, stack) for number, stack in stacks if stack.saved]
    elif argument.isdecimal():
        chosen = [(number, stack) for number, stack in stacks if number == int(argument)]
    else:
        chosen = [(number, stack) for number, stack in stacks
                  if argument in (stack.name, stack.site, bast_show.short(stack.site))]
        # Of several those that can be shown.
        chosen = [(number, stack) for number, stack in chosen if stack.saved] or chosen
    if not chosen and argument == "all":
        raise RegistryError("no stack is suspended")
    if not chosen:
        raise RegistryError(f"there is no stack {argument}: `bast list` shows {len(stacks)}")
    for number, stack in chosen:
        if not stack.saved:
            raise RegistryError(explain_running(number, stack, threads))
        gdb.write(f"{chr(10) if number != chosen[0][0] else ''}"
                  f"Stack {number}, {bast_show.title(stack)}, {stack.state}:\n")
        try:
            print_frames(stack)
        except (RegistryError, gdb.error) as problem:
            if argument != "all":
                raise
            gdb.write(f"{problem}\n")


def explain_running(number, stack, threads):
    thread = threads.get(stack.slot)
    if thread is not None:
        command = f"thread apply {thread.number} backtrace"
        return f"stack {number} is thread {thread.number}'s: `{command}`"
    if stack.state == "running":
        return f"stack {number} resumed another, and its registry does not contain where"
    return f"stack {number} is not suspended: its state is {stack.state}"


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
Subcommand("list", bast_show.list_stacks, False, """List every stack in use.

Usage: bast list

The columns: the number by which other commands call it; the coroutine's name; where it was started;
its state; its depth, from its top to its stack pointer; the limit of that; and where it is: the
newest function that is not the library's, or the thread that is on it. A * marks the stack on which
a thread crashed.""")
Subcommand("bt", backtrace, True, """Print the backtrace of a suspended or resuming coroutine.

Usage: bast bt NUMBER|NAME|all

A coroutine that resumed another, which has not suspended yet, is resuming.
NUMBER and NAME are those of `bast list`. No register of the program is changed for it. Only the
stack pointer, the program counter and the frame pointer of such a coroutine are known, so that
values which its newest frame keeps in other registers are shown as not saved.""")
Subcommand("usage", bast_show.usage, False, """Show the memory of pools and stacks.

Usage: bast usage

Of each pool and of each stack in use: what is used now, what is open, that is, usable without
growing, what of it is in memory (of processes of this machine), and the limit.""")
Subcommand("sites", bast_show.sites, False, """Show how deep the stacks of each spawn site were.

Usage: bast sites

The uses, the stacks in use now, how often they grew, and the depths: median, 99th percentile,
deepest. Stacks in use now count from their end on.""")
