// SPDX-License-Identifier: Apache-2.0
#include "bast/io/wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "bast/cancel/time.hpp"
#include "bast/io.hpp"
#include "bast/io/wheel_test.hpp"
#include "bast/testing/random.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

/// Zero, the times around each bit, and the last ones: every boundary of a digit is among them.
std::vector<std::uint64_t> edges() {
  std::vector<std::uint64_t> out{0, last_time - 1, last_time};
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t at = std::uint64_t{1} << bit;
    out.insert(out.end(), {at - 1, at, at + 1, at - 1 + (at >> 1)});
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

TEST(Wheel, AnEmptyOneHandsOutNothing) {
  clockwork w(7);
  EXPECT_EQ(w.all.now_ns(), 7U);
  for (const std::uint64_t now : {std::uint64_t{7}, std::uint64_t{8}, last_time, last_time}) {
    EXPECT_TRUE(w.all.empty());
    EXPECT_EQ(w.all.next_ns(), last_time);
    EXPECT_EQ(w.round(now), ids{});
  }
}

TEST(Wheel, EachDeadlineFiresAtItsTimeAndOnceFromEachStart) {
  for (const std::uint64_t start : edges()) {
    for (const std::uint64_t at : edges()) {
      if (at <= start) continue;
      clockwork w(start);
      test_timer& one = w.arm(at);
      ASSERT_EQ(w.all.next_ns(), at);
      // Half of the way, where it may have to move.
      ASSERT_EQ(w.step(start + (at - start) / 2), at - start == 0 ? 0 : -1);
      ASSERT_EQ(w.step(at - 1), -1);
      ASSERT_EQ(w.all.next_ns(), at);
      ASSERT_TRUE(wheel::armed(one));
      ASSERT_EQ(w.round(at), ids{0});
      ASSERT_TRUE(w.all.empty());
      if (at == last_time) continue;
      w.arm(one, at + 1);
      ASSERT_EQ(w.round(at), ids{});
      ASSERT_EQ(w.round(at + 1), ids{0});
    }
  }
}

TEST(Wheel, OrderIsThatOfTheDeadlinesInOneRoundAndInMany) {
  auto random = test::random_numbers::of_this_test();
  std::vector<std::uint64_t> times = edges();
  times.erase(times.begin());  // 0 is due from the beginning.
  for (std::size_t i = times.size(); i > 1; --i) std::swap(times[i - 1], times[random.below(i)]);
  for (const bool at_once : {true, false}) {
    clockwork w;
    std::vector<std::pair<std::uint64_t, int>> sorted;
    for (const std::uint64_t at : times) sorted.emplace_back(at, w.arm(at).id);
    std::ranges::sort(sorted);
    ids expected;
    ids seen;
    for (const auto& [at, id] : sorted) {
      expected.push_back(id);
      if (at_once) continue;
      EXPECT_EQ(w.round(at), ids{id});
      seen.push_back(id);
    }
    if (at_once) seen = w.round(last_time);
    EXPECT_EQ(seen, expected);
  }
}

// One is armed at each distance, from the top level down to 1 ns before the deadline, so that the
// first ones have moved down by then and the later ones were placed there directly.
TEST(Wheel, EqualDeadlinesFireInOrderOfArmingAfterEveryCascade) {
  for (const std::uint64_t at : {last_time, std::uint64_t{0x0fed'cba9'8765'4321},
                                 std::uint64_t{1} << 60, std::uint64_t{1} << 6}) {
    clockwork w;
    ids expected;
    for (unsigned bit = 64; bit-- > 0;) {
      const std::uint64_t distance = std::uint64_t{1} << bit;
      if (distance > at) continue;
      EXPECT_EQ(w.round(at - distance), ids{});
      for (int twice = 0; twice < 2; ++twice) expected.push_back(w.arm(at).id);
    }
    // Others nearby, which go the same way.
    const int before = w.arm(at - 1).id;
    expected.push_back(w.arm(at).id);
    EXPECT_EQ(w.round(at - 1), ids{});  // It was due when it was armed: the next round.
    EXPECT_EQ(w.round(at - 1), ids{before});
    EXPECT_EQ(w.round(at), expected);
  }
}

TEST(Wheel, EqualDeadlinesKeepTheirOrderWhenOneIsArmedAgain) {
  clockwork w;
  constexpr std::uint64_t at = 5000;
  std::array<test_timer*, 4> four{};
  for (test_timer*& each : four) each = &w.arm(at);
  w.disarm(*four[1]);
  w.arm(*four[1], at);
  EXPECT_EQ(w.round(4990), ids{});
  w.disarm(*four[0]);
  w.arm(*four[0], at);
  EXPECT_EQ(w.round(at), (ids{2, 3, 1, 0}));
}

TEST(Wheel, DisarmingWorksAtEveryPlaceOfAList) {
  constexpr std::uint64_t now = 100;
  // In each level, and due: a list of up to four, from which each subset is removed.
  for (const std::uint64_t at : {std::uint64_t{100}, std::uint64_t{101}, std::uint64_t{200},
                                 std::uint64_t{1} << 40, last_time}) {
    for (unsigned removed = 0; removed < 16; ++removed) {
      clockwork w(now);
      std::array<test_timer*, 4> four{};
      for (test_timer*& each : four) each = &w.arm(at);
      ids expected;
      for (unsigned i = 0; i < 4; ++i) {
        if ((removed >> i & 1U) == 0) expected.push_back(static_cast<int>(i));
      }
      for (unsigned i = 0; i < 4; ++i) {
        if ((removed >> i & 1U) == 0) continue;
        EXPECT_TRUE(w.disarm(*four[i]));
        EXPECT_FALSE(w.disarm(*four[i]));
      }
      EXPECT_EQ(w.all.empty(), expected.empty());
      // The list is usable afterwards.
      expected.push_back(w.arm(at).id);
      if (w.all.is_due(at)) {
        EXPECT_EQ(w.round(at), ids{});
      }
      EXPECT_EQ(w.round(at), expected);
      EXPECT_TRUE(w.all.empty());
    }
  }
}

TEST(Wheel, NeverAndTheLastTimesAreTimes) {
  constexpr auto forever = static_cast<std::uint64_t>(nanoseconds_of(never));
  clockwork w(1'000'000);
  w.arm(last_time);
  w.arm(forever);
  w.arm(forever - 1);
  w.arm(last_time - 1);
  EXPECT_EQ(w.all.next_ns(), forever - 1);
  EXPECT_EQ(w.round(forever - 2), ids{});
  EXPECT_EQ(w.round(forever), (ids{2, 1}));
  EXPECT_EQ(w.all.next_ns(), last_time - 1);
  EXPECT_EQ(w.round(last_time - 1), ids{3});
  EXPECT_EQ(w.round(last_time), ids{0});
  // Nothing is in the future any more.
  w.arm(last_time);
  EXPECT_EQ(w.all.next_ns(), last_time);
  EXPECT_EQ(w.round(last_time), ids{});
  EXPECT_EQ(w.round(last_time), ids{4});
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
