// SPDX-License-Identifier: Apache-2.0
//
// The three rings: what they deliver on one thread and between real ones. stress/interleave runs
// them in every order.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bast/lockfree.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

/// Counts the living, and says who was moved from.
class counted {
 public:
  explicit counted(int number, int& alive) noexcept : number_(number), alive_(&alive) { ++alive; }
  counted(counted&& other) noexcept
      : number_(std::exchange(other.number_, -1)), alive_(other.alive_) {
    ++*alive_;
  }
  counted& operator=(counted&&) = delete;
  ~counted() { --*alive_; }
  int number() const { return number_; }

 private:
  int number_;
  int* alive_;
};

template <class Ring>
class Rings : public testing::Test {};
using each_ring =
    testing::Types<spsc_ring<counted, 4>, mpsc_ring<counted, 4>, mpmc_ring<counted, 4>>;
TYPED_TEST_SUITE(Rings, each_ring);

TYPED_TEST(Rings, DeliverTheOldestFirstLapAfterLap) {
  int alive = 0;
  TypeParam ring;
  EXPECT_EQ(ring.size(), 0U);
  EXPECT_EQ(ring.capacity(), 4U);
  EXPECT_FALSE(ring.pop());
  int pushed = 0;
  int popped = 0;
  // 1 in and 1 out, 2 and 2, 3 and 3, 4 and 4, each at every place of the ring.
  for (int lap = 0; lap < 24; ++lap) {
    const int count = 1 + lap % 4;
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(ring.push(counted(pushed++, alive)));
      EXPECT_EQ(ring.size(), static_cast<std::size_t>(i + 1));
      EXPECT_EQ(alive, i + 1);
    }
    for (int i = 0; i < count; ++i) {
      const auto got = ring.pop();
      ASSERT_TRUE(got);
      EXPECT_EQ(got->number(), popped++);
    }
    EXPECT_FALSE(ring.pop());
    EXPECT_EQ(alive, 0);
  }
}

TYPED_TEST(Rings, AFullOneLeavesTheValueToItsPusher) {
  int alive = 0;
  TypeParam ring;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(counted(i, alive)));
  counted fifth(4, alive);
  for (int again = 0; again < 2; ++again) {
    EXPECT_FALSE(ring.push(std::move(fifth)));
    EXPECT_EQ(fifth.number(), 4);
    EXPECT_EQ(ring.size(), 4U);
    EXPECT_EQ(alive, 5);
  }
  EXPECT_EQ(ring.pop()->number(), 0);
  EXPECT_TRUE(ring.push(std::move(fifth)));
  EXPECT_EQ(fifth.number(), -1);
  for (int i = 1; i < 5; ++i) EXPECT_EQ(ring.pop()->number(), i);
  EXPECT_FALSE(ring.pop());
}

TYPED_TEST(Rings, DestroyWhatIsLeft) {
  int alive = 0;
  for (int left = 0; left <= 4; ++left) {
    TypeParam ring;
    // Not from the first place on.
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(ring.push(counted(i, alive)));
      EXPECT_TRUE(ring.pop());
    }
    for (int i = 0; i < left; ++i) EXPECT_TRUE(ring.push(counted(i, alive)));
    EXPECT_EQ(alive, left);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Rings, TakeWhatCanOnlyBeMoved) {
  spsc_ring<std::unique_ptr<int>, 2> one;
  mpsc_ring<std::unique_ptr<int>, 2> two;
  mpmc_ring<std::unique_ptr<int>, 2> three;
  EXPECT_TRUE(one.push(std::make_unique<int>(1)));
  EXPECT_TRUE(two.push(*one.pop()));
  EXPECT_TRUE(three.push(*two.pop()));
  EXPECT_EQ(**three.pop(), 1);
  static_assert(!std::is_copy_constructible_v<decltype(one)> &&
                !std::is_move_constructible_v<decltype(one)>);
}

TEST(Rings, TheTwoSidesOfOneAreOnLinesOfTheirOwn) {
  static_assert(sizeof(spsc_ring<char, 64>) == 3 * cache_line_bytes);
  static_assert(alignof(mpmc_ring<char, 2>) == cache_line_bytes);
  static_assert(sizeof(padded<char>) == cache_line_bytes);
}

// Each value is a pusher's number and a count: nothing is lost, nothing comes twice, and the values
// of a pusher keep their order at each popper.
template <class Ring>
void pass_between(int pushers, int poppers, int count) {
  Ring ring;
  std::atomic<int> left = pushers * count;
  std::vector<std::vector<int>> got(static_cast<std::size_t>(poppers));
  {
    std::vector<test::joined_thread> threads;
    for (int p = 0; p < pushers; ++p) {
      threads.emplace_back([&ring, p, count] {
        for (int i = 0; i < count; ++i) {
          int value = p * count + i;
          for (backoff wait; !ring.push(std::move(value)); wait.pause()) {
          }
        }
      });
    }
    for (auto& mine : got) {
      threads.emplace_back([&ring, &left, &mine] {
        for (backoff wait; left > 0;) {
          if (const auto value = ring.pop()) {
            mine.push_back(*value);
            --left;
            wait.reset();
          } else {
            wait.pause();
          }
        }
      });
    }
  }
  std::vector<int> all;
  for (const auto& mine : got) {
    std::vector<int> last(static_cast<std::size_t>(pushers), -1);
    for (const int value : mine) {
      int& before = last[static_cast<std::size_t>(value / count)];
      EXPECT_LT(before, value);
      before = value;
      all.push_back(value);
    }
  }
  std::ranges::sort(all);
  std::vector<int> expected(static_cast<std::size_t>(pushers * count));
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
}

TEST(Rings, LoseNothingBetweenThreads) {
  pass_between<spsc_ring<int, 8>>(1, 1, 50'000);
  pass_between<mpsc_ring<int, 8>>(3, 1, 20'000);
  pass_between<mpmc_ring<int, 8>>(3, 3, 10'000);
}

}  // namespace
}  // namespace bast
