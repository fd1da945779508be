// SPDX-License-Identifier: Apache-2.0
//
// A budget of open stack bytes that is exhausted within a batch of stacks.
#include <gtest/gtest.h>

#include "bast/stack.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;

struct PoolBudget : test::pool_fixture {};
INSTANTIATE_TEST_SUITE_P(Tiers, PoolBudget, ::testing::ValuesIn(test::all_tiers), test::tier_name);

void expect_refused(stack_pool& pool, const char* words) {
  const auto one_more = pool.acquire(site_a);
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error(), errc::limit);
  EXPECT_STREQ(one_more.error().detail(), words);
}

TEST_P(PoolBudget, F15_ThePoolsEndsInsideABatch) {
  make({.limit = 128_KiB, .window = 16_KiB, .retain = 16_KiB, .budget = 56_KiB}, 8);
  const bytes before = process_stack_budget().open();
  std::vector<slot*> all;
  for (std::size_t n = 1; n <= 3; ++n) {
    all.push_back(&acquire(site_a));
    EXPECT_EQ(process_stack_budget().open().count - before.count, n * (16 << 10));
    pool.check_invariants();
  }
  expect_refused(pool, "the pool's budget of open stack bytes is spent");
  EXPECT_EQ(process_stack_budget().open().count - before.count, 3U * (16 << 10));
  release_all(all);
  if (test::quarantined) return;  // Quarantined stacks are closed.
  EXPECT_EQ(process_stack_budget().open().count - before.count, 3U * (16 << 10)) << "kept open";
}

TEST_P(PoolBudget, F15_ThePoolsEndsInsideABatchOfTwo) {
  make({.limit = 128_KiB, .window = 16_KiB, .retain = 16_KiB, .budget = 24_KiB}, 2);
  slot& only = acquire(site_a);
  expect_refused(pool, "the pool's budget of open stack bytes is spent");
  pool.release(only);
}

TEST_P(PoolBudget, F15_TheProcesssEndsInsideABatch) {
  make({.limit = 128_KiB, .window = 16_KiB, .retain = 16_KiB}, 8);
  const bytes before = process_stack_budget().open();
  process_stack_budget().set_limit(bytes{before.count + (56 << 10)});
  const std::vector<slot*> all = acquire_many(site_a, 3);
  EXPECT_EQ(process_stack_budget().open().count - before.count, 3U * (16 << 10));
  expect_refused(pool, "the process's budget of open stack bytes is spent");
  process_stack_budget().set_limit(unlimited_bytes);
  release_all(all);
  if (!test::quarantined) {
    EXPECT_EQ(process_stack_budget().open().count - before.count, 3U * (16 << 10));
  }
  release_all(acquire_many(site_a, 4));
}

TEST_P(PoolBudget, F15_APoolThatDiesReturnsWhatItHadOpen) {
  const bytes before = process_stack_budget().open();
  for (int life = 0; life < 2; ++life) {
    stack_pool mortal;
    ASSERT_TRUE(mortal.init({.limit = 128_KiB,
                             .window = 16_KiB,
                             .retain = 16_KiB,
                             .budget = 56_KiB,
                             .tier = GetParam()},
                            8));
    slot* all[3] = {};
    for (slot*& s : all) s = mortal.acquire(site_a).value();
    EXPECT_EQ(process_stack_budget().open().count - before.count, 3U * (16 << 10));
    expect_refused(mortal, "the pool's budget of open stack bytes is spent");
    for (slot* const s : all) mortal.release(*s);
  }
  EXPECT_EQ(process_stack_budget().open(), before);
}

}  // namespace
}  // namespace bast
