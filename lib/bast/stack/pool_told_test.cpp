// SPDX-License-Identifier: Apache-2.0
//
// Queries about a stack that is in use again, while its earlier uses are still pending.
#include <gtest/gtest.h>

#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;

struct StackTold : test::pool_fixture {
  /// Uses the site until single uses are no longer all samples.
  void settle_in() {
    for (int i = 0; i < samples_in_full; ++i) use(site_a, 1000);
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, StackTold, ::testing::ValuesIn(test::all_tiers), test::tier_name);

/// A query changes nothing on the stack, which is in use.
TEST_P(StackTold, D4_UsesBeforeThePresentOneAreToldAtAQuery) {
  make({.scrub = stack_scrub::none}, 1);
  settle_in();
  use(site_a, 9000);
  use(site_a, 200);
  slot& s = acquire(site_a);
  test::touch(s, 5000);
  for (int query = 0; query < 2; ++query) {
    pool.read_pending_marks();
    pool.check_invariants();
    EXPECT_EQ(stats_of(site_a).max, 9000_B);
    EXPECT_EQ(stats_of(site_a).uses, samples_in_full + 2U) << "without the current one";
  }
  EXPECT_EQ(*(s.top - 5000), std::byte{0x5a});
  EXPECT_EQ(s.sampled, test::quarantined ? slot_sampling::yes : slot_sampling::told);
  test::touch(s, 12'000);
  pool.release(s);
  pool.read_pending_marks();
  EXPECT_EQ(stats_of(site_a).max, 12'000_B);
  EXPECT_EQ(stats_of(site_a).uses, samples_in_full + 3U);
  EXPECT_EQ(stats_of(site_a).samples, samples_in_full + (test::quarantined ? 3U : 0U));
}

TEST_P(StackTold, AUseThatGrowsAfterAQueryIsCountedOnce) {
  make({.window = 16_KiB, .scrub = stack_scrub::none}, 1);
  settle_in();
  use(site_a, 9000);
  slot& s = acquire(site_a);
  test::touch(s, 20'000);
  pool.shrink();  // A query, too.
  EXPECT_EQ(stats_of(site_a).uses, samples_in_full + 1U);
  test::touch(s, 60'000);
  pool.release(s);
  EXPECT_EQ(stats_of(site_a).uses, samples_in_full + 2U);
  EXPECT_EQ(stats_of(site_a).grows, 2U);
  EXPECT_EQ(stats_of(site_a).max, 60'000_B);
  slot& next = acquire(site_a);
  EXPECT_NE(next.sampled, slot_sampling::told) << "no trace of the earlier ones is left";
  pool.release(next);
}

TEST_P(StackTold, WithoutMeasuringUsesAreToldAndDepthsAreNot) {
  make({.scrub = stack_scrub::none, .measure = false}, 1);
  for (int i = 0; i < 100; ++i) use(site_a, 5000);
  slot& s = acquire(site_a);
  pool.read_pending_marks();
  EXPECT_EQ(stats_of(site_a).uses, 100U);
  EXPECT_EQ(stats_of(site_a).max, 0_B);
  pool.release(s);
}

/// Queries do not influence the choice of samples, although each interrupts a use.
TEST_P(StackTold, QueriesWhileAStackIsInUseDoNotBendTheSamples) {
  if (test::quarantined) GTEST_SKIP() << "hardened: every use is a sample";
  make({.scrub = stack_scrub::none}, 1);
  for (int i = 0; i < 100'000; ++i) {
    slot& s = acquire(site_a);
    test::touch(s, 1000);
    if (i % 7 == 0) pool.read_pending_marks();
    pool.release(s);
  }
  EXPECT_GE(stats_of(site_a).samples, samples_in_full + 100U);
  EXPECT_LE(stats_of(site_a).samples, samples_in_full + 190U);
}

}  // namespace
}  // namespace bast
