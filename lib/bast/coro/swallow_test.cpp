// SPDX-License-Identifier: Apache-2.0
//
// F-10: code that swallows its unwinding and never ends.
#include <gtest/gtest.h>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

#if BAST_EXCEPTIONS

namespace bast {
namespace {

/// Tries to suspend `times` times and ignores the result.
void suspend_stubbornly(long times) {
  while (times-- > 0) {
    try {
      (void)this_coro::yield();
    } catch (...) {
    }
  }
}

TEST(Swallow, F10_ManyRefusedSuspensionsEndAsFew) {
  coro_pool pool = *coro_pool::create();
  for (std::uint64_t life = 1; life <= 3; ++life) {  // Each unwinding has its own count.
    auto c = pool.acquire();
    // The first suspends; every later one is refused.
    ASSERT_FALSE(c->start([] { suspend_stubbornly(1 + internal::refusals_max); }).failed());
    ASSERT_TRUE(c->release());
    EXPECT_EQ(pool.stats().swallowed_unwinds, life);
  }
}

TEST(Swallow, F10_ALoopThatAsksWhetherItIsUnwoundEnds) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int rounds = 0;
  ASSERT_FALSE(c->start([&] {
                  while (!this_coro::unwinding()) {
                    ++rounds;
                    suspend_stubbornly(1);
                  }
                }).failed());
  ASSERT_FALSE(c->resume().failed());
  ASSERT_TRUE(c->release());
  EXPECT_EQ(rounds, 2);
}

TEST(SwallowDeath, F10_ALoopThatNeverEndsEndsTheProcessByName) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create();
        auto c = pool.acquire();
        (void)c->start([] {
          (void)this_coro::set_name("stubborn");
          suspend_stubbornly(1'000'000'000);
        });
        (void)c->release();
      },
      "bast: coroutine 'stubborn', started at .*swallow_test.cpp:[0-9]+, swallows the unwinding of "
      "its release: it tried to suspend 10000 times more. Its loop must end when "
      "this_coro::unwinding\\(\\)");
}

TEST(SwallowDeath, F10_OneWithoutANameIsCalledUnnamed) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create();
        auto c = pool.acquire();
        (void)c->start([] { suspend_stubbornly(1'000'000'000); });
        (void)c->release();
      },
      "bast: coroutine '\\(unnamed\\)', started at .*swallow_test.cpp:[0-9]+, swallows");
}

TEST(SwallowDeath, F10_AlsoInsideAnotherUnwinding) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create();
        auto outer = pool.acquire();
        (void)outer->start([&] {
          auto inner = pool.acquire();
          (void)inner->start("inner", [] { suspend_stubbornly(1'000'000'000); });
          suspend_stubbornly(100);
        });
        (void)outer->release();
      },
      "coroutine 'inner', started at inner, swallows");
}

}  // namespace
}  // namespace bast

#endif
