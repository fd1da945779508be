// SPDX-License-Identifier: Apache-2.0
//
// tagged_stack, seqlock, backoff.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "bast/lockfree.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

TEST(TaggedStack, ReturnsTheLatestFirst) {
  std::array<tagged_stack::link, 4> links;
  tagged_stack s(links);
  for (int life = 0; life < 2; ++life) {
    EXPECT_TRUE(s.empty());
    EXPECT_EQ(s.pop(), std::nullopt);
    for (const std::uint32_t i : {0U, 3U, 1U}) s.push(i);
    EXPECT_FALSE(s.empty());
    EXPECT_EQ(s.pop(), 1U);
    s.push(2);
    EXPECT_EQ(s.pop(), 2U);
    EXPECT_EQ(s.pop(), 3U);
    EXPECT_EQ(s.pop(), 0U);
  }
  EXPECT_EQ(s.pop(), std::nullopt);
}

TEST(TaggedStack, IsAFreeListOfManyThreads) {
  constexpr std::uint32_t count = 16;
  std::array<tagged_stack::link, count> links;
  std::array<std::atomic<int>, count> holders{};
  tagged_stack s(links);
  for (std::uint32_t i = 0; i < count; ++i) s.push(i);
  std::atomic<int> doubly_held = 0;
  {
    std::vector<test::joined_thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20'000; ++round) {
          std::optional<std::uint32_t> mine[2] = {s.pop(), s.pop()};
          for (const auto& i : mine) {
            if (i && holders[*i]++ != 0) ++doubly_held;
          }
          for (const auto& i : mine) {
            if (!i) continue;
            --holders[*i];
            s.push(*i);
          }
        }
      });
    }
  }
  EXPECT_EQ(doubly_held, 0);
  std::vector<std::uint32_t> left;
  while (const auto i = s.pop()) left.push_back(*i);
  std::ranges::sort(left);
  std::vector<std::uint32_t> all(count);
  std::iota(all.begin(), all.end(), 0U);
  EXPECT_EQ(left, all);
}

TEST(Seqlock, CopiesWhatWasWrittenLast) {
  struct place {
    std::int64_t x, y;
    char name[5];
  };
  seqlock<place> s({.x = 1, .y = 2, .name = "home"});
  EXPECT_EQ(s.read().y, 2);
  EXPECT_STREQ(s.read().name, "home");
  s.write({.x = 3, .y = 4, .name = "work"});
  place now = {};
  ASSERT_TRUE(s.try_read(now));
  EXPECT_EQ(now.x, 3);
  EXPECT_EQ(now.y, 4);
  EXPECT_STREQ(now.name, "work");
  EXPECT_EQ(seqlock<int>().read(), 0);
}

TEST(Seqlock, ACopyIsNeverHalfOfTwoValues) {
  struct wide {
    std::array<std::uint64_t, 9> words;
  };
  seqlock<wide> s;
  std::atomic<bool> stop = false;
  std::atomic<int> copies = 0;
  std::atomic<int> mixed = 0;
  {
    std::vector<test::joined_thread> readers;
    for (int r = 0; r < 2; ++r) {
      readers.emplace_back([&] {
        while (!stop) {
          const wide copy = s.read();
          for (const std::uint64_t word : copy.words) mixed += word != copy.words[0] ? 1 : 0;
          ++copies;
        }
      });
    }
    for (std::uint64_t i = 0; i < 100'000 || copies < 100; ++i) {
      wide next = {};
      next.words.fill(i);
      s.write(next);
    }
    stop = true;
  }
  EXPECT_EQ(mixed, 0);
}

TEST(Backoff, CountsItsPausesAndBeginsAgain) {
  backoff wait;
  for (unsigned i = 0; i < 130; ++i) {
    EXPECT_EQ(wait.rounds(), i);
    wait.pause();
  }
  wait.reset();
  EXPECT_EQ(wait.rounds(), 0U);
}

}  // namespace
}  // namespace bast
