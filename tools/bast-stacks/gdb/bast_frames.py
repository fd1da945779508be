# SPDX-License-Identifier: Apache-2.0
"""The parts that need gdb: finding the registry, the threads, and the frames of a suspended stack.

The frames come from gdb's own unwinder, and no register of the target is written for them. While
they are needed, an unwinder of ours claims the newest frame of the selected thread and gives the
registers of the suspended coroutine as its caller's, as if the coroutine had called the thread's
code. Works on live processes, on core files and over remote connections.
"""

import contextlib
import dataclasses
import re
import signal
import struct

import gdb
import gdb.unwinder

import bast_abi
import bast_records
import bast_registry
from bast_abi import RegistryError, Unreadable

# By gdb's architecture names. The switch saves these three; the others are unknown there.
REGISTERS = {
    "i386:x86-64": ("rsp", "rip", "rbp"),
    "aarch64": ("sp", "pc", "x29"),
}
NOTE_SECTION = re.compile(r"^\s*(0x[0-9a-f]+) - (0x[0-9a-f]+) .*\.note\.bast\b", re.MULTILINE)
NOTE_BYTES_MAX = 1 << 16
AT_PHDR, AT_PHNUM = 3, 5
PROGRAM_HEADER = struct.Struct("<I12xQ16xQ8x")  # of ELF: type, address, bytes in memory
PT_NOTE, PT_PHDR = 4, 6
# A signal handler and its callees are newer than the frame that it interrupted.
HANDLER_FRAMES_MAX = 32
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE,
           signal.SIGSYS}


def read(address, size):
    """Memory of the selected inferior."""
    if address + size > bast_abi.ADDRESS_END:
        raise Unreadable(address, size)
    try:
        return gdb.selected_inferior().read_memory(address, size).tobytes()
    except (gdb.error, OverflowError):  # gdb.MemoryError is a gdb.error.
        raise Unreadable(address, size) from None


# --- finding the registry -------------------------------------------------------------------------


def note_memory():
    """(address, bytes) of memory that may hold bast's note, the likeliest first."""
    for low, high in NOTE_SECTION.findall(gdb.execute("info files", to_string=True)):
        yield int(low, 16), int(high, 16) - int(low, 16)
        # A core file without its program has no sections. The kernel passes the address of the
        # program headers to the program, and their page is in the core.
    words = {}
    with contextlib.suppress(gdb.error):
        for line in gdb.execute("info auxv", to_string=True).splitlines():
            match = re.match(r"(\d+)\s+AT_\w+.*\s(0x[0-9a-f]+|\d+)$", line)
            if match:
                words[int(match[1])] = int(match[2], 0)
    yield from note_segments(words.get(AT_PHDR, 0), words.get(AT_PHNUM, 0))


def note_segments(address, count):
    """(address, bytes) of the notes of the program headers at an address."""
    if address == 0 or count > 1000:
        return
    try:
        table = read(address, count * PROGRAM_HEADER.size)
    except Unreadable:
        return
    headers = list(PROGRAM_HEADER.iter_unpack(table))
    itself = next((at for kind, at, _ in headers if kind == PT_PHDR), address)
    for kind, at, size in headers:
        if kind == PT_NOTE:
            yield (at + address - itself) % bast_abi.ADDRESS_END, size


def registries():
    """The registries of the program and of the shared libraries that contain bast."""
    if not gdb.selected_inferior().threads():
        raise RegistryError("there is no process: run the program, attach to it, or open a core")
    anchors = []
    for address, size in note_memory():
        with contextlib.suppress(Unreadable):
            notes = read(address, min(size, NOTE_BYTES_MAX))
            anchors += bast_abi.anchors_in_notes(notes, address)
    if not anchors:
        raise RegistryError("this program does not use bast: nothing in it has the note of bast")
    found = [bast_registry.Registry(read, anchor) for anchor in dict.fromkeys(anchors)]
    found = [registry for registry in found if registry.made]
    if not found:
        raise RegistryError("this program has made no pool of coroutines yet")
    return found


# --- threads --------------------------------------------------------------------------------------


@contextlib.contextmanager
def selection_kept():
    """Restores gdb's selected thread and frame."""
    thread = gdb.selected_thread()
    frame = None
    with contextlib.suppress(gdb.error):
        frame = gdb.selected_frame()
    try:
        yield
    finally:
        if thread is not None and thread.is_valid():
            thread.switch()
        if frame is not None and frame.is_valid():
            frame.select()


def unsigned(value):
    return int(value) % bast_abi.ADDRESS_END


def stack_pointers():
    """The selected thread's stack pointers: its own, and those at which signals interrupted it."""
    frame = gdb.newest_frame()
    yield unsigned(frame.read_register("sp"))
    for _ in range(HANDLER_FRAMES_MAX):
        handler = frame.type() == gdb.SIGTRAMP_FRAME
        frame = frame.older()
        if frame is None:
            return
        if handler:
            yield unsigned(frame.read_register("sp"))


