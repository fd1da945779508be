// SPDX-License-Identifier: Apache-2.0
//
// Marks: the depths that a pool records, and when it reads them (decision D4, site.hpp).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "bast/os.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;
using test::site_b;

struct StackMeasure : test::pool_fixture {
  /// Uses the site until single uses are no longer all samples.
  void settle_in() {
    for (int i = 0; i < samples_in_full; ++i) use(site_a, 1000);
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, StackMeasure, ::testing::ValuesIn(test::all_tiers),
                         test::tier_name);

TEST_P(StackMeasure, D4_DepthIsExactToTheByte) {
  make({.limit = 1_MiB, .scrub = stack_scrub::none}, 8);
  static constexpr std::array<site_key, 9> sites{
      {{"d", 1}, {"d", 2}, {"d", 3}, {"d", 4}, {"d", 5}, {"d", 6}, {"d", 7}, {"d", 8}, {"d", 9}}};
  constexpr std::array<std::size_t, 9> depths{1, 63, 64, 65, 4095, 12345, 32768, 100001, 900 << 10};
  for (std::size_t i = 0; i < sites.size(); ++i) {
    use(sites[i], depths[i]);
    EXPECT_EQ(stats_of(sites[i]).max, bytes{depths[i]});
    EXPECT_EQ(stats_of(sites[i]).samples, 1U);
    EXPECT_EQ(stats_of(sites[i]).uses, 1U);
  }
}

TEST_P(StackMeasure, D4_AUseThatWritesNothingHasDepthZero) {
  make({}, 8);
  use(site_a, 0);
  EXPECT_EQ(stats_of(site_a).samples, 1U);
  EXPECT_EQ(stats_of(site_a).max, 0_B);
}

TEST_P(StackMeasure, D4_ADeepUseDoesNotShadowAShallowOne) {
  for (const stack_scrub scrub : {stack_scrub::none, stack_scrub::zero_used}) {
    stack_pool other;
    ASSERT_TRUE(other.init({.tier = GetParam(), .scrub = scrub}, 1).has_value());
    for (const auto& [site, depth] :
         {std::pair{site_a, std::size_t{20000}}, std::pair{site_b, std::size_t{300}}}) {
      slot& s = **other.acquire(site);
      test::fill(s, depth);
      other.release(s);
    }
    EXPECT_EQ(other.sites().stats(1).max, 20000_B);
    EXPECT_EQ(other.sites().stats(2).max, 300_B);
  }
}

TEST_P(StackMeasure, EachOfTheFirstUsesIsASample) {
  make({.scrub = stack_scrub::none}, 8);
  for (std::uint64_t i = 1; i <= samples_in_full; ++i) {
    use(site_a, 64 + i);
    ASSERT_EQ(stats_of(site_a).samples, i);
    ASSERT_EQ(stats_of(site_a).uses, i);
  }
}

/// One in 64 of the uses up to 2,048, then one in a 32nd of the uses so far.
TEST_P(StackMeasure, ThenSamplesGetRarer) {
  if (test::quarantined) GTEST_SKIP() << "hardened: every use is a sample";
  make({.scrub = stack_scrub::none}, 8);
  std::uint64_t uses = 0;
  const auto samples_after = [&](std::uint64_t count) {
    for (; uses < count; ++uses) use(site_a, 1000);
    pool.read_pending_marks();
    EXPECT_EQ(stats_of(site_a).uses, count);
    return stats_of(site_a).samples;
  };
  const std::uint64_t first = samples_after(1024);
  EXPECT_GE(first, samples_in_full + 8U);
  EXPECT_LE(first, samples_in_full + 32U);
  const std::uint64_t second = samples_after(100'000) - first;
  EXPECT_GE(second, 100U);  // 16 up to 2,048, and 32 for each e-fold growth of the uses
  EXPECT_LE(second, 190U);
}

/// Deep uses are read at once, which must not influence the choice of samples: neither every tenth
/// use, in step with any counter, nor the use after a deep one.
TEST_P(StackMeasure, DeepUsesDoNotBendTheQuantiles) {
  make({.window = 16_KiB, .scrub = stack_scrub::none}, 8);
  for (int i = 0; i < 100'000; ++i) use(site_a, i % 10 == 0 ? 60'000 : 1000);
  pool.read_pending_marks();
  const site_stats seen = stats_of(site_a);
  EXPECT_LT(seen.p50, 1300_B);
  EXPECT_GE(seen.p99, 60'000_B);
  EXPECT_EQ(seen.max, 60'000_B);
  EXPECT_EQ(seen.uses, 100'000U);
  const watch::site_entry& entry = pool.sites().entry_of(1);
  std::uint64_t deep = 0;
  for (std::uint32_t i = watch::bucket_of(59'000); i < watch::bucket_count; ++i) {
    deep += entry.histogram[i];
  }
  EXPECT_GT(deep, seen.samples / 20);
  EXPECT_LT(deep, seen.samples / 5);
}

/// Recommendations derive from the maximum and the number of uses. Both are as if every use had
/// been read separately.
TEST_P(StackMeasure, D4_TheMaximumIsThatOfFullRecording) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    stack_pool thin;
    stack_pool full;
    ASSERT_TRUE(thin.init({.tier = GetParam(), .scrub = stack_scrub::none}, 4).has_value());
    ASSERT_TRUE(full.init({.tier = GetParam(), .scrub = stack_scrub::zero_used}, 4).has_value());
    std::mt19937 random(seed);
    std::lognormal_distribution<double> depth(7, 0.8);
    std::size_t deepest = 0;
    for (int i = 0; i < 1024; ++i) {
      const auto deep = std::min<std::size_t>(200'000, static_cast<std::size_t>(depth(random)) + 1);
      deepest = std::max(deepest, deep);
      for (stack_pool* const each : {&thin, &full}) {
        slot& s = **each->acquire(site_a);
        test::touch(s, deep);
        each->release(s);
      }
    }
    thin.read_pending_marks();
    const site_stats seen = thin.sites().stats(1);
    const site_stats all = full.sites().stats(1);
    ASSERT_EQ(seen.max, bytes{deepest}) << seed;
    ASSERT_EQ(all.max, bytes{deepest}) << seed;
    ASSERT_EQ(seen.uses, all.uses) << seed;
    if (!test::quarantined) {
      ASSERT_LT(seen.samples, 100U) << seed;
    }
  }
}

/// Also if each use has a stack of its own, without a history.
TEST_P(StackMeasure, UsesOfFreshStacksAreSampledAlike) {
  if (test::quarantined) GTEST_SKIP() << "hardened: every use is a sample";
  make({.limit = 64_KiB, .scrub = stack_scrub::none}, 4096);
  const std::vector<slot*> all = acquire_many(site_a, 4096);
  for (slot* const s : all) test::touch(*s, 1000);
  release_all(all);
  pool.read_pending_marks();
  const site_stats seen = stats_of(site_a);
  EXPECT_EQ(seen.uses, 4096U);
  EXPECT_GE(seen.samples, samples_in_full + 32U);
  EXPECT_LE(seen.samples, samples_in_full + 100U);
}

TEST_P(StackMeasure, BetweenSamplesTheMaximumIsKeptAndNoneIsLost) {
  make({.scrub = stack_scrub::none}, 8);
  settle_in();
  for (const std::size_t depth : {2000U, 9000U, 3000U}) use(site_a, depth);
  pool.read_pending_marks();
  const site_stats seen = stats_of(site_a);
  EXPECT_EQ(seen.max, 9000_B);
  EXPECT_EQ(seen.uses, samples_in_full + 3U);
  EXPECT_EQ(seen.samples, samples_in_full + (test::quarantined ? 3U : 0U));
  pool.read_pending_marks();
  EXPECT_EQ(stats_of(site_a).uses, seen.uses) << "nothing is pending twice";
  EXPECT_EQ(stats_of(site_a).samples, seen.samples);
}

TEST_P(StackMeasure, GrowthForcesAReading) {
  make({.window = 16_KiB, .scrub = stack_scrub::none}, 8);
  settle_in();
  use(site_a, 100);
  use(site_a, 100);
  use(site_a, 50000);  // Grows: read at once, with the two before it.
  const site_stats seen = stats_of(site_a);
  EXPECT_EQ(seen.uses, samples_in_full + 3U);
  EXPECT_EQ(seen.max, 50000_B);
  EXPECT_EQ(seen.grows, 1U);
  EXPECT_EQ(seen.samples, samples_in_full + (test::quarantined ? 3U : 0U));
}

TEST_P(StackMeasure, GrowingTwiceInOneUseCountsOneUse) {
  make({.window = 16_KiB, .scrub = stack_scrub::none}, 8);
  settle_in();
  slot& s = acquire(site_a);
  test::touch(s, 20000);
  test::touch(s, 150000);
  pool.release(s);
  EXPECT_EQ(stats_of(site_a).uses, samples_in_full + 1U);
  EXPECT_EQ(stats_of(site_a).grows, 2U);
  EXPECT_EQ(stats_of(site_a).max, 150000_B);
}

TEST_P(StackMeasure, I3_AStolenStackIsReadFirst) {
  make({.scrub = stack_scrub::none}, 1);
  settle_in();
  for (int i = 0; i < 5; ++i) use(site_a, 7000);
  use(site_b, 100);
  EXPECT_EQ(stats_of(site_a).uses, samples_in_full + 5U);
  EXPECT_EQ(stats_of(site_a).max, 7000_B);
  EXPECT_EQ(stats_of(site_b).uses, 1U);
  EXPECT_EQ(stats_of(site_b).max, 100_B) << "the depth belongs to the site that took the stack";
}

TEST_P(StackMeasure, UsesAreCountedExactlyThroughShrinkAndTheft) {
  make({.scrub = stack_scrub::none}, 3);
  std::uint64_t uses_a = 0;
  std::uint64_t uses_b = 0;
  for (int round = 0; round < 3000; ++round) {
    use(site_a, 500);
    ++uses_a;
    if (round % 3 == 0) use(site_b, 600), ++uses_b;
    if (round % 700 == 0) pool.shrink();
  }
  pool.read_pending_marks();
  EXPECT_EQ(stats_of(site_a).uses, uses_a);
  EXPECT_EQ(stats_of(site_b).uses, uses_b);
  EXPECT_EQ(stats_of(site_a).max, 500_B);
  EXPECT_EQ(stats_of(site_b).max, 600_B);
}

TEST_P(StackMeasure, UsesWithoutASiteAreReadUnderOther) {
  make({.scrub = stack_scrub::none}, 8);
  const std::vector<slot*> all = acquire_many(site_key{}, 4);
  for (slot* const s : all) test::touch(*s, 5000);
  release_all(all);
  pool.check_invariants();
  EXPECT_EQ(pool.sites().stats(0).uses, 4U);
  EXPECT_EQ(pool.sites().stats(0).samples, 4U);
  for (int i = 0; i < 2 * samples_in_full; ++i) use(site_key{}, 100);
  use(site_key{}, 6000);
  pool.read_pending_marks();
  EXPECT_EQ(pool.sites().stats(0).uses, 2U * samples_in_full + 5);
  EXPECT_EQ(pool.sites().stats(0).max, 6000_B);
}

TEST_P(StackMeasure, ZeroUsedReadsEveryUseForEver) {
  make({.scrub = stack_scrub::zero_used}, 8);
  for (std::uint64_t i = 1; i <= 2 * samples_in_full; ++i) use(site_a, 64 + i);
  EXPECT_EQ(stats_of(site_a).samples, 2U * samples_in_full);
  EXPECT_EQ(stats_of(site_a).max, bytes{64 + 2 * samples_in_full});
}

TEST_P(StackMeasure, PoisonMeasuresToThePage) {
  make({.scrub = stack_scrub::poison, .colour = false}, 8);
  const std::size_t page = pool.geometry().page;
  use(site_a, page + 1);
  EXPECT_EQ(stats_of(site_a).max, bytes{2 * page});
}

TEST_P(StackMeasure, WithoutMeasuringUsesAreCountedAndDepthsAreNot) {
  make({.scrub = stack_scrub::none, .measure = false}, 8);
  for (int i = 0; i < 100; ++i) use(site_a, 5000);
  pool.read_pending_marks();
  EXPECT_EQ(stats_of(site_a).uses, 100U);
  EXPECT_EQ(stats_of(site_a).samples, 0U);
  EXPECT_EQ(stats_of(site_a).max, 0_B);
}

}  // namespace
}  // namespace bast
