// SPDX-License-Identifier: Apache-2.0
//
// The contract of switch.hpp, for both forms and all four mixtures. <cpu>/registers_test.cpp covers
// registers, live_values_test.cpp the live values of the inline form.
#include "bast/arch/switch.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bast/testing/random.hpp"
#include "bast/testing/raw_fiber.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

using test::for_each_mixture;
using test::form;
using test::raw_fiber;

TEST(SwitchContract, NothingRunsBeforeTheFirstSwitch) {
  bool ran = false;
  const raw_fiber fiber(form::in_line, [&](raw_fiber&) { ran = true; });
  EXPECT_FALSE(ran);
}

/// One script of resumes and suspensions, and the events that both sides record.
template <form Resumer, form Fiber>
std::vector<std::string> trace_of_a_script() {
  std::vector<std::string> trace;
  int passed = 0;
  raw_fiber fiber(Fiber, [&](raw_fiber& self) {
    trace.push_back("entered " + std::to_string(passed));
    for (int i = 1; i <= 5; ++i) {
      trace.push_back("suspends " + std::to_string(i));
      passed = -i;
      self.suspend<Fiber>();
      trace.push_back("was passed " + std::to_string(passed));
    }
  });
  for (int i = 1; !fiber.finished(); ++i) {
    passed = i;
    fiber.resume<Resumer>();
    trace.push_back("got " + std::to_string(passed));
  }
  return trace;
}

TEST(SwitchContract, D13_BothFormsAndAllMixturesLeaveTheSameTrace) {
  const auto expected = trace_of_a_script<form::out_of_line, form::out_of_line>();
  EXPECT_EQ(expected.size(), 17U);
  EXPECT_EQ(expected.front(), "entered 1");
  EXPECT_EQ(expected.back(), "got 6");
  for_each_mixture([&]<form Resumer, form Fiber>() {
    EXPECT_EQ((trace_of_a_script<Resumer, Fiber>()), expected)
        << name_of(Resumer) << ", " << name_of(Fiber);
  });
}

TEST(SwitchContract, D13_EachSwitchMayTakeAnotherForm) {
  auto random = test::random_numbers::of_this_test();
  int inside = 0;
  raw_fiber fiber(form::in_line, [&](raw_fiber& self) {
    while (inside < 4000) {
      ++inside;
      if (random.below(2) == 0) {
        self.suspend<form::in_line>();
      } else {
        self.suspend<form::out_of_line>();
      }
    }
  });
  for (int outside = 1; outside <= 4001; ++outside) {
    if (random.below(2) == 0) {
      fiber.resume<form::in_line>();
    } else {
      fiber.resume<form::out_of_line>();
    }
    ASSERT_EQ(inside, outside <= 4000 ? outside : 4000);
  }
  EXPECT_TRUE(fiber.finished());
}

TEST(SwitchContract, ASuspendedContextLiesOnItsOwnStackAndTheStackDoesNotCreep) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    raw_fiber fiber(Fiber, [](raw_fiber& self) {
      for (;;) self.suspend<Fiber>();
    });
    fiber.resume<Resumer>();
    const void* const first = fiber.own().sp;
    const void* const resumers = fiber.resumer().sp;
    for (int i = 0; i < 10'000; ++i) {
      fiber.resume<Resumer>();
      ASSERT_EQ(fiber.own().sp, first);
    }
    EXPECT_TRUE(fiber.stack().holds(first));
    EXPECT_FALSE(fiber.stack().holds(resumers));
    if (Resumer == form::out_of_line) {
      // Below the frame that holds this variable, on this thread's stack.
      EXPECT_LT(resumers, __builtin_frame_address(0));
    }
  });
}

TEST(SwitchContract, ContextsMayBeNestedDeeply) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    constexpr int depth = 100;
    std::vector<std::unique_ptr<raw_fiber>> fibers;
    std::vector<int> trace;
    for (int i = 0; i < depth; ++i) {
      fibers.push_back(std::make_unique<raw_fiber>(Fiber, [&, i](raw_fiber& self) {
        trace.push_back(i);
        if (i + 1 < depth) fibers[static_cast<std::size_t>(i) + 1]->resume<Resumer>();
        self.suspend<Fiber>();
        if (i + 1 < depth) fibers[static_cast<std::size_t>(i) + 1]->resume<Resumer>();
        trace.push_back(-i);
      }));
    }
    fibers[0]->resume<Resumer>();  // In, and out again by suspending.
    fibers[0]->resume<Resumer>();  // In, and out again by finishing.
    ASSERT_EQ(trace.size(), 2U * depth);
    for (int i = 0; i < depth; ++i) {
      EXPECT_EQ(trace[static_cast<std::size_t>(i)], i);
      EXPECT_EQ(trace[static_cast<std::size_t>(2 * depth - 1 - i)], -i) << "innermost ends first";
      EXPECT_TRUE(fibers[static_cast<std::size_t>(i)]->finished());
    }
  });
}

