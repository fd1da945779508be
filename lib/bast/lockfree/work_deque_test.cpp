// SPDX-License-Identifier: Apache-2.0
#include "bast/lockfree/work_deque.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <numeric>
#include <optional>
#include <vector>

#include "bast/lockfree.hpp"
#include "bast/testing/heap_growth.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/split_mix.hpp"

namespace bast {
namespace {

using small_deque = basic_work_deque<int, 2>;

TEST(WorkDeque, PopsTheNewestAndStealsTheOldest) {
  small_deque d;
  for (int life = 0; life < 3; ++life) {
    EXPECT_EQ(d.pop(), std::nullopt);
    EXPECT_EQ(d.steal(), std::nullopt);
    EXPECT_EQ(d.size(), 0U);
    for (int i = 0; i < 7; ++i) {
      EXPECT_TRUE(d.push(i));
      EXPECT_EQ(d.size(), static_cast<std::size_t>(i + 1));
    }
    EXPECT_EQ(d.steal(), 0);
    EXPECT_EQ(d.pop(), 6);
    EXPECT_EQ(d.steal(), 1);
    EXPECT_EQ(d.pop(), 5);
    EXPECT_EQ(d.size(), 3U);
    EXPECT_EQ(d.pop(), 4);
    EXPECT_EQ(d.pop(), 3);
    EXPECT_EQ(d.pop(), 2);  // The last one, which a thief could take.
  }
  EXPECT_EQ(d.pop(), std::nullopt);
  EXPECT_TRUE(d.push(7));
  EXPECT_EQ(d.steal(), 7);  // The last one.
  EXPECT_EQ(d.steal(), std::nullopt);
  EXPECT_EQ(d.pop(), std::nullopt);
}

// Over the end of an array, and while values are in two places of it.
TEST(WorkDeque, GrowsWithItsValuesInOrder) {
  small_deque d;
  int next = 0;
  int oldest = 0;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(d.push(next++));
    EXPECT_EQ(d.steal(), oldest++);
  }
  EXPECT_EQ(d.size(), 80U);
  while (oldest < next) EXPECT_EQ(d.steal(), oldest++);
  EXPECT_EQ(d.steal(), std::nullopt);
  EXPECT_TRUE(d.reclaim());
}

// Compared with a std::deque, also between calls that thieves may interrupt.
TEST(WorkDeque, ItsOwnerAloneTakesFromBothEnds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    test::split_mix random(seed);
    small_deque d;
    std::deque<int> model;
    const auto newest = [&]() -> std::optional<int> {
      if (model.empty()) return std::nullopt;
      const int value = model.back();
      model.pop_back();
      return value;
    };
    const auto oldest = [&]() -> std::optional<int> {
      if (model.empty()) return std::nullopt;
      const int value = model.front();
      model.pop_front();
      return value;
    };
    for (int i = 0; i < 2000; ++i) {
      switch (random.below(7)) {
        case 0: ASSERT_EQ(d.pop_unshared(), newest()); break;
        case 1: ASSERT_EQ(d.take_oldest_unshared(), oldest()); break;
        case 2: ASSERT_EQ(d.pop(), newest()); break;
        case 3: ASSERT_EQ(d.steal(), oldest()); break;
        default:
          // Full and empty by turns: over the end of the array, and growing.
          if (i / 200 % 2 == 1 && model.size() > 1) break;
          ASSERT_TRUE(d.push(i));
          model.push_back(i);
      }
      ASSERT_EQ(d.size(), model.size());
      ASSERT_EQ(d.newest(), model.empty() ? std::nullopt : std::optional(model.back()));
    }
    while (!model.empty()) {
      ASSERT_EQ(d.pop_unshared(), newest());
      ASSERT_EQ(d.take_oldest_unshared(), oldest());
    }
    ASSERT_EQ(d.pop_unshared(), std::nullopt);
    ASSERT_EQ(d.take_oldest_unshared(), std::nullopt);
  }
}

