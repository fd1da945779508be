// SPDX-License-Identifier: Apache-2.0
//
// Runs gdb on this program and takes backtraces of a running context, and of a suspended one whose
// three words are loaded into the registers. Both must end at the entry function, without gdb's
// messages about a corrupt stack.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "bast/testing/raw_fiber.hpp"

namespace bast::inline BAST_ABI::arch {

// Names that gdb can find.
extern "C" {
[[gnu::used]] context* bast_test_suspended = nullptr;
[[gnu::noinline, gnu::used]] void bast_test_breakpoint();
[[gnu::noinline, gnu::used]] void bast_test_suspends_here(test::raw_fiber& self);
}

void bast_test_breakpoint() { asm volatile("" : : : "memory"); }

void bast_test_suspends_here(test::raw_fiber& self) {
  bast_test_breakpoint();
  self.suspend<test::form::in_line>();
  asm volatile("" : : : "memory");
}

namespace {

using test::form;
using test::raw_fiber;

std::string output_of(const std::string& command) {
  std::string output;
  std::array<char, 4096> part{};
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) output += part.data();
  pclose(pipe);
  return output;
}

std::string this_program() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : std::string();
}

/// The output of gdb for `commands`, after the breakpoint was hit in the test below.
std::string gdb_says(const std::string& commands) {
  return output_of(
      "LC_ALL=C gdb -nx -batch -iex 'set debuginfod enabled off' "
      "-ex 'set startup-with-shell off' -ex 'set width 0' "
      "-ex 'break bast_test_breakpoint' -ex run " +
      commands + " -ex kill --args '" + this_program() +
      "' --gtest_filter=Gdb.TheProgramThatGdbLooksAt </dev/null 2>&1");
}

/// Why gdb cannot be used, or nothing.
std::string obstacle() {
  if (test::hooks_needed) return "a sanitizer's run-time cannot be traced";
  if (output_of("gdb --version 2>/dev/null").empty()) return "there is no gdb";
#if defined(__x86_64__)
  const std::string machine = "x86_64";
#else
  const std::string machine = "aarch64";
#endif
  // Emulated: gdb would see the emulator.
  if (output_of("uname -m").find(machine) == std::string::npos) return "not the machine's own CPU";
  return "";
}

bool tracing_is_forbidden(const std::string& output) {
  return output.find("ptrace: Operation not permitted") != std::string::npos;
}

void expect_clean_end(const std::string& output, const std::string& innermost) {
  EXPECT_NE(output.find("#0 "), std::string::npos) << output;
  EXPECT_NE(output.find(innermost), std::string::npos) << output;
  EXPECT_NE(output.find("raw_fiber::enter<"), std::string::npos) << "the entry function\n"
                                                                 << output;
  EXPECT_NE(output.find("bast_arch_stack_end_procedure"), std::string::npos) << output;
  for (const char* words : {"Backtrace stopped", "corrupt stack", " ?? ", "Cannot access memory"}) {
    EXPECT_EQ(output.find(words), std::string::npos) << output;
  }
  EXPECT_EQ(output.find("main ("), std::string::npos) << "nothing of the resumer\n" << output;
}

TEST(Gdb, TheProgramThatGdbLooksAt) {
  raw_fiber fiber(form::in_line, [](raw_fiber& self) { bast_test_suspends_here(self); });
  fiber.resume<form::in_line>();
  bast_test_suspended = &fiber.own();
  bast_test_breakpoint();  // On the thread's own stack, while the fiber is suspended.
  fiber.resume<form::in_line>();
  EXPECT_TRUE(fiber.finished());
}

TEST(Gdb, ABacktraceInsideAContextEndsAtItsEntry) {
  if (const std::string why = obstacle(); !why.empty()) GTEST_SKIP() << why;
  const std::string output = gdb_says("-ex bt");
  if (tracing_is_forbidden(output)) GTEST_SKIP() << "ptrace is not permitted here";
  expect_clean_end(output, "bast_test_breakpoint");
}

TEST(Gdb, ABacktraceOfASuspendedContextStartsWhereItSuspended) {
  if (const std::string why = obstacle(); !why.empty()) GTEST_SKIP() << why;
#if defined(__x86_64__)
  const std::string frame_pointer = "rbp";
#else
  const std::string frame_pointer = "x29";
#endif
  const std::string output = gdb_says(
      "-ex continue -ex 'set $c = bast_test_suspended' -ex 'set $next = $c->pc' "
      "-ex 'set $frame = $c->fp' -ex 'set $sp = $c->sp' -ex 'set $" +
      frame_pointer + " = $frame' -ex 'set $pc = $next' -ex 'echo suspended:\\n' -ex bt");
  if (tracing_is_forbidden(output)) GTEST_SKIP() << "ptrace is not permitted here";
  const std::size_t start = output.find("suspended:");
  ASSERT_NE(start, std::string::npos) << output;
  expect_clean_end(output.substr(start), "bast_test_suspends_here");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
