// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/site.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "bast/testing/depths.hpp"

namespace bast::watch {
namespace {

// What a stack can hold.
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

}  // namespace
}  // namespace bast::watch
