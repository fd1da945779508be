// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/site.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/depths.hpp"

namespace bast::watch {
namespace {

// The largest depth of a stack.
constexpr std::size_t depth_max = std::size_t{64} << 20;

TEST(DepthHistogram, BucketsAreMonotoneAndBoundedByTheirUpperBound) {
  std::uint32_t before = 0;
  for (std::size_t depth = 0; depth <= depth_max; depth += 1 + depth / 1000) {
    const std::uint32_t bucket = bucket_of(depth);
    ASSERT_LT(bucket, bucket_count);
    ASSERT_GE(bucket, before) << depth;
    ASSERT_LE(depth, bucket_high(bucket)) << depth;
    if (bucket > 0) {
      ASSERT_GT(depth, bucket_high(bucket - 1)) << depth;
    }
    before = bucket;
  }
}

TEST(DepthHistogram, EveryBucketEndsWhereTheNextBegins) {
  const std::uint32_t last = bucket_of(depth_max);
  for (std::uint32_t bucket = 0; bucket <= last; ++bucket) {
    const std::uint64_t end = bucket_high(bucket);
    EXPECT_EQ(bucket_of(end), bucket);
    EXPECT_EQ(bucket_of(bucket < last ? end + 1 : end), bucket < last ? bucket + 1 : last);
  }
}

TEST(DepthHistogram, HugeDepthsShareTheLastBucket) {
  EXPECT_EQ(bucket_of(~std::uint64_t{0}), bucket_count - 1);
  EXPECT_EQ(bucket_of(0), 0U);
}

TEST(DepthHistogram, EmptyAnswersZero) {
  const test::depths empty;
  EXPECT_EQ(empty.entry.samples, 0U);
  EXPECT_EQ(empty.entry.max, 0U);
  EXPECT_EQ(empty.quantile(0.5), 0U);
}

TEST(DepthHistogram, QuantilesAreWithin3PercentAndTheMaximumIsExact) {
  constexpr unsigned seed = 20240607;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::lognormal_distribution<double> sizes(8.5, 1.5);
  test::depths histogram;
  std::vector<std::size_t> exact;
  for (int i = 0; i < 20000; ++i) {
    const auto depth = 64 + static_cast<std::size_t>(std::min(sizes(random), 6e7));
    exact.push_back(depth);
    histogram.add(depth);
  }
  std::sort(exact.begin(), exact.end());
  EXPECT_EQ(histogram.entry.samples, exact.size());
  EXPECT_EQ(histogram.entry.max, exact.back());
  for (const double q : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(q * static_cast<double>(exact.size()) + 0.999);
    const std::size_t truth = exact[std::max<std::size_t>(rank, 1) - 1];
    EXPECT_GE(histogram.quantile(q), truth) << q;
    EXPECT_LE(histogram.quantile(q), truth + std::max<std::size_t>(63, truth / 31)) << q;
  }
  EXPECT_EQ(histogram.quantile(1.0), exact.back());
}

// --- whole records -------------------------------------------------------------------------------

bool same(const site_entry& one, const site_entry& other) {
  return std::memcmp(&one, &other, sizeof one) == 0;
}

std::uint64_t now_ns() { return static_cast<std::uint64_t>(os::monotonic_ns()); }

TEST(Site, AReadingIsAddedFieldByField) {
  site_entry entry{};
  site_entry expected{};
  const std::uint64_t before = now_ns();
  add(entry, {.uses = 3, .grows = 2, .is_sample = true, .depth = 700});
  EXPECT_GE(entry.max_at_ns, before);
  EXPECT_LE(entry.max_at_ns, now_ns());
  expected.sequence = 2;
  expected.uses = 3;
  expected.grows = 2;
  expected.samples = 1;
  expected.max = 700;
  expected.max_at_ns = entry.max_at_ns;
  expected.histogram[bucket_of(700)] = 1;
  EXPECT_TRUE(same(entry, expected));
  // Not a sample: it counts for the maximum, but not for the quantiles.
  add(entry, {.uses = 4, .grows = 1, .depth = 900});
  expected.sequence = 4;
  expected.uses = 7;
  expected.grows = 3;
  expected.max = 900;
  EXPECT_GE(entry.max_at_ns, expected.max_at_ns);
  expected.max_at_ns = entry.max_at_ns;
  EXPECT_TRUE(same(entry, expected));
  // Not measured: its depth is meaningless.
  add(entry, {.uses = 1, .grows = 5, .measured = false, .is_sample = true, .depth = 4000});
  expected.sequence = 6;
  expected.uses = 8;
  expected.grows = 8;
  EXPECT_TRUE(same(entry, expected));
}

TEST(Site, AReadingSaysNothingByItself) {
  site_entry entry{};
  add(entry, {});
  site_entry expected{};
  expected.sequence = 2;
  EXPECT_TRUE(same(entry, expected));
  EXPECT_TRUE(reading{}.measured);
}

TEST(Site, TheMaximumKeepsTheTimeOfTheFirstThatWasSoDeep) {
  site_entry entry{};
  add(entry, {.uses = 1, .depth = 800});
  entry.max_at_ns = 1;
  add(entry, {.uses = 1, .depth = 800});
  EXPECT_EQ(entry.max_at_ns, 1U);
  add(entry, {.uses = 1, .depth = 799});
  EXPECT_EQ(entry.max_at_ns, 1U);
  EXPECT_EQ(entry.max, 800U);
  add(entry, {.uses = 1, .depth = 801});
  EXPECT_GT(entry.max_at_ns, 1U);
}

TEST(Site, StacksThatAreKeptAreCountedUpAndDown) {
  site_entry entry{};
  hold(entry);
  hold(entry);
  hold(entry);
  let_go(entry);
  hold(entry);
  let_go(entry);
  let_go(entry);
  site_entry expected{};
  expected.sequence = 14;
  expected.held = 1;
  expected.held_max = 3;
  EXPECT_TRUE(same(entry, expected));
}

TEST(Site, AQuantileIsOfTheSmallestRankAndAtMostTheMaximum) {
  site_entry entry{};
  EXPECT_EQ(quantile(entry, 1.0), 0U);
  for (const std::uint64_t depth : {10U, 100U, 1000U, 5000U}) {
    add(entry, {.uses = 1, .is_sample = true, .depth = depth});
  }
  EXPECT_EQ(quantile(entry, 0.25), bucket_high(bucket_of(10)));
  EXPECT_EQ(quantile(entry, 0.26), bucket_high(bucket_of(100)));
  EXPECT_EQ(quantile(entry, 0.5), bucket_high(bucket_of(100)));
  EXPECT_EQ(quantile(entry, 0.75), bucket_high(bucket_of(1000)));
  EXPECT_EQ(quantile(entry, 0.76), 5000U) << "the maximum, below its bucket's upper bound";
  EXPECT_EQ(quantile(entry, 1.0), 5000U);
  // More samples than the histogram holds, as a reader may find during a write.
  entry.samples = 9;
  EXPECT_EQ(quantile(entry, 1.0), 5000U);
}

TEST(Site, TheHistogramSaturates) {
  site_entry entry{};
  std::uint32_t& bucket = entry.histogram[bucket_of(100)];
  bucket = UINT32_MAX - 1;
  for (int i = 0; i < 3; ++i) {
    add(entry, {.uses = 1, .is_sample = true, .depth = 100});
    EXPECT_EQ(bucket, UINT32_MAX);
  }
  site_entry sum{};
  sum.histogram[5] = UINT32_MAX - 7;
  entry.histogram[5] = 7;
  merge(sum, entry);
  EXPECT_EQ(sum.histogram[5], UINT32_MAX);
  merge(sum, entry);
  EXPECT_EQ(sum.histogram[5], UINT32_MAX);
  EXPECT_EQ(sum.histogram[bucket_of(100)], UINT32_MAX);
}

/// An entry with different values in all fields, starting at `base`.
site_entry numbered(std::uint32_t base) {
  site_entry entry{};
  entry.sequence = 2 * base;
  entry.limit = base + 1;
  entry.window = base + 2;
  entry.uses = base + 3;
  entry.samples = base + 4;
  entry.grows = base + 5;
  entry.max = base + 6;
  entry.max_at_ns = base + 7;
  entry.held = base + 8;
  entry.held_max = base + 9;
  for (std::uint32_t i = 0; i < bucket_count; ++i) entry.histogram[i] = base + i;
  entry.deepest.sequence = 4 * base;
  entry.deepest.count = 3;
  entry.deepest.depth = base + 10;
  entry.deepest.pc = base + 11;
  entry.deepest.return_pc[2] = base + 12;
  return entry;
}

TEST(Site, R3_MergingAddsWhatIsCountedAndKeepsWhatIsDeepest) {
  const site_entry small = numbered(1000);
  const site_entry large = numbered(5000);
  const auto sum_of = [](const site_entry& to, const site_entry& from, const site_entry& deepest) {
    site_entry expected = to;
    expected.sequence += 2;
    expected.limit = from.limit;
    expected.window = from.window;
    expected.uses += from.uses;
    expected.samples += from.samples;
    expected.grows += from.grows;
    expected.max = deepest.max;
    expected.max_at_ns = deepest.max_at_ns;
    expected.held_max = deepest.held_max;
    for (std::uint32_t i = 0; i < bucket_count; ++i) expected.histogram[i] += from.histogram[i];
    if (&deepest == &from) {
      expected.deepest = from.deepest;
      expected.deepest.sequence = to.deepest.sequence + 2;
    }
    return expected;
  };
  site_entry sum = small;
  merge(sum, large);
  EXPECT_TRUE(same(sum, sum_of(small, large, large)));
  sum = large;
  merge(sum, small);
  EXPECT_TRUE(same(sum, sum_of(large, small, large)));
}

TEST(Site, R4_OfTwoThatAreAsDeepTheFirstIsKept) {
  site_entry sum = numbered(1000);
  site_entry other = numbered(1000);
  other.deepest.pc = 1;
  other.max_at_ns = 1;
  merge(sum, other);
  EXPECT_EQ(sum.deepest.pc, 1011U);
  EXPECT_EQ(sum.deepest.sequence, 4000U);
  EXPECT_EQ(sum.max_at_ns, 1007U);
}

}  // namespace
}  // namespace bast::watch
