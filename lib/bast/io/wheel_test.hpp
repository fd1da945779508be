// SPDX-License-Identifier: Apache-2.0
//
// Shared by the tests of the wheel.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "bast/io/wheel.hpp"

namespace bast::inline BAST_ABI::internal {

inline constexpr std::uint64_t last_time = UINT64_MAX;
using ids = std::vector<int>;

struct test_timer : timer {
  explicit test_timer(int number) : id(number) {}
  int id;
};

/// A wheel with timers of its own, checked after every step.
class clockwork {
 public:
  explicit clockwork(std::uint64_t now_ns = 0) : all(now_ns) { all.check_invariants(); }
  clockwork(const clockwork&) = delete;
  clockwork& operator=(const clockwork&) = delete;
  ~clockwork() {
    for (test_timer& each : items_) all.disarm(each);
    EXPECT_TRUE(all.empty());
    EXPECT_EQ(all.next_ns(), last_time);
    all.check_invariants();
  }

  /// A new timer, whose id is the number of those before it.
  test_timer& make() { return items_.emplace_back(static_cast<int>(items_.size())); }
  void arm(test_timer& armed, std::uint64_t at_ns) {
    all.arm(armed, at_ns);
    all.check_invariants();
    EXPECT_TRUE(wheel::armed(armed));
    EXPECT_EQ(armed.at_ns(), at_ns);
    EXPECT_FALSE(all.empty());
  }
  test_timer& arm(std::uint64_t at_ns) {
    test_timer& made = make();
    arm(made, at_ns);
    return made;
  }
  bool disarm(test_timer& removed) {
    const bool was_armed = wheel::armed(removed);
    EXPECT_EQ(all.disarm(removed), was_armed);
    all.check_invariants();
    EXPECT_FALSE(wheel::armed(removed));
    return was_armed;
  }
  /// One call: the id, or -1.
  int step(std::uint64_t now_ns) {
    timer* const found = all.advance(now_ns);
    all.check_invariants();
    if (found == nullptr) return -1;
    EXPECT_FALSE(wheel::armed(*found));
    EXPECT_LE(found->at_ns(), now_ns);
    return static_cast<test_timer*>(found)->id;
  }
  /// A whole round.
  ids round(std::uint64_t now_ns) {
    ids out;
    for (int id = step(now_ns); id >= 0; id = step(now_ns)) out.push_back(id);
    EXPECT_EQ(all.now_ns(), now_ns);
    return out;
  }

  wheel all;

 private:
  std::deque<test_timer> items_;
};

}  // namespace bast::inline BAST_ABI::internal
