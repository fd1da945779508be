// SPDX-License-Identifier: Apache-2.0
//
// A profiler can interrupt anywhere. These tests single-step every switch with the processor's trap
// flag and walk the stack at each instruction, from the end of one switch to the end of the next,
// including the entry to a fresh stack and the final exit from one. Before the change of stacks a
// walk finds the flow that leaves, after it the one that continues. In between, the registers
// belong to both, and a walk must find no caller (D13). The matrix of ci/run repeats this at every
// -O level.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

#include <cstdint>

#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/raw_fiber.hpp"

extern "C" const void* const bast_arch_stack_end;  // switch.S

namespace bast::inline BAST_ABI::arch {
namespace {

using test::form;
using test::raw_fiber;

constexpr int walk_max = 100;
constexpr int lives = 3;  // resumptions of the fiber
constexpr std::uint64_t trap_flag = 0x100;

/// The frames that an unwinder finds from the interrupted instruction.
struct interrupted_walk {
  std::uintptr_t pc = 0;
  std::uintptr_t outermost = 0;
  int frames = -1;  // above the interrupted one; -1 until that is found
};

/// The walks of one flow of control, counted by result.
struct seen_in_steps {
  int steps = 0;
  int on_the_thread = 0;
  int on_the_fiber = 0;
  int between = 0;  // no caller
  int lost = 0;     // anything else
};

/// libgcc's unwinder, which backtrace() uses too. With libc++, LLVM's is linked as well and found
/// first. LLVM 19's treats the interrupted instruction like one after a call and applies the rules
/// of the instruction before it, so its walks from any function prologue are wrong.
struct unwinder {
  decltype(&::_Unwind_Backtrace) backtrace = nullptr;
  decltype(&::_Unwind_GetIP) pc_of = nullptr;

  bool find() {
    void* const library = ::dlopen("libgcc_s.so.1", RTLD_NOW);
    if (library == nullptr) return false;
    backtrace = reinterpret_cast<decltype(backtrace)>(::dlsym(library, "_Unwind_Backtrace"));
    pc_of = reinterpret_cast<decltype(pc_of)>(::dlsym(library, "_Unwind_GetIP"));
    return backtrace != nullptr && pc_of != nullptr;
  }
};

constinit unwinder libgcc;
constinit seen_in_steps seen;
constinit std::uintptr_t outermost_of_thread = 0;
constinit volatile bool stepping = false;

_Unwind_Reason_Code collect_above(_Unwind_Context* frame, void* out) {
  auto& walk = *static_cast<interrupted_walk*>(out);
  const std::uintptr_t pc = libgcc.pc_of(frame);
  if (walk.frames >= 0) {
    // libgcc also reports the caller of the outermost function, at address zero.
    if (pc == 0) return _URC_NO_REASON;
    walk.outermost = pc;
    ++walk.frames;
  } else if (pc == walk.pc) {
    walk.frames = 0;
  }
  return walk.frames < walk_max ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

void on_step(int, siginfo_t*, void* context) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  if (!stepping) {
    machine.gregs[REG_EFL] &= ~static_cast<greg_t>(trap_flag);
    return;
  }
  machine.gregs[REG_EFL] |= static_cast<greg_t>(trap_flag);
  interrupted_walk walk;
  walk.pc = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
  const _Unwind_Reason_Code end = libgcc.backtrace(collect_above, &walk);
  ++seen.steps;
  if (end != _URC_END_OF_STACK || walk.frames < 0) {
    ++seen.lost;
  } else if (walk.frames == 0) {
    ++seen.between;
  } else if (walk.outermost == reinterpret_cast<std::uintptr_t>(bast_arch_stack_end)) {
    ++seen.on_the_fiber;
  } else if (walk.outermost == outermost_of_thread) {
    ++seen.on_the_thread;
  } else {
    ++seen.lost;
  }
}

[[gnu::noinline]] void start_stepping() {
  stepping = true;
  ::raise(SIGTRAP);
}

_Unwind_Reason_Code remember(_Unwind_Context* frame, void*) {
  if (const std::uintptr_t pc = libgcc.pc_of(frame); pc != 0) outermost_of_thread = pc;
  return _URC_NO_REASON;
}

/// The maximum number of instructions that a form executes between the stacks.
constexpr int between_one_switch(form f) { return f == form::in_line ? 2 : 4; }

template <form Resumer, form Fiber>
int step_through(int stack_flag) {
  alignas(16) static std::byte alternate[256 << 10];
  stack_t other{};
  other.ss_sp = alternate;
  other.ss_size = sizeof alternate;
  struct sigaction action{};
  action.sa_sigaction = on_step;
  action.sa_flags = SA_SIGINFO | stack_flag;
  if (::sigaltstack(&other, nullptr) != 0 || ::sigaction(SIGTRAP, &action, nullptr) != 0) return 1;
  libgcc.backtrace(remember, nullptr);
  raw_fiber fiber(Fiber, [](raw_fiber& self) {
    for (int life = 1; life < lives; ++life) self.suspend<Fiber>();
  });
  start_stepping();
  for (int life = 0; life < lives; ++life) fiber.resume<Resumer>();
  stepping = false;
  if (!fiber.finished()) return 2;
  if (seen.lost != 0) return 3;
  if (seen.on_the_thread < 10 || seen.on_the_fiber < 10) return 4;
  // Each switch must have such instructions, or nothing was tested; and only a few.
  const int most = lives * (between_one_switch(Resumer) + between_one_switch(Fiber));
  if (seen.between < 2 * 2 * lives || seen.between > most) return 5;
  return 0;
}

template <form Resumer, form Fiber>
void expect_each_step_to_be_known() {
  for (const int stack_flag : {0, SA_ONSTACK}) {
    EXPECT_EQ(test::in_child([=] { return step_through<Resumer, Fiber>(stack_flag); }), 0)
        << test::name_of(Resumer) << ", " << test::name_of(Fiber)
        << (stack_flag == 0 ? ", on the same stack" : ", on the alternate stack");
  }
}

TEST(ArchStep, D13_AWalkFromAnyInstructionOfASwitchEndsOrStopsThere) {
  if (test::hooks_needed) GTEST_SKIP() << "the inline form is not used under this sanitizer";
  if (test::under_valgrind) GTEST_SKIP() << "valgrind executes no single instruction";
  ASSERT_TRUE(libgcc.find()) << ::dlerror();
  expect_each_step_to_be_known<form::in_line, form::in_line>();
  expect_each_step_to_be_known<form::in_line, form::out_of_line>();
  expect_each_step_to_be_known<form::out_of_line, form::in_line>();
  expect_each_step_to_be_known<form::out_of_line, form::out_of_line>();
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
