// SPDX-License-Identifier: Apache-2.0
//
// A pool at its limits, without memory, and at its end.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace bast::literals;

TEST(PoolEdge, ReserveAnswersExactlyAtTheMaximum) {
  coro_pool pool = *coro_pool::create({.max_coros = 10});
  EXPECT_EQ(test::words_of(pool.reserve(11)),
            "coro_pool.reserve: limit reached: more than the pool's maximum of coroutines (10)");
  EXPECT_EQ(pool.stats().stacks.slots_opened, 0U);
  EXPECT_TRUE(pool.reserve(0));
  EXPECT_TRUE(pool.reserve(10));
  EXPECT_GE(pool.stats().stacks.idle, 10U);
  EXPECT_EQ(test::words_of(coro_pool::create({.max_coros = 0})),
            "coro_pool.create: invalid argument: max_coros must be at least 1");
  EXPECT_TRUE(coro_pool::create({.max_coros = 1}));
}

#if BAST_EXCEPTIONS
TEST(PoolEdge, F17_AlsoWithoutMemoryTheNewestIsUnwoundFirst) {
  std::vector<int> order;
  struct writes {
    std::vector<int>& order;
    int number;
    ~writes() { order.push_back(number); }
  };
  order.reserve(200);
  {
    coro_pool pool = *coro_pool::create();
    // Taken and given back in another order first, so that places do not tell ages.
    std::vector<coro<>> shuffled;
    for (int i = 0; i < 150; ++i) shuffled.push_back(*pool.acquire());
    for (std::size_t i = 0; i < shuffled.size(); i += 2) ASSERT_TRUE(shuffled[i].release());
    for (std::size_t i = 1; i < shuffled.size(); i += 2) ASSERT_TRUE(shuffled[i].release());
    for (int i = 0; i < 150; ++i) {
      auto c = pool.acquire()->detach();
      ASSERT_TRUE(c.start([&order, i](yielder<>& out) {
        const writes local{order, i};
        out.yield();
      }));
    }
    EXPECT_TRUE(order.empty());
    const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
    const coro_pool gone = std::move(pool);
  }
  ASSERT_EQ(order.size(), 150U);
  for (int i = 0; i < 150; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], 149 - i);
}
#endif

TEST(PoolEdge, X6_APoolThatCannotBeMadeLeavesNothing) {
  {
    ASSERT_TRUE(coro_pool::create());
  }
  const test::leak_baseline before;
  const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
  EXPECT_EQ(test::kind_of(coro_pool::create()), errc::no_memory);
  EXPECT_EQ(fault.injected(), 1U);
  EXPECT_EQ(test::kind_of(coro_pool::create({.stack = {.limit = 1_KiB}})), errc::no_memory);
  EXPECT_EQ(before.differences(), "");
}

TEST(PoolEdge, WhatIsLeftAndWhatIsUsedAreTheStack) {
  coro_pool pool = *coro_pool::create({.stack = {.limit = 128_KiB, .colour = false}});
  auto c = pool.acquire();
  ASSERT_TRUE(c->start([] {
    EXPECT_FALSE(this_coro::unwinding());
    EXPECT_TRUE(this_coro::exists());
    const std::size_t used = this_coro::stack_used().count;
    const std::size_t left = this_coro::stack_left().count;
    EXPECT_GT(used, 0U);
    EXPECT_LT(used, (16_KiB).count);
    // Each measures from its own frame, and both frames are small.
    EXPECT_GT(used + left, (127_KiB).count);
    EXPECT_LT(used + left, (129_KiB).count);
  }));
}

TEST(PoolEdge, WhatIsShownAPoolsStacksMayUseThePool) {
  coro_pool pool = *coro_pool::create();
  {
    auto used = pool.acquire();
    ASSERT_TRUE(used->start([] {}));
  }
  std::size_t shown = 0;
  pool.for_each_stack([&](const stack_view&) {
    ++shown;
    EXPECT_EQ(pool.shrink(), 0_B) << "what is shown stays";
    auto c = pool.acquire();
    EXPECT_TRUE(c->start([] {})->finished());
  });
  EXPECT_GT(shown, 0U);
  pool.for_each_site([&](const site_stats&) { EXPECT_EQ(pool.shrink(), 0_B); });
  EXPECT_GT(pool.shrink(), 0_B);
  pool.check_invariants();
}

}  // namespace
}  // namespace bast
