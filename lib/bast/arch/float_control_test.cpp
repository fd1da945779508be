// SPDX-License-Identifier: Apache-2.0
#include "bast/arch/float_control.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "bast/testing/emulation.hpp"
#include "bast/testing/raw_fiber.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

using test::for_each_mixture;
using test::form;
using test::raw_fiber;

/// Restores the thread's control words at the end of a test.
class restore_at_end {
 public:
  ~restore_at_end() { before_.write(); }

 private:
  float_control before_ = float_control::read();
};

float_control rounding_up() {
  float_control up;
#if defined(__x86_64__)
  up.mxcsr |= 0x4000;       // bits 13 and 14: 10 is towards positive infinity
  up.x87_control |= 0x800;  // bits 10 and 11, likewise
#else
  up.fpcr |= std::uint64_t{1} << 22;  // RMode, bits 22 and 23: 01 is towards positive infinity
#endif
  return up;
}

[[gnu::noinline]] double one_third() {
  volatile double one = 1.0;
  volatile double three = 3.0;
  volatile double third = one / three;  // Volatile, so that the division happens.
  return third;
}

TEST(FloatControl, TheDefaultIsWhatEveryThreadStartsWith) {
  bool fresh = false;
  std::thread([&] { fresh = float_control::read() == float_control{}; }).join();
  EXPECT_TRUE(fresh);
}

TEST(FloatControl, WhatIsWrittenIsReadAndRulesTheArithmetic) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind computes with control words of its own";
  const restore_at_end guard;
  const double nearest = one_third();
  rounding_up().write();
  EXPECT_TRUE(float_control::read() == rounding_up());
  EXPECT_FALSE(float_control::read() == float_control{});
  EXPECT_GT(one_third(), nearest);
  float_control{}.write();
  EXPECT_EQ(one_third(), nearest);
}

#if defined(__x86_64__)
TEST(FloatControl, TheStickyFlagsAreResultsAndNotControl) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind computes with control words of its own";
  const restore_at_end guard;
  float_control{}.write();
  (void)one_third();
  EXPECT_NE(float_control::read().mxcsr & 0x20, 0U) << "the division was inexact";
  EXPECT_TRUE(float_control::read() == float_control{});
  // Each of the low six bits is a status flag; every other bit counts.
  for (unsigned bit = 0; bit < 32; ++bit) {
    float_control other;
    other.mxcsr ^= 1U << bit;
    EXPECT_EQ(other == float_control{}, bit < 6) << bit;
  }
  for (unsigned bit = 0; bit < 16; ++bit) {
    float_control other;
    other.x87_control = static_cast<std::uint16_t>(other.x87_control ^ 1U << bit);
    EXPECT_FALSE(other == float_control{}) << bit;
  }
}
#endif

TEST(FloatControl, F7_ASwitchLeavesTheControlWordsAlone) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    const restore_at_end guard;
    raw_fiber fiber(Fiber, [](raw_fiber& self) {
      EXPECT_TRUE(float_control::read() == float_control{});
      rounding_up().write();
      self.suspend<Fiber>();
      EXPECT_TRUE(float_control::read() == float_control{}) << "as the resumer set them";
    });
    float_control{}.write();
    fiber.resume<Resumer>();
    EXPECT_TRUE(float_control::read() == rounding_up()) << "as the fiber set them";
    float_control{}.write();
    fiber.resume<Resumer>();
  });
}

TEST(FloatControl, F7_SetAsideByHandTheyTravelWithTheirContext) {
  for_each_mixture([]<form Resumer, form Fiber>() {
    const restore_at_end guard;
    raw_fiber fiber(Fiber, [](raw_fiber& self) {
      rounding_up().write();
      for (;;) {
        const float_control mine = float_control::read();
        self.suspend<Fiber>();
        mine.write();
        EXPECT_TRUE(float_control::read() == rounding_up());
      }
    });
    for (int round = 0; round < 10; ++round) {
      const float_control mine = float_control::read();
      fiber.resume<Resumer>();
      mine.write();
      EXPECT_TRUE(float_control::read() == float_control{});
    }
  });
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
