// SPDX-License-Identifier: Apache-2.0
//
// The checks for user harnesses: silent without an error, and only then.
#include "bast/testing/harness.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "bast/testing/mappings.hpp"

namespace bast::test {
namespace {

TEST(InputWatch, IsSilentWhenAllIsWell) {
  input_watch watch(1);
  for (int input = 0; input < 10; ++input) {
    watch.begin();
    {
      coro_pool pool = *coro_pool::create();
      auto c = pool.acquire();
      ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
      watch.check(pool);
      EXPECT_TRUE(c->release(abandon));
      watch.check(pool);
    }
    watch.end();
  }
}

TEST(InputWatchDeath, TellsOfWhatWasLost) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  EXPECT_DEATH(
      {
        input_watch watch(1);
        watch.begin();
        (void)::mmap(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        watch.end();
      },
      "mapped bytes: 1048576 more than before");
}

TEST(InputWatchDeath, TellsOfAGuardThatDoesNotGuard) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.tier = stack_tier::protection}});
        auto c = pool.acquire();
        (void)c->start([](yielder<>& out) { out.yield(); });
        pool.for_each_stack([](const stack_view& stack) {
          (void)os::protect(slab::of(*stack.record).low(*stack.record), os::page_bytes(),
                            os::access::read_write);
        });
        input_watch::check(pool);
      },
      "the low end of the guard of stack 0 is accessible");
}

/// Opens one page of the guard of one of two stacks and returns the result of broken_guards.
std::string with_an_opened_page(std::size_t stack, std::size_t page_of_guard) {
  coro_pool pool = *coro_pool::create({.stack = {.tier = stack_tier::protection}});
  auto first = pool.acquire();
  auto second = pool.acquire();
  (void)first->start([](yielder<>& out) { out.yield(); });
  (void)second->start([](yielder<>& out) { out.yield(); });
  EXPECT_EQ(broken_guards(pool), "");
  pool.for_each_stack([&](const stack_view& view) {
    const slab& home = slab::of(*view.record);
    const std::size_t pages = home.geometry.guard / os::page_bytes();
    const std::size_t page = std::min(page_of_guard, pages - 1);
    if (view.record->index == stack) {
      EXPECT_TRUE(os::protect(home.low(*view.record) + page * os::page_bytes(), os::page_bytes(),
                              os::access::read_write));
    }
  });
  return broken_guards(pool);
}

TEST(BrokenGuards, TellBothEndsAndTheStack) {
  constexpr std::size_t last = SIZE_MAX;
  EXPECT_EQ(with_an_opened_page(0, 0), "the low end of the guard of stack 0 is accessible");
  EXPECT_EQ(with_an_opened_page(1, 0), "the low end of the guard of stack 1 is accessible");
  EXPECT_EQ(with_an_opened_page(1, last), "the high end of the guard of stack 1 is accessible");
}

TEST(BrokenGuards, TellOfMemoryBelowTheOpenPart) {
  coro_pool pool = *coro_pool::create({.stack = {.tier = stack_tier::protection}});
  auto c = pool.acquire();
  (void)c->start([](yielder<>& out) { out.yield(); });
  pool.for_each_stack([](const stack_view& view) {
    const slab& home = slab::of(*view.record);
    std::byte* const open_low = home.open_low(*view.record);
    ASSERT_GT(open_low, view.low) << "the stack can grow";
    EXPECT_EQ(broken_guard(view), nullptr);
    ASSERT_TRUE(os::protect(open_low - os::page_bytes(), os::page_bytes(), os::access::read_write));
    EXPECT_STREQ(broken_guard(view), "the unopened part");
    ASSERT_TRUE(os::protect(open_low - os::page_bytes(), os::page_bytes(), os::access::none));
    EXPECT_EQ(broken_guard(view), nullptr);
  });
}

/// Which of `count` inputs that leak a descriptor are reported: one digit each.
std::string reported_losses(input_watch& watch, int count) {
  std::string out;
  for (int input = 0; input < count; ++input) {
    watch.begin();
    const os::descriptor leaked = os::open_file("/dev/null", O_RDONLY).value();
    out += watch.lost().empty() ? '0' : '1';
    EXPECT_EQ(watch.lost(), "") << "reported once";
  }
  return out;
}

TEST(InputWatch, ReportsTheLossOfASingleInput) {
  input_watch watch;
  EXPECT_EQ(reported_losses(watch, 1), "1") << "as in a replay";
}

TEST(InputWatch, LooksAtTheFirstInputsAndThenAtOneInAsMany) {
  input_watch each(1);
  EXPECT_EQ(reported_losses(each, 8), "11111111");
  input_watch third(3);
  EXPECT_EQ(reported_losses(third, 11), "11110010010");
}

TEST(InputWatch, LooksAtOneInputInSixtyFourByDefault) {
  input_watch watch;
  const std::string none(63, '0');
  EXPECT_EQ(reported_losses(watch, 192), std::string(64, '1') + "1" + none + "1" + none);
}

TEST(InputWatch, WhatHappensBetweenTwoInputsIsNobodysLoss) {
  input_watch watch(1);
  watch.begin();
  EXPECT_EQ(watch.lost(), "");
  const os::descriptor between = os::open_file("/dev/null", O_RDONLY).value();
  watch.begin();
  EXPECT_EQ(watch.lost(), "");
}

}  // namespace
}  // namespace bast::test
