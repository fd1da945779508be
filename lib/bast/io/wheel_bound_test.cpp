// SPDX-License-Identifier: Apache-2.0
//
// next_ns(): until when a worker may sleep.
#include <gtest/gtest.h>

#include <algorithm>

#include "bast/io/wheel_test.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

TEST(WheelBound, TheBoundIsExactAfterOneVainWake) {
  for (unsigned bit = 6; bit < 64; ++bit) {
    // Three times of one slot of each level.
    const std::uint64_t slot = std::uint64_t{1} << bit;
    clockwork w;
    test_timer& early = w.arm(slot + 1);
    test_timer& middle = w.arm(slot + 2);
    w.arm(slot + 40);
    w.disarm(early);
    EXPECT_EQ(w.all.next_ns(), slot + 1);  // Removal leaves it.
    w.disarm(middle);
    EXPECT_EQ(w.round(slot + 1), ids{});
    EXPECT_EQ(w.all.next_ns(), slot + 40);
    EXPECT_EQ(w.round(slot + 40), ids{2});
    EXPECT_EQ(w.all.next_ns(), last_time);
  }
}

TEST(WheelBound, ASlotThatWasEmptyHasANewBound) {
  clockwork w;
  test_timer& one = w.make();
  for (const std::uint64_t at : {std::uint64_t{4097}, std::uint64_t{5000}, std::uint64_t{4500}}) {
    w.arm(one, at);
    EXPECT_EQ(w.all.next_ns(), at);
    w.disarm(one);
    EXPECT_EQ(w.all.next_ns(), last_time);
  }
  // The same slot, one turn of its level later.
  w.arm(one, 4100);
  EXPECT_EQ(w.round(4100), ids{0});
  w.arm(one, 4100 + 64 * 4096);
  EXPECT_EQ(w.all.next_ns(), 4100U + 64 * 4096);
}

TEST(WheelBound, TheBoundIsTheEarliestOfAllThatWereArmed) {
  clockwork w;
  std::uint64_t earliest = last_time;
  for (const std::uint64_t at : {last_time, std::uint64_t{90'000}, std::uint64_t{90'001},
                                 std::uint64_t{80'000}, std::uint64_t{300}, std::uint64_t{290},
                                 std::uint64_t{310}, std::uint64_t{64}, std::uint64_t{1}}) {
    w.arm(at);
    earliest = std::min(earliest, at);
    EXPECT_EQ(w.all.next_ns(), earliest);
  }
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