def crash():
    """The name of the signal that stopped the selected thread, and the address of its fault; "" and
    0 unless that signal ends programs."""
    with contextlib.suppress(gdb.error, ValueError):
        number = signal.Signals(int(gdb.parse_and_eval("$_siginfo.si_signo")))
        if number in CRASHES:
            address = gdb.parse_and_eval("$_siginfo._sifields._sigfault.si_addr")
            return number.name, unsigned(address)
    return "", 0


@dataclasses.dataclass
class ThreadOn:
    """A thread on a stack."""
    number: int
    sp: int
    signal: str = ""  # that stopped it there
    fault: int = 0    # the address that it was about

    def grows(self, stack):
        """True if the library will handle the signal by growing the stack."""
        connection = gdb.selected_inferior().connection
        return (self.signal == "SIGSEGV" and stack.low <= self.fault < stack.open_low
                and connection is not None and connection.type != "core")


def threads_on(stacks):
    """The threads on stacks, by the slot of the stack."""
    by_address = sorted(stacks, key=lambda stack: stack.guard)
    guards = [stack.guard for stack in by_address]
    found = {}
    with selection_kept():
        for thread in gdb.selected_inferior().threads():
            if not thread.is_valid() or thread.is_running():
                continue
            with contextlib.suppress(gdb.error):
                thread.switch()
                for sp in stack_pointers():
                    stack = bast_records.stack_at(by_address, guards, sp)
                    if stack is not None:
                        found[stack.slot] = ThreadOn(thread.num, sp, *crash())
                        break
    return found


def add_resuming(stacks, threads):
    """Finds the saved words of coroutines that resumed another, which are running without a thread
    on their stacks. Their links and the threads together lead to all of them."""
    resuming = [stack for stack in stacks
                if stack.state == "running" and stack.links and stack.slot not in threads]
    words = []
    for address in {link for stack in resuming for link in stack.links}:
        with contextlib.suppress(Unreadable):
            words.append(bast_abi.SAVED.unpack(read(address, bast_abi.SAVED.size)))
    for stack in resuming:
        for sp, pc, fp in words:
            if stack.low <= sp < stack.top:
                stack.state, stack.sp, stack.pc, stack.fp = "resuming", sp, pc, fp


def locate(stacks):
    """The places of the stacks that are not suspended: the threads on them, by the slot of the
    stack, and the saved words of those that resumed another."""
    threads = threads_on(stacks)
    add_resuming(stacks, threads)
    return threads


# --- frames of a suspended stack ------------------------------------------------------------------


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class SuspendedUnwinder(gdb.unwinder.Unwinder):
    """Makes the selected thread's newest frame lead to a suspended stack, while one is set."""

    def __init__(self):
        super().__init__("bast")
        self.enabled = False
        self.stack = None  # the target of the newest frame, or None
        self.claimed = None  # the stack pointer and the pc of the newest frame

    def __call__(self, pending):
        names = REGISTERS.get(pending.architecture().name())
        if self.stack is None or names is None:
            return None
        values = [pending.read_register(name) for name in names]
        if (unsigned(values[0]), unsigned(values[1])) != self.claimed:
            return None
        # As deep as its target frame: gdb treats a caller that is deeper than its callee as a
        # corrupt stack.
        answer = pending.create_unwind_info(FrameId(gdb.Value(self.stack.sp), values[1]))
        # After the next instruction: gdb takes it for a return address, and looks up the address
        # before it. In the out-of-line switch the unwind tables change right there.
        words = self.stack.sp, self.stack.pc + 1, self.stack.fp
        for name, was, word in zip(names, values, words):
            word %= bast_abi.ADDRESS_END
            answer.add_saved_register(name, gdb.Value(word).cast(was.type))
        self.stack = None  # Once: gdb unwinds the rest.
        return answer


UNWINDER = SuspendedUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


@contextlib.contextmanager
def frames_of(stack):
    """The newest frame of a suspended stack, within the block; gdb's newer frames are those of the
    selected thread. Its pc is one more than where it continues."""
    if not stack.intact:
        raise RegistryError(f"damaged: its saved stack pointer {stack.sp:#x} is not on it")
    thread = gdb.selected_thread()
    if thread is None or thread.is_running():
        raise RegistryError("no thread is selected that is stopped")
    with selection_kept():
        frame = gdb.newest_frame()
        name = frame.architecture().name()
        if name not in REGISTERS:
            raise RegistryError(f"no backtraces on {name}")
        UNWINDER.claimed = tuple(unsigned(frame.read_register(r)) for r in REGISTERS[name][:2])
        UNWINDER.stack = stack
        UNWINDER.enabled = True
        gdb.invalidate_cached_frames()
        try:
            # The thread may be in main, which has no caller otherwise.
            with gdb.with_parameter("backtrace past-main", True):
                frame = gdb.newest_frame()
                while frame is not None and frame.type() == gdb.INLINE_FRAME:
                    frame = frame.older()
                yield frame.older() if frame is not None else None
        finally:
            UNWINDER.enabled = False
            UNWINDER.stack = None
            gdb.invalidate_cached_frames()