TEST(WorkDeque, ABatchIsInOrderAndGrowsAsNeeded) {
  small_deque d;
  int next = 0;
  const auto counting = [&next] { return next++; };
  EXPECT_TRUE(d.push_all(0, counting));
  EXPECT_EQ(d.size(), 0U);
  EXPECT_TRUE(d.push_all(2, counting));
  EXPECT_TRUE(d.push_all(100, counting));
  EXPECT_EQ(d.size(), 102U);
  EXPECT_EQ(d.steal(), 0);
  EXPECT_TRUE(d.push_all(3, counting));
  EXPECT_EQ(d.pop(), 104);
  for (int i = 1; i < 104; ++i) EXPECT_EQ(d.steal(), i);
  EXPECT_EQ(d.pop(), std::nullopt);
}

TEST(WorkDeque, WithoutMemoryABatchChangesNothing) {
  small_deque d;
  EXPECT_TRUE(d.push(7));
  {
    const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
    EXPECT_FALSE(d.reserve(2));
    EXPECT_FALSE(d.push_all(2, []() -> int {
      ADD_FAILURE();
      return 0;
    }));
  }
  EXPECT_EQ(d.size(), 1U);
  EXPECT_TRUE(d.reserve(5));
  const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_TRUE(d.push_all(5, [] { return 8; }));
  EXPECT_EQ(d.pop(), 8);
}

TEST(WorkDeque, FreesTheArraysThatItHasReplaced) {
  const std::size_t before = test::heap_in_use();
  small_deque d;
  constexpr int count = 4096;
  for (int i = 0; i < count; ++i) EXPECT_TRUE(d.push(i));
  // The last array; those before it are as large together.
  EXPECT_LT(test::heap_in_use() - before, count * sizeof(int) * 5 / 4);
}

TEST(WorkDeque, WithoutMemoryAPushChangesNothing) {
  small_deque d;
  {
    const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
    EXPECT_FALSE(d.push(1));
  }
  EXPECT_EQ(d.size(), 0U);
  EXPECT_TRUE(d.push(1));
  EXPECT_TRUE(d.push(2));
  {
    const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
    EXPECT_FALSE(d.push(3));
    EXPECT_FALSE(d.push(3));
  }
  EXPECT_EQ(d.size(), 2U);
  EXPECT_TRUE(d.push(3));
  EXPECT_EQ(d.steal(), 1);
  EXPECT_EQ(d.pop(), 3);
  EXPECT_EQ(d.pop(), 2);
}

TEST(WorkDeque, EachTaskIsRunOnceByItsOwnerOrAThief) {
  constexpr int count = 60'000;
  constexpr std::size_t thieves = 3;
  small_deque d;
  std::atomic<int> left = count;
  std::vector<std::vector<int>> got(1 + thieves);
  {
    std::vector<test::joined_thread> threads;
    for (std::size_t t = 1; t <= thieves; ++t) {
      threads.emplace_back([&, t] {
        for (backoff wait; left > 0;) {
          if (const auto task = d.steal()) {
            got[t].push_back(*task);
            --left;
            wait.reset();
          } else {
            wait.pause();
          }
        }
      });
    }
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(d.push(i));
      // Mostly short, so that the last value is fought for; and sometimes growing.
      while (d.size() > (i % 1000 == 0 ? 100U : 1U)) {
        const auto task = d.pop();
        if (!task) break;
        got[0].push_back(*task);
        --left;
      }
    }
    while (const auto task = d.pop()) {
      got[0].push_back(*task);
      --left;
    }
  }
  std::vector<int> all;
  for (const auto& mine : got) all.insert(all.end(), mine.begin(), mine.end());
  std::ranges::sort(all);
  std::vector<int> expected(count);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
  EXPECT_TRUE(d.reclaim());
}

}  // namespace
}  // namespace bast
