// SPDX-License-Identifier: Apache-2.0
//
// The counterpart of x86_64/step_test.cpp for a processor on which a program cannot single-step
// itself, and for the emulator, which delivers no signal in the middle of a switch. A signal
// handler writes into its own frame the register values of each instruction between the stacks, and
// walks from there. Unwinders must find no caller (D13).
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

#include <cstdint>

#include "bast/testing/raw_fiber.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

using test::form;
using test::raw_fiber;

constexpr std::uint64_t instruction_bytes = 4;

struct interruption {
  std::uint64_t pc = 0;
  const context* fp_of = nullptr;
  const context* sp_of = nullptr;  // null: the thread's own stack
};

struct interrupted_walk {
  std::uint64_t pc = 0;
  int callers = -1;  // -1: the interrupted frame was not found
  _Unwind_Reason_Code end = _URC_NO_REASON;
};

constinit interruption planned;
constinit interrupted_walk walked;

_Unwind_Reason_Code count_callers(_Unwind_Context* frame, void*) {
  const std::uint64_t pc = _Unwind_GetIP(frame);
  if (walked.callers >= 0 && pc != 0) ++walked.callers;
  if (walked.callers < 0 && pc == walked.pc) walked.callers = 0;
  return walked.callers < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

void walk_from_the_plan(int, siginfo_t*, void* frame) {
  auto& machine = static_cast<ucontext_t*>(frame)->uc_mcontext;
  const std::uint64_t pc = machine.pc;
  const std::uint64_t sp = machine.sp;
  const std::uint64_t fp = machine.regs[29];
  machine.pc = planned.pc;
  machine.regs[29] = reinterpret_cast<std::uint64_t>(planned.fp_of->fp);
  if (planned.sp_of != nullptr) machine.sp = reinterpret_cast<std::uint64_t>(planned.sp_of->sp);
  walked = {.pc = planned.pc};
  walked.end = _Unwind_Backtrace(count_callers, nullptr);
  machine.pc = pc;
  machine.sp = sp;
  machine.regs[29] = fp;
}

void expect_no_caller(const interruption& at, const char* where) {
  planned = at;
  ::raise(SIGUSR1);
  EXPECT_EQ(walked.callers, 0) << where;
  EXPECT_EQ(walked.end, _URC_END_OF_STACK) << where;
}

template <form Fiber>
void expect_no_caller_between_stacks() {
  raw_fiber fiber(Fiber, [](raw_fiber& self) { self.suspend<Fiber>(); });
  fiber.resume<Fiber>();
  // It suspended right before the place where it continues: ... ldr x29, mov sp, br.
  const auto resumed_at = reinterpret_cast<std::uint64_t>(fiber.own().pc);
  const context& other = fiber.resumer();
  expect_no_caller({.pc = resumed_at - 2 * instruction_bytes, .fp_of = &other}, "at the move");
  expect_no_caller({.pc = resumed_at - instruction_bytes, .fp_of = &other, .sp_of = &other},
                   "at the jump");
  // A fresh stack has no frame pointer.
  raw_fiber fresh(Fiber, [](raw_fiber&) {});
  expect_no_caller({.pc = resumed_at - 2 * instruction_bytes, .fp_of = &fresh.own()}, "fresh");
  expect_no_caller(
      {.pc = resumed_at - instruction_bytes, .fp_of = &fresh.own(), .sp_of = &fresh.own()},
      "fresh, at the jump");
  fiber.resume<Fiber>();
  EXPECT_TRUE(fiber.finished());
}

TEST(ArchBetweenStacks, D13_AWalkFindsNoCaller) {
  if (test::hooks_needed) GTEST_SKIP() << "the inline form is not used under this sanitizer";
  struct sigaction action{};
  action.sa_sigaction = walk_from_the_plan;
  action.sa_flags = SA_SIGINFO;
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  expect_no_caller_between_stacks<form::in_line>();
  expect_no_caller_between_stacks<form::out_of_line>();
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
