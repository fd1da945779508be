// SPDX-License-Identifier: Apache-2.0
//
// Every walk of a context's frames ends: the exception unwinder's, backtrace()'s, and walks along
// the frame pointers. They find the entry function, then the end of the stack, and no frame of the
// resumer. gdb_test.cpp tests the same with a debugger.
#include <execinfo.h>
#include <gtest/gtest.h>
#include <unwind.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "bast/testing/raw_fiber.hpp"
#include "bast/testing/terminate.hpp"

extern "C" const void* const bast_arch_stack_end;  // switch.S

namespace bast::inline BAST_ABI::arch {
namespace {

using test::for_each_mixture;
using test::form;
using test::raw_fiber;

constexpr std::size_t frames_max = 200;

struct walk {
  std::vector<std::uintptr_t> frames;
  _Unwind_Reason_Code end = _URC_NO_REASON;
};

_Unwind_Reason_Code collect(_Unwind_Context* frame, void* out) {
  auto& frames = static_cast<walk*>(out)->frames;
  frames.push_back(_Unwind_GetIP(frame));
  return frames.size() < frames_max ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

[[gnu::noinline]] walk walk_with_the_unwinder() {
  walk seen;
  seen.end = _Unwind_Backtrace(collect, &seen);
  // libgcc also reports the caller of the outermost function, at address zero, as it does for
  // threads.
  if (!seen.frames.empty() && seen.frames.back() == 0) seen.frames.pop_back();
  return seen;
}

/// Calls `f` below `depth` more frames.
template <class F>
[[gnu::noinline]] int below_frames(int depth, const F& f) {
  // Opaque to the compiler: prevents inlining, and a loop in place of the recursion.
  int (*volatile deeper)(int, const F&) = below_frames<F>;
  int below = 0;
  if (depth > 0) {
    below = 1 + deeper(depth - 1, f);
  } else {
    f();
  }
  asm volatile("" : "+r"(below));  // Not a tail call: the frame must stay.
  return below;
}

void expect_clean_stop(const walk& seen, std::size_t depth) {
  EXPECT_EQ(seen.end, _URC_END_OF_STACK);
  ASSERT_FALSE(seen.frames.empty());
  EXPECT_EQ(seen.frames.back(), reinterpret_cast<std::uintptr_t>(bast_arch_stack_end));
  EXPECT_GE(seen.frames.size(), depth);
  EXPECT_LE(seen.frames.size(), depth + 25) << "no frame of the resumer";
}

TEST(ArchUnwind, TheUnwinderStopsAtTheEntry) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    std::vector<walk> walks;
    raw_fiber fiber(Fiber, [&](raw_fiber& self) {
      walks.push_back(walk_with_the_unwinder());  // at first entry
      self.suspend<Fiber>();
      walks.push_back(walk_with_the_unwinder());  // after a switch
      below_frames(30, [&] {
        self.suspend<Fiber>();
        walks.push_back(walk_with_the_unwinder());
      });
    });
    // The resumer's own depth differs each time and must not matter.
    fiber.resume<Resumer>();
    below_frames(50, [&] { fiber.resume<Resumer>(); });
    fiber.resume<Resumer>();
    ASSERT_TRUE(fiber.finished());
    ASSERT_EQ(walks.size(), 3U);
    expect_clean_stop(walks[0], 2);
    expect_clean_stop(walks[1], 2);
    expect_clean_stop(walks[2], 30);
    EXPECT_EQ(walks[0].frames.size(), walks[1].frames.size());
  });
}

TEST(ArchUnwind, BacktraceStopsAtTheEntry) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    raw_fiber fiber(Fiber, [](raw_fiber& self) {
      for (int round = 0; round < 2; ++round) {
        void* frames[frames_max];
        const int count = backtrace(frames, frames_max);
        ASSERT_GT(count, 2);
        ASSERT_LT(count, 30);
        EXPECT_EQ(frames[count - 1], bast_arch_stack_end);
        self.suspend<Fiber>();
      }
    });
    for (int round = 0; round < 3; ++round) fiber.resume<Resumer>();
    EXPECT_TRUE(fiber.finished());
  });
}

TEST(ArchUnwind, TheResumersOwnWalkIsCompleteAfterASwitch) {
  // The frames of the stack that the switch returns to must survive, too.
  for_each_mixture([]<form Resumer, form Fiber>() {
    const std::size_t before = walk_with_the_unwinder().frames.size();
    raw_fiber fiber(Fiber, [](raw_fiber&) {});
    fiber.resume<Resumer>();
    EXPECT_EQ(walk_with_the_unwinder().frames.size(), before);
    EXPECT_LT(before, frames_max);
  });
}

