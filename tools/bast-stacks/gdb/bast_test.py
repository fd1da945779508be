#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the gdb commands of bast.py on bast_program.cpp.

  bast_test.py PROGRAM [--gdb GDB] [--emulator COMMAND,WORD,...] TEST

TEST is the name of a method below without `test_`. With an emulator the program runs under it, and
gdb is connected to its stub. The status is 77 if the test is not possible here, with the reason.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import unittest

from session import HERE, TIMEOUT, Session

SKIPPED = 77
RESUMING = r"^ *6 +outer +outer +resuming +[\d.]+ (B|KiB) +256\.0 KiB +.*operator\(\).* \(bast_pro"
STOP_HERE = ("break stop_here", "continue")


class Gdb(Session):
    """The output of the commands."""

    def assert_good_frames(self, output):
        output = output[output.index("\nStack 1, "):]
        self.assertIn("bast_arch_stack_end_procedure", output)
        for words in ("Backtrace stopped", "corrupt stack", " ?? ", "Cannot access memory",
                      " main ("):
            self.assertNotIn(words, output)

    # --- the commands on a process ------------------------------------------------------------

    def test_list_shows_every_stack_in_use(self):
        output = self.session([*STOP_HERE, "bast list"])
        self.assert_lines(
            output,
            r"^ *1 +reader +reader +suspended +[\d.]+ (B|KiB) +256\.0 KiB +.*wait_for_input \(bast",
            r"^ *2 +walker +walker +suspended +[\d.]+ (B|KiB) +256\.0 KiB +.*wait_for_input",
            r"^ *3 +bast_program\.cpp:\d+:\d+ +suspended +[\d.]+ (B|KiB) +256\.0 KiB +.*produce",
            r"^ *4 +done +done +finished +256\.0 KiB$",
            r"^ *5 +waiter +waiter +parked +[\d.]+ (B|KiB) +256\.0 KiB +.*park_here")
        self.assertNotIn("worker", output)

    def test_list_tells_the_thread_on_a_stack(self):
        output = self.session([*STOP_HERE, "break stop_inside", "continue", "bast list"])
        self.assert_lines(output, RESUMING,
                          r"^ *7 +inner +inner +running +[\d.]+ (B|KiB) +256\.0 KiB +thread 1$")

    def test_backtrace_ends_at_the_entry(self):
        output = self.session([*STOP_HERE, "bast bt all"])
        self.assert_good_frames(output)
        self.assert_lines(output, "^Stack 1, \"reader\", suspended:$", "^Stack 2, \"walker\"",
                          r"^Stack 3, bast_program\.cpp:\d+:\d+, suspended:$", r"^#0  +0x",
                          "^Stack 5, \"waiter\", parked:$",
                          r"^#\d+ .*wait_for_input \(number=.*bast_program\.cpp:\d+$")
        self.assertEqual(len(re.findall(r"^#\d+ .*descend \(deep", output, re.MULTILINE)), 6)
        self.assertEqual(len(re.findall(r"^#0 ", output, re.MULTILINE)), 4)
        self.assertEqual(output.count("bast_arch_stack_end_procedure"), 4)

    def test_backtrace_of_coroutines_that_resumed_another(self):
        """Two of them: the saved words of one are the thread's, those of the other on a stack."""
        output = self.session([*STOP_HERE, "break stop_inside", "continue", "continue",
                               "bast bt outermost", "echo next\\n", "bast bt outer"])
        outermost, _, outer = output.partition("\nnext\n")
        self.assert_lines(outermost, '^Stack [0-9]+, "outermost", resuming:$',
                          r"^#\d+ .*nest \(pool=")
        self.assert_lines(outer, '^Stack [0-9]+, "outer", resuming:$',
                          r"^#\d+ .*operator\(\).* \(.*bast_program")
        for frames in (outermost, outer):
            self.assertEqual(frames.count("bast_arch_stack_end_procedure"), 1)

    def test_backtrace_begins_where_it_continues(self):
        saved = "python import bast_show; print(f'saved {bast_show.all_stacks()[0][0].pc:#018x}')"
        output = self.session([*STOP_HERE, saved, "bast bt 1"])
        address = re.search("^saved (0x[0-9a-f]+)$", output, re.MULTILINE)[1]
        # Clang's line tables name an inlined function without its namespace.
        self.assert_lines(output, f"^#0  {address} in (bast|switch_inline)")

    def test_backtrace_needs_no_caller_of_the_threads_frame(self):
        """gdb ends a backtrace at main, and here the thread is in main."""
        output = self.session([*STOP_HERE, "finish", "bast list", "bast bt all", "backtrace"])
        self.assert_lines(output, r"^ *2 +walker .*wait_for_input",
                          r"^#0 .*main \(")
        self.assertEqual(output.count("bast_arch_stack_end_procedure"), 4)

    def test_backtrace_when_the_threads_frame_is_inlined(self):
        kind = "python print('inlined', gdb.newest_frame().type() == gdb.INLINE_FRAME)"
        output = self.session([*STOP_HERE, "break stop_inlined", "continue", "stepi", kind,
                               "bast bt all", "frame"])
        self.assert_lines(output, "^inlined True$", r"^#0 .*stop_inlined \(")
        self.assert_good_frames(output)
        self.assertEqual(output.count("bast_arch_stack_end_procedure"), 4)

    def test_backtrace_of_one_by_number_or_name(self):
        one = self.session([*STOP_HERE, "bast bt 2"])
        self.assertIn("descend", one)
        self.assertNotIn("produce", one)
        named = self.session([*STOP_HERE, "bast bt walker"])
        frames = re.compile(r"^#.*bast_program.*$", re.MULTILINE)
        self.assertEqual(frames.findall(one), frames.findall(named))

    def test_backtrace_says_why_there_is_none(self):
        output = self.session([*STOP_HERE, "break stop_inside", "continue", "bast bt", "bast bt 99",
                               "bast bt nobody", "bast bt done", "bast bt inner"])
        self.assert_lines(output, "^bast bt: say which", "^bast bt: there is no stack 99: .* 7$",
                          "^bast bt: there is no stack nobody",
                          "^bast bt: stack 4 is not suspended: its state is finished$",
                          "^bast bt: stack 7 is thread 1's: `thread apply 1 backtrace`$")
        self.assertNotIn("#0", output)

    def test_backtrace_changes_no_register_and_no_selection(self):
        look = ["info registers", "frame"]
        output = self.session([*STOP_HERE, "up", "echo before\\n", *look, "echo looking\\n",
                               "bast bt all", "bast list", "echo after\\n", *look, "echo end\\n",
                               "continue"])
        before = re.search("^before\n(.*)^looking$", output, re.MULTILINE | re.DOTALL)[1]
        after = re.search("^after\n(.*)^end$", output, re.MULTILINE | re.DOTALL)[1]
        self.assertIn("main (", before)
        self.assertEqual(before, after)
        self.assertIn("everything continued", output)
        self.assertRegex(output, "exited normally")

    def test_usage_shows_pools_and_stacks(self):
        output = self.session([*STOP_HERE, "bast usage"])
        resident = r"\d+\.0 KiB +" if not self.options.emulator else ""
        self.assert_lines(output, r"^ *1 +bast_program\.cpp:\d+ +\d+ +5 +\d+\.\d KiB +",
                          rf"^1 +1 +\"reader\" +[\d.]+ (B|KiB) +\d+\.\d KiB +{resident}256\.0 KiB$",
                          r"^4 +1 +\"done\" +\d+\.\d KiB +")

    def test_sites_shows_depths(self):
        output = self.session([*STOP_HERE, "bast sites"])
        size = r"(\d+ B|\d+\.\d KiB) +"
        self.assert_lines(output, rf"^ *100 +0 +0 +{size}{size}{size}worker$",
                          r"^ *0 +1 +0 +walker$", r"^ *0 +1 +0 +.*bast_program\.cpp:\d+:\d+$")

    def test_help_names_every_command(self):
        output = self.gdb(["help bast", "help bast bt", "bast list 1"], [])
        for name in ("bt", "list", "sites", "usage"):
            self.assert_lines(output, rf"^bast {name} -- ")
        self.assertIn("Usage: bast bt NUMBER|NAME|all", output)
        self.assertIn("bast list: takes no argument, but was given 1", output)

    def test_an_attached_process_runs_on(self):
        self.only_native()
        with subprocess.Popen([self.options.program, "wait"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as program:
            try:
                self.assertEqual(program.stdout.readline(), b"ready\n")
                output = self.gdb(["bast list", "bast bt all", "bast usage", "bast sites",
                                   "detach"], ["-p", str(program.pid)])
                rest, _ = program.communicate(b"\n", timeout=TIMEOUT)
            finally:
                program.kill()
        self.assert_good_frames(output)
        self.assert_lines(output, r"^ *2 +walker +walker +suspended")
        self.assertEqual(rest, b"everything continued\n")
        self.assertEqual(program.returncode, 0)

    # --- crashes ------------------------------------------------------------------------------

    def assert_crash_is_marked(self, output):
        self.assert_lines(output, r"^\* +7 +inner +inner +running +[\d.]+ (B|KiB) +256.*thread 1$",
                          r"^\* SIGSEGV stopped thread 1 on stack 7\.$",
                          RESUMING)

    def test_the_crashed_stack_is_marked(self):
        self.only_native()
        self.assert_crash_is_marked(self.session(["continue", "bast list"], ["crash"]))

    def test_a_core_file_has_it_all(self):
        self.only_native()
        core = self.core_of_the_kernel("crash")
        if core is None:  # gdb's own leaves out memory with guard markers, and is slow.
            core = str(pathlib.Path(self.folder.name, "core"))
            self.session(["continue", f"generate-core-file {core}"], ["crash"])
            self.assert_crash_is_marked(self.gdb(["bast list"], [self.options.program, core]))
            return
        output = self.gdb(["bast list", "bast bt all", "bast usage", "bast sites"],
                          [self.options.program, core])
        self.assert_crash_is_marked(output)
        self.assert_good_frames(output)
        self.assertEqual(len(re.findall(r"^#\d+ .*descend \(deep", output, re.MULTILINE)), 6)
        self.assert_lines(output, r"^ *100 +0 +0 .*worker$")

    def test_a_core_file_without_its_program_has_a_list(self):
        self.only_native()
        core = self.core_of_the_kernel("crash")
        if core is None:
            self.skipTest("the kernel writes no core file here")
        output = self.gdb(["bast list"], ["-iex", f"set sysroot {self.folder.name}", "-c", core])
        self.assertNotIn("wait_for_input", output)
        self.assert_lines(output, r"^\* SIGSEGV stopped thread 1 on stack 7\.$")

    def test_an_overflow_is_marked(self):
        self.only_native()
        core = self.core_of_the_kernel("overflow")
        if core is None:
            self.skipTest("the kernel writes no core file here")
        output = self.gdb(["bast list"], [self.options.program, core])
        self.assert_lines(output, r"^\* +6 +deep +deep +running +25\d\.\d KiB +256.*thread 1$",
                          r"^\* SIGSEGV stopped thread 1 on stack 6: it overflowed\.$")

    def test_growth_is_no_crash(self):
        self.only_native()
        output = self.session([*STOP_HERE, "continue", "bast list"], ["overflow"])
        self.assert_lines(output, r"^ *6 +deep +deep +running .* thread 1$",
                          r"^SIGSEGV stopped thread 1 on stack 6, which grows by it: `handle")

    # --- nothing to see -----------------------------------------------------------------------

    def test_without_a_process(self):
        output = self.gdb(["bast list", "bast usage"], [self.options.program])
        self.assert_lines(output, "^bast list: there is no process: ",
                          "^bast usage: there is no process: ")

    def test_without_bast(self):
        self.only_native()
        output = self.gdb(["starti", "bast list", "bast bt all"], ["--args", "/bin/true"])
        self.assert_lines(output, "^bast list: this program does not use bast: ",
                          "^bast bt: this program does not use bast: ")

    def test_before_the_first_pool(self):
        output = self.session(["break stop_before_the_first_pool", "continue", "bast sites"])
        self.assert_lines(output, "^bast sites: this program has made no pool of coroutines yet$")

    # --- hostile bytes ------------------------------------------------------------------------

    def test_damage_is_named(self):
        """One record, then one word of the header at a time, written into the process."""
        output = self.session([*STOP_HERE, f"source {HERE / 'damage.py'}"])
        self.assert_lines(
            output, "^magic: bast list: the registry at 0x[0-9a-f]+: damaged: its magic is 0x0$",
            "^version: bast list: .* has version 9.[0-9]; this script reads version 1$",
            "^machine: bast list: .* a machine 40", "^self: bast list: .* says that it is at 0x1$",
            "^bytes: bast list: .* bytes long$", "^slabs used: bast list: .* table of slabs has",
            "^coros: bast list: .*cannot read", "^slot top: bast list: .* has its top at 65535$",
            "^block sp: bast list: .* has its sp at 3$", "^restored: 5$",
            r"^1 +reader +damaged +256\.0 KiB$", r"^2 +walker +walker +suspended")

    def test_damage_anywhere_ends_in_a_message(self):
        """Every word of the header, and random bytes of its targets."""
        output = self.session([*STOP_HERE, f"source {HERE / 'damage_everywhere.py'}"])
        self.assert_lines(output, r"^\d{3,} damaged readings, \d{3,} refused$")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("test")
    parser.add_argument("--gdb", default="gdb")
    parser.add_argument("--emulator", default="", help="a command, with commas between its words")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    options.emulator = [word for word in options.emulator.split(",") if word]
    Session.options = options
    result = unittest.TextTestRunner(verbosity=2).run(Gdb(f"test_{options.test}"))
    if result.skipped:
        return SKIPPED
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
