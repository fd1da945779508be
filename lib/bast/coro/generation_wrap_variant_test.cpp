// SPDX-License-Identifier: Apache-2.0
//
// F-3 with three bits of generation: a block whose generation would wrap is retired, never reused.
// Built against a separate core, configured with BAST_GENERATION_BITS=3.
#include <gtest/gtest.h>

#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

static_assert(BAST_GENERATION_BITS == 3);

TEST(GenerationWrap, F3_ABlockIsRetiredBeforeItsGenerationRepeats) {
  coro_pool pool = *coro_pool::create();
  std::vector<coro_ref<>> stale;
  for (int i = 0; i < 100; ++i) {
    auto c = pool.acquire();
    ASSERT_TRUE(c);
    ASSERT_FALSE(c->start([] {}).failed());
    stale.push_back(*c);
    ASSERT_TRUE(c->release());
    // No earlier handle becomes current again, whatever was acquired since.
    for (coro_ref<>& old : stale) EXPECT_EQ(test::kind_of(old.resume()), errc::stale_handle);
  }
  const coro_pool_stats stats = pool.stats();
  // An earlier pool in this process may have used some generations of the first block up.
  EXPECT_GE(stats.retired, 100U / 8);
  EXPECT_LE(stats.retired, 100U / 8 + 1);
  EXPECT_EQ(stats.created, stats.retired + 1);
  pool.check_invariants();
}

TEST(GenerationWrap, F3_ARetiredBlockStaysSoForTheNextPool) {
  std::vector<coro_ref<>> stale;
  {
    coro_pool pool = *coro_pool::create();
    for (int i = 0; i < 20; ++i) {
      auto c = pool.acquire();
      ASSERT_TRUE(c);
      stale.push_back(*c);
      ASSERT_TRUE(c->release());
    }
    EXPECT_GE(pool.stats().retired, 2U);
  }
  coro_pool next = *coro_pool::create();  // It takes over the same chunk.
  auto fresh = next.acquire();
  ASSERT_TRUE(fresh);
  const coro_pool_stats after = next.stats();
  EXPECT_EQ(after.retired, 0U);  // They were coroutines of the earlier pool.
  EXPECT_EQ(after.created, 1U);
  EXPECT_EQ(after.ready, 1U);
  for (coro_ref<>& old : stale) {
    EXPECT_FALSE(old == static_cast<coro_ref<>&>(*fresh));
    EXPECT_EQ(old.state(), coro_state::free);
    EXPECT_EQ(test::kind_of(old.start([] {})), errc::stale_handle);
  }
  next.check_invariants();
}

TEST(GenerationWrap, F15_RetiredBlocksCountTowardsTheMaximum) {
  coro_pool pool = *coro_pool::create({.max_coros = 2});
  int lives = 0;
  for (;;) {
    auto c = pool.acquire();
    if (!c) {
      EXPECT_EQ(test::kind_of(c), errc::limit);
      break;
    }
    ++lives;
    ASSERT_TRUE(c->release());
    ASSERT_LT(lives, 1000);
  }
  // Two blocks, at most eight lives each; an earlier pool in this process may have used some up.
  EXPECT_GE(lives, 2);
  EXPECT_LE(lives, 16);
  const coro_pool_stats stats = pool.stats();
  EXPECT_EQ(stats.created, 2U);
  EXPECT_EQ(stats.retired, 2U);
  pool.check_invariants();
}

// Blocks retired by earlier pools do not count towards a later pool's maximum.
TEST(GenerationWrap, F15_BlocksThatAnEarlierPoolRetiredDoNotCount) {
  for (int life = 0; life < 3; ++life) {
    coro_pool pool = *coro_pool::create({.max_coros = 2});
    while (auto c = pool.acquire()) ASSERT_TRUE(c->release());
    const coro_pool_stats stats = pool.stats();
    EXPECT_EQ(stats.created, 2U);
    EXPECT_EQ(stats.retired, 2U);
    pool.check_invariants();
  }
}

}  // namespace
}  // namespace bast
