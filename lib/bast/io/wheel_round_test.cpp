// SPDX-License-Identifier: Apache-2.0
//
// What a caller may do between two calls of advance(), and what it must not.
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "bast/io/wheel_test.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

TEST(WheelRound, WhatIsDueWaitsForTheNextRoundInOrderOfArming) {
  clockwork w(1000);
  EXPECT_TRUE(w.all.is_due(0));
  EXPECT_TRUE(w.all.is_due(1000));
  EXPECT_FALSE(w.all.is_due(1001));
  w.arm(1000);
  w.arm(1001);
  w.arm(3);
  EXPECT_EQ(w.all.next_ns(), 1000U);
  // A later time begins a round: what had passed counts as 1000.
  EXPECT_EQ(w.round(2000), (ids{0, 2, 1}));
  w.arm(2000);
  EXPECT_EQ(w.all.next_ns(), 2000U);
  EXPECT_EQ(w.step(2000), -1);
  EXPECT_EQ(w.all.next_ns(), 2000U);
  EXPECT_EQ(w.step(2000), 3);
}

TEST(WheelRound, ARoundEndsThoughEachTimerIsArmedAgainAtOnce) {
  clockwork w;
  std::array<test_timer*, 3> three{&w.arm(10), &w.arm(20), &w.arm(20)};
  for (int life = 0; life < 3; ++life) {
    ids seen;
    for (int id = w.step(20); id >= 0; id = w.step(20)) {
      seen.push_back(id);
      w.arm(*three[static_cast<std::size_t>(id)], 20);
    }
    EXPECT_EQ(seen, (ids{0, 1, 2}));
    EXPECT_EQ(w.all.next_ns(), 20U);
  }
}

// What a callback may do between two calls.
TEST(WheelRound, ARoundGoesOnAfterAnyChange) {
  clockwork w;
  test_timer& first = w.arm(100);
  test_timer& equal = w.arm(100);
  test_timer& moved = w.arm(100);
  test_timer& later = w.arm(5000);
  test_timer& removed = w.arm(5000);
  w.arm(5001);
  EXPECT_EQ(w.step(6000), first.id);
  w.disarm(equal);
  w.disarm(removed);
  w.disarm(moved);
  w.arm(moved, 7000);
  test_timer& passed = w.arm(200);   // Between the reached time and the round's: has passed.
  test_timer& future = w.arm(6001);  // After it.
  w.arm(first, 6000);                // The one just handed out.
  w.arm(equal, 6001);
  EXPECT_EQ(w.all.next_ns(), 6000U);
  EXPECT_EQ(w.step(6000), later.id);
  EXPECT_EQ(w.step(6000), 5);
  EXPECT_EQ(w.step(6000), -1);
  EXPECT_EQ(w.round(6001), (ids{passed.id, first.id, future.id, equal.id}));
  EXPECT_EQ(w.round(7000), ids{moved.id});
}

TEST(WheelRound, ALaterTimeWithinARoundComesAfterIt) {
  clockwork w;
  w.arm(10);
  w.arm(20);
  w.arm(30);
  EXPECT_EQ(w.step(20), 0);
  w.arm(5);
  EXPECT_EQ(w.step(40), 1);
  EXPECT_EQ(w.all.now_ns(), 20U);
  EXPECT_EQ(w.step(40), 3);
  EXPECT_EQ(w.all.now_ns(), 40U);
  EXPECT_EQ(w.step(40), 2);
  EXPECT_EQ(w.step(40), -1);
}

TEST(WheelRound, TheTimeNeverGoesBack) {
  clockwork w(100);
  w.arm(50);
  w.arm(150);
  EXPECT_EQ(w.step(99), -1);
  EXPECT_EQ(w.step(0), -1);
  EXPECT_EQ(w.all.now_ns(), 100U);
  EXPECT_EQ(w.step(200), 0);
  EXPECT_EQ(w.step(149), -1);
  EXPECT_EQ(w.all.now_ns(), 200U);
  EXPECT_EQ(w.round(200), ids{1});
}

TEST(WheelRound, ATimerMayEndWhenItWasHandedOutOrDisarmed) {
  wheel all;
  for (int life = 0; life < 2; ++life) {
    auto one = std::make_unique<test_timer>(1);
    auto two = std::make_unique<test_timer>(2);
    const std::uint64_t at = all.now_ns() + 70;
    all.arm(*one, at);
    all.arm(*two, at);
    EXPECT_EQ(all.advance(at), one.get());
    one.reset();
    EXPECT_FALSE(all.empty());  // What is left of the round counts.
    EXPECT_TRUE(all.disarm(*two));
    two.reset();
    EXPECT_EQ(all.advance(at), nullptr);
    all.check_invariants();
  }
}

#if BAST_ASSERTIONS
TEST(WheelRound, MisuseIsFound) {
  GTEST_FLAG_SET(death_test_style, "fast");
  clockwork w;
  test_timer& armed = w.arm(7);
  EXPECT_DEATH(w.all.arm(armed, 8), "!wheel::armed");
  EXPECT_DEATH(armed.~test_timer(), "next == nullptr");
  EXPECT_DEATH(w.all.~wheel(), "empty");
  wheel other;
  EXPECT_DEATH(other.disarm(armed), "emptied");
}
#endif

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