/// Three frames that have frame pointers for certain, because each requests its own.
struct fp_walk {
  fiber_hooks hooks;
  fiber_hooks resumer_hooks;
  context own;
  context resumer;
  std::vector<std::uintptr_t> frames;
  const test::raw_stack* stack = nullptr;
};
fp_walk* fp_test = nullptr;

[[gnu::noinline]] void follow_frame_pointers() {
  auto fp = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  while (fp != 0 && fp_test->frames.size() < frames_max) {
    const auto* const frame = reinterpret_cast<const std::uintptr_t*>(fp);
    fp_test->frames.push_back(fp);
    if (!fp_test->stack->holds(frame)) return;  // Fails the test instead of crashing it.
    fp = frame[0];
  }
}

[[gnu::noinline]] void frame_in_the_middle() {
  const void* volatile mine = __builtin_frame_address(0);
  follow_frame_pointers();
  (void)mine;
}

void enter_with_frame(context*) noexcept {
  const void* volatile mine = __builtin_frame_address(0);
  fp_test->hooks.arrive(fp_test);
  frame_in_the_middle();
  (void)mine;
  fp_test->hooks.leave_for_good(fp_test->resumer_hooks, {}, fp_test);
  switch_context(fp_test->own, fp_test->resumer);
  __builtin_unreachable();
}

TEST(ArchUnwind, AWalkAlongFramePointersEndsAtZero) {
  const test::raw_stack stack;
  fp_walk test;
  test.stack = &stack;
  fp_test = &test;
  prepare(test.own, stack.top(), enter_with_frame);
  test.resumer_hooks.leave(test.hooks, stack.bounds(), &test);
  switch_context(test.resumer, test.own);
  test.resumer_hooks.arrive(&test);
  test.hooks.ended();
  ASSERT_EQ(test.frames.size(), 3U);
  EXPECT_LT(test.frames[0], test.frames[1]);
  EXPECT_LT(test.frames[1], test.frames[2]);
  EXPECT_TRUE(stack.holds(reinterpret_cast<const void*>(test.frames[2])));
}

#if BAST_EXCEPTIONS

struct counted {
  explicit counted(int& alive) : alive_(alive) { ++alive_; }
  ~counted() { --alive_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  int& alive_;
};

TEST(ArchUnwind, F9_AnExceptionUnwindsTheFramesOfItsOwnContext) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    int alive = 0;
    int caught = 0;
    raw_fiber fiber(Fiber, [&](raw_fiber& self) {
      for (int round = 1; round <= 3; ++round) {
        try {
          const counted outer(alive);
          below_frames(10, [&] {
            const counted inner(alive);
            self.suspend<Fiber>();  // Inside a try block, whose handler must still be found.
            if (alive == 2) throw std::runtime_error(std::to_string(round));
          });
        } catch (const std::runtime_error& e) {
          caught += std::stoi(e.what());
        }
        EXPECT_EQ(alive, 0);
      }
    });
    while (!fiber.finished()) {
      // The resumer throws in between.
      EXPECT_THROW(below_frames(5, [] { throw 7; }), int);
      fiber.resume<Resumer>();
    }
    EXPECT_EQ(caught, 1 + 2 + 3);
  });
}

TEST(ArchUnwind, AnExceptionOfANestedContextDoesNotReachTheOuterOne) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    std::vector<int> trace;
    raw_fiber inner(Fiber, [&](raw_fiber&) {
      try {
        throw 1;
      } catch (int value) {
        trace.push_back(value);
      }
    });
    raw_fiber outer(Fiber, [&](raw_fiber&) {
      try {
        inner.resume<Resumer>();
        trace.push_back(2);
        throw 3;
      } catch (int value) {
        trace.push_back(value);
      }
    });
    outer.resume<Resumer>();
    EXPECT_EQ(trace, (std::vector{1, 2, 3}));
  });
}

TEST(ArchUnwindDeathTest, AnExceptionThatLeavesTheEntryFunctionTerminates) {
  const auto child = [] {
    test::announce_terminate();
    raw_fiber fiber(form::out_of_line, [](raw_fiber&) { throw std::runtime_error("escaped"); });
    fiber.resume<form::out_of_line>();
  };
  EXPECT_DEATH(child(), "std::terminate was called");
}

#endif

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
