// SPDX-License-Identifier: Apache-2.0
//
// A million random operations on a wheel and on a sorted multimap, which must agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "bast/io/wheel.hpp"
#include "bast/testing/random.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

/// The law: sorted by deadline, equal ones in order of insertion, which std::multimap keeps.
class sorted_model {
 public:
  explicit sorted_model(std::uint64_t now_ns) : now_ns_(now_ns) {}

  void arm(std::size_t id, std::uint64_t at_ns) {
    if (at_ns <= now_ns_) {
      next_round_.push_back(id);
    } else {
      sorted_.emplace(at_ns, id);
    }
  }
  void disarm(std::size_t id) {
    std::erase(next_round_, id);
    std::erase_if(sorted_, [&](const auto& each) { return each.second == id; });
  }
  std::optional<std::size_t> advance(std::uint64_t now_ns) {
    if (now_ns < now_ns_) return {};
    if (const auto found = take()) return found;
    for (const std::size_t id : next_round_) sorted_.emplace(now_ns_, id);
    next_round_.clear();
    if (now_ns == now_ns_) return {};
    now_ns_ = now_ns;
    return take();
  }
  /// Its own answer to next_ns(), always exact; earlier than now_ns() only within a round.
  std::uint64_t next_ns() const {
    const std::uint64_t first = sorted_.empty() ? UINT64_MAX : sorted_.begin()->first;
    return next_round_.empty() ? first : std::min(first, now_ns_);
  }
  bool empty() const { return sorted_.empty() && next_round_.empty(); }
  std::uint64_t now_ns() const { return now_ns_; }
  /// A deadline that is armed, or `otherwise`.
  std::uint64_t some_deadline(std::uint64_t from, std::uint64_t otherwise) const {
    const auto found = sorted_.lower_bound(from);
    return found == sorted_.end() ? otherwise : found->first;
  }

 private:
  std::optional<std::size_t> take() {
    if (sorted_.empty() || sorted_.begin()->first > now_ns_) return {};
    const std::size_t id = sorted_.begin()->second;
    sorted_.erase(sorted_.begin());
    return id;
  }

  std::uint64_t now_ns_;
  std::multimap<std::uint64_t, std::size_t> sorted_;
  std::vector<std::size_t> next_round_;
};

struct numbered : timer {
  std::size_t id = 0;
};

/// One start of the time, and many operations.
class life {
 public:
  life(test::random_numbers& random, std::uint64_t start, std::size_t timers, bool removes)
      : random_(random), wheel_(start), model_(start), items_(timers), removes_(removes) {
    for (std::size_t i = 0; i < timers; ++i) items_[i].id = i;
  }
  life(const life&) = delete;
  life& operator=(const life&) = delete;
  ~life() {
    for (numbered& each : items_) wheel_.disarm(each);
  }

  void run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFatalFailure(); ++i) {
      numbered& one = items_[random_.below(items_.size())];
      if (random_.below(3) == 0) {
        advance();
      } else if (!wheel::armed(one)) {
        arm(one);
      } else if (removes_) {
        EXPECT_TRUE(wheel_.disarm(one));
        model_.disarm(one.id);
        exact_ = model_.empty();
      }
      compare();
      if (i % 512 == 0) wheel_.check_invariants();
    }
    wheel_.check_invariants();
    std::size_t left = 0;
    while (!model_.empty()) {
      step(UINT64_MAX);
      ASSERT_LT(++left, 2 * items_.size() + 4);
    }
    compare();
    ASSERT_TRUE(wheel_.empty());
  }

  std::size_t fired() const { return fired_; }

 private:
  static constexpr unsigned reach_bits = 44;

  void arm(numbered& one) {
    const std::uint64_t now = model_.now_ns();
    std::uint64_t at = now;
    switch (random_.below(8)) {
      case 0: at = model_.some_deadline(now, now); break;         // equal to another
      case 1: at = model_.some_deadline(now, now) | 63; break;    // the end of its slot
      case 2: at = now - std::min(now, random_.below(3)); break;  // due
      case 3: at = UINT64_MAX - random_.below(3); break;
      default: {
        // Each length of a distance is as likely as another; few are out of the time's reach.
        const unsigned shortest = random_.below(8) == 0 ? 0 : 64 - reach_bits;
        const std::uint64_t distance = random_.next() >> (shortest + random_.below(64 - shortest));
        at = now > UINT64_MAX - distance ? UINT64_MAX : now + distance;
      }
    }
    wheel_.arm(one, at);
    model_.arm(one.id, at);
  }
  void advance() {
    std::uint64_t now = model_.now_ns();
    const std::uint64_t bound = wheel_.next_ns();
    const std::uint64_t distance = random_.next() >> (64 - reach_bits + random_.below(reach_bits));
    switch (random_.below(8)) {
      case 0: now -= std::min<std::uint64_t>(now, 1); break;
      case 1: break;
      case 2: now = now > UINT64_MAX - distance ? UINT64_MAX : now + distance; break;
      default:
        // As far as a worker would sleep, or 1 ns less.
        if (bound > now && (bound - now) >> reach_bits == 0) now = bound - random_.below(2);
    }
    // The last time is left to the end of this life.
    now = std::min(now, UINT64_MAX - 1);
    // One call, or a whole round: the operations in between are what callbacks do.
    while (step(now) && random_.below(4) != 0) compare();
  }
  bool step(std::uint64_t now) {
    const bool goes_back = now < model_.now_ns();
    const bool vain = !goes_back && wheel_.next_ns() <= now && model_.next_ns() > now;
    const timer* const found = wheel_.advance(now);
    const auto expected = model_.advance(now);
    EXPECT_EQ(found != nullptr, expected.has_value());
    if (found != nullptr && expected) {
      EXPECT_EQ(static_cast<const numbered*>(found)->id, *expected);
      EXPECT_LE(found->at_ns(), now);
      ++fired_;
    } else if (vain) {
      EXPECT_EQ(wheel_.next_ns(), model_.next_ns());
    }
    if (!goes_back) in_round_ = found != nullptr;
    return found != nullptr;
  }
  void compare() {
    ASSERT_EQ(wheel_.now_ns(), model_.now_ns());
    ASSERT_EQ(wheel_.empty(), model_.empty());
    const std::uint64_t exact = std::max(model_.next_ns(), model_.now_ns());
    const std::uint64_t bound = wheel_.next_ns();
    ASSERT_LE(bound, exact);
    if (model_.empty()) exact_ = true;
    if (exact == model_.now_ns()) return;  // due
    if (exact_) {
      ASSERT_EQ(bound, exact);
    } else if (!in_round_) {
      ASSERT_GT(bound, model_.now_ns());
    }
  }

  test::random_numbers& random_;
  wheel wheel_;
  sorted_model model_;
  std::deque<numbered> items_;
  bool removes_;
  bool exact_ = true;  // no timer was disarmed since the wheel was empty
  bool in_round_ = false;
  std::size_t fired_ = 0;
};

TEST(WheelModel, AMillionOperationsAgreeWithASortedList) {
  auto random = test::random_numbers::of_this_test();
  std::size_t fired = 0;
  constexpr int lives = 40;
  for (int i = 0; i < lives && !HasFailure(); ++i) {
    const std::uint64_t starts[] = {0, random.next(), UINT64_MAX - random.below(1 << 20),
                                    random.next() >> random.below(64)};
    life one(random, starts[i % 4], std::size_t{1} << (1 + random.below(7)), i % 3 != 0);
    one.run(1'000'000 / lives);
    fired += one.fired();
  }
  EXPECT_GT(fired, 50'000U);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
