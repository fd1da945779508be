// SPDX-License-Identifier: Apache-2.0
//
// Growth on request. Growth by a fault needs a coroutine and is tested in layer coro.
#include "bast/stack/fault.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "bast/os.hpp"
#include "bast/stack/pool.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

using test::pages_other_than;

struct EnsureOpen : test::each_tier {
  void SetUp() override {
    test::each_tier::SetUp();
    if (IsSkipped()) return;
    const auto ready =
        pool.init({.limit = 1_MiB, .window = 16_KiB, .retain = 16_KiB, .tier = GetParam()}, 8);
    ASSERT_TRUE(ready.has_value()) << ready.error().message();
    s = pool.acquire(site_key::labelled("growing")).value();
    home = &slab::of(*s);
    page = pool.geometry().page;
    floor = home->low(*s) + home->geometry.guard;
  }
  void TearDown() override {
    if (s == nullptr) return;
    home->check_invariants();
    EXPECT_EQ(pages_other_than(false, home->low(*s), home->open_low(*s)), 0U) << "I3";
    EXPECT_EQ(pages_other_than(true, home->open_low(*s), home->high(*s)), 0U) << "I3: no hole";
    pool.release(*s);
    pool.check_invariants();
  }
  std::size_t open() const { return home->open_bytes(*s); }
  stack_pool pool;
  slot* s = nullptr;
  slab* home = nullptr;
  std::size_t page = 0;
  std::byte* floor = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Tiers, EnsureOpen, ::testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(EnsureOpen, WhatIsOpenAlreadyCostsNoCall) {
  const os::fault_scope calls;
  EXPECT_TRUE(ensure_open(*s, s->top).has_value());
  EXPECT_TRUE(ensure_open(*s, home->open_low(*s)).has_value());
  EXPECT_EQ(calls.seen(), 0U);
  EXPECT_EQ(open(), pool.geometry().window);
  EXPECT_EQ(s->grows, 0U);
}

TEST_P(EnsureOpen, X6_WhatTheDoublingGivesAnywayIsAskedForOnce) {
  std::byte* const before = home->open_low(*s);
  {
    const os::fault_scope fault({.kind = os::call::any, .nth = 1});
    const auto grown = ensure_open(*s, before - home->open_bytes(*s));
    ASSERT_FALSE(grown.has_value());
    EXPECT_EQ(grown.error(), errc::no_memory);
    EXPECT_EQ(fault.seen(), 1U);
  }
  EXPECT_EQ(home->open_low(*s), before);
  ASSERT_TRUE(ensure_open(*s, before - home->open_bytes(*s)).has_value());
}

TEST_P(EnsureOpen, OneByteBelowTheWindowAtLeastDoublesIt) {
  const std::size_t before = open();
  ASSERT_TRUE(ensure_open(*s, home->open_low(*s) - 1).has_value());
  EXPECT_EQ(open(), 2 * before);
  EXPECT_EQ(s->grows, 1U);
}

TEST_P(EnsureOpen, DeepWishOpensFromItsPageUpWithoutAHole) {
  const std::byte* const target = home->high(*s) - (700 << 10) + 123;
  ASSERT_TRUE(ensure_open(*s, target).has_value());
  EXPECT_LE(home->open_low(*s), target);
  EXPECT_GT(home->open_low(*s) + page, target);
  EXPECT_EQ(s->grows, 1U);
}

TEST_P(EnsureOpen, PageByPageIsLogarithmicallyManyGrowths) {
  for (std::byte* at = home->high(*s) - page; at >= floor; at -= page) {
    ASSERT_TRUE(ensure_open(*s, at).has_value());
  }
  EXPECT_EQ(home->open_low(*s), floor);
  EXPECT_LE(s->grows, 6U) << "16 KiB doubled to 1 MiB";
}

TEST_P(EnsureOpen, TheLimitIsAnErrorThatNamesIt) {
  ASSERT_TRUE(ensure_open(*s, floor).has_value());
  const auto refused = ensure_open(*s, floor - 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_NE(refused.error().message().find("1048576"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(home->open_low(*s), floor);
}

TEST_P(EnsureOpen, EveryRefusalHasItsWholeError) {
  const auto told = [&](const std::byte* target) {
    const error e = ensure_open(*s, target).error();
    EXPECT_STREQ(e.operation(), "ensure_stack");
    return std::pair{e.kind(), std::string(e.detail())};
  };
  using row = std::pair<errc, std::string>;
  const std::byte* const below = home->open_low(*s) - 1;
  EXPECT_EQ(told(floor - 1), row(errc::limit, "more than the stack's limit, in bytes"));
  EXPECT_NE(ensure_open(*s, floor - 1).error().message().find("1048576"), std::string::npos);
  pool.budget().set_limit(pool.budget().open());
  EXPECT_EQ(told(below), row(errc::limit, "the pool's budget of open stack bytes is spent"));
  pool.budget().set_limit(unlimited_bytes);
  process_stack_budget().set_limit(process_stack_budget().open());
  EXPECT_EQ(told(below), row(errc::limit, "the process's budget of open stack bytes is spent"));
  process_stack_budget().set_limit(unlimited_bytes);
  for (const int error_number : {ENOMEM, EINVAL, EAGAIN, EPERM}) {
    const os::fault_scope fault({.nth = 1, .persistent = true, .error_number = error_number});
    EXPECT_EQ(told(below), row(errc::no_memory, "the kernel refused to open more of the stack"));
  }
  EXPECT_EQ(open(), pool.geometry().window);
  EXPECT_EQ(s->grows, 0U);
}

TEST_P(EnsureOpen, GrowthsAreCountedUpTo65535AndUsesPendingStayWhatTheyAre) {
  s->grows.store(UINT16_MAX - 1);
  s->period = 1000;
  s->countdown.store(990);
  ASSERT_TRUE(ensure_open(*s, home->open_low(*s) - 1).has_value());
  EXPECT_EQ(s->grows, UINT16_MAX);
  EXPECT_EQ(s->countdown, 1U) << "the next release measures";
  EXPECT_EQ(s->period, 11U) << "ten uses are pending";
  ASSERT_TRUE(ensure_open(*s, home->open_low(*s) - 1).has_value());
  EXPECT_EQ(s->grows, UINT16_MAX) << "it does not wrap";
  EXPECT_EQ(s->period, 11U);
}

TEST_P(EnsureOpen, BeyondTheLimitOpensNothing) {
  const std::size_t before = open();
  EXPECT_FALSE(ensure_open(*s, home->low(*s)).has_value());
  EXPECT_EQ(open(), before);
}

TEST_P(EnsureOpen, PoolBudgetIsAnErrorThatNamesIt) {
  pool.budget().set_limit(pool.budget().open());
  const std::size_t before = open();
  const auto refused = ensure_open(*s, home->open_low(*s) - 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_NE(refused.error().message().find("pool's budget"), std::string::npos);
  EXPECT_EQ(open(), before);
  EXPECT_EQ(s->grows, 0U);
}

TEST_P(EnsureOpen, ProcessBudgetIsAnErrorThatNamesIt) {
  process_stack_budget().set_limit(process_stack_budget().open());
  const auto refused = ensure_open(*s, home->open_low(*s) - 1);
  process_stack_budget().set_limit(unlimited_bytes);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_NE(refused.error().message().find("process's budget"), std::string::npos);
  EXPECT_EQ(open(), pool.geometry().window);
}

TEST_P(EnsureOpen, ABudgetTooSmallToDoubleStillGivesWhatIsNeeded) {
  pool.budget().set_limit({pool.budget().open().count + page});
  ASSERT_TRUE(ensure_open(*s, home->open_low(*s) - 1).has_value());
  EXPECT_EQ(open(), pool.geometry().window + page);
}

TEST_P(EnsureOpen, X6_KernelRefusalIsNoMemoryAndOpensNothing) {
  const auto opening =
      GetParam() == stack_tier::guard_markers ? os::call::guard_remove : os::call::protect;
  {
    const os::fault_scope fault({.kind = opening, .nth = 1, .persistent = true});
    const auto refused = ensure_open(*s, floor);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind(), errc::no_memory);
    EXPECT_GE(fault.injected(), 1U);
  }
  EXPECT_EQ(open(), pool.geometry().window);
  EXPECT_TRUE(ensure_open(*s, floor).has_value()) << "the second attempt succeeds";
}

TEST_P(EnsureOpen, ARefusedDoublingStillGivesWhatIsNeeded) {
  const auto opening =
      GetParam() == stack_tier::guard_markers ? os::call::guard_remove : os::call::protect;
  const os::fault_scope fault({.kind = opening, .nth = 1});
  ASSERT_TRUE(ensure_open(*s, home->open_low(*s) - 1).has_value());
  EXPECT_EQ(open(), pool.geometry().window + page);
}

TEST_P(EnsureOpen, FindStackKnowsEveryAddressOfAStackAndItsParts) {
  for (std::byte* const at :
       {home->low(*s), home->open_low(*s) - 1, home->open_low(*s), s->top - 1}) {
    const stack_view view = find_stack(at);
    EXPECT_EQ(view.record, s);
    EXPECT_EQ(view.low, floor);
    EXPECT_EQ(view.open_low, home->open_low(*s));
    EXPECT_EQ(view.top, s->top);
  }
  EXPECT_NE(find_stack(home->high(*s)).record, s);
}

TEST(EnsureStack, OnAThreadsOwnStackThereIsNothingToDo) {
  int local = 0;
  EXPECT_EQ(find_stack(&local).record, nullptr);
  EXPECT_TRUE(ensure_stack(bytes{1}).has_value());
  EXPECT_TRUE(ensure_stack(unlimited_bytes).has_value());
}

}  // namespace
}  // namespace bast