/// Contexts that switch to each other without returning to their resumer.
struct ring {
  static constexpr std::size_t size = 5;
  context members[size];
  context outside;
  fiber_hooks hooks[size];
  fiber_hooks outside_hooks;
  test::raw_stack stacks[size];
  std::vector<std::size_t> trace;
};
ring* ring_in_test = nullptr;

template <form Form>
void run_in_ring(context* self) noexcept {
  ring& r = *ring_in_test;
  const auto index = static_cast<std::size_t>(self - r.members);
  const std::size_t next = (index + 1) % ring::size;
  r.hooks[index].arrive(self);
  for (int lap = 0; lap < 3; ++lap) {
    r.trace.push_back(index);
    r.hooks[index].leave(r.hooks[next], r.stacks[next].bounds(), &r.members[next]);
    test::switch_by<Form>(*self, r.members[next]);
    r.hooks[index].arrive(self);
  }
  r.trace.push_back(100 + index);
  r.hooks[index].leave_for_good(r.outside_hooks, {}, &r.outside);
  test::switch_by<Form>(*self, r.outside);
  __builtin_unreachable();
}

TEST(SwitchContract, ASwitchNeedNotGoBackToTheResumer) {
  ring r;
  ring_in_test = &r;
  for (std::size_t i = 0; i < ring::size; ++i) {
    // The forms alternate, so a context of one form continues one of the other.
    const bool even = i % 2 == 0;
    prepare(r.members[i], r.stacks[i].top(),
            even ? &run_in_ring<form::in_line> : &run_in_ring<form::out_of_line>);
  }
  r.outside_hooks.leave(r.hooks[0], r.stacks[0].bounds(), &r.members[0]);
  test::switch_by<form::in_line>(r.outside, r.members[0]);
  r.outside_hooks.arrive(&r.outside);
  const std::vector<std::size_t> expected = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 100};
  EXPECT_EQ(r.trace, expected);
  for (fiber_hooks& each : r.hooks) each.ended();
}

TEST(SwitchContract, AContextMayContinueOnAnotherThread) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    std::vector<std::thread::id> seen;
    // Outside the lambda, so that the compiler cannot cache the thread's identity over a switch.
    const auto note = [&]()
                          __attribute__((noinline)) { seen.push_back(std::this_thread::get_id()); };
    raw_fiber fiber(Fiber, [&](raw_fiber& self) {
      note();
      self.suspend<Fiber>();
      note();
    });
    fiber.resume<Resumer>();
    std::thread other([&] { fiber.resume<Resumer>(); });
    const std::thread::id others = other.get_id();
    other.join();
    ASSERT_TRUE(fiber.finished());
    EXPECT_EQ(seen, (std::vector{std::this_thread::get_id(), others}));
  });
}

TEST(SwitchContract, TheWordsOfAFreshContextLieBelowItsTop) {
  alignas(stack_alignment) std::byte stack[4 * entry_frame_bytes] = {};
  context fresh;
  fresh.fp = stack;  // as after an earlier suspension
  std::byte* const top = stack + sizeof stack - entry_frame_bytes;
  prepare(fresh, top, [](context*) noexcept {});
  EXPECT_GE(fresh.sp, top - entry_frame_bytes);
  EXPECT_LT(fresh.sp, top);
  EXPECT_EQ(fresh.fp, nullptr) << "frame-pointer walks end here";
  for (std::byte* p = stack; p < stack + sizeof stack; ++p) {
    const bool inside = p >= top - entry_frame_bytes && p < top;
    if (!inside) {
      EXPECT_EQ(*p, std::byte{0}) << "prepare writes nothing elsewhere";
    }
  }
}

#if BAST_ASSERTIONS
TEST(SwitchContractDeathTest, AMisalignedStackIsRefused) {
  alignas(stack_alignment) std::byte stack[64] = {};
  context fresh;
  EXPECT_DEATH(prepare(fresh, stack + 40, [](context*) noexcept {}),
               "top.* % stack_alignment == 0");
}
#endif

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
