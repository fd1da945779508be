// SPDX-License-Identifier: Apache-2.0
#include "model/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bast_stacks {
namespace {

using bast::watch::bucket_high;
using bast::watch::bucket_of;

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

TEST(Statistics, RunsNeededAreTheTextbookNumbers) {
  EXPECT_EQ(runs_needed(0.99, 0.95), 299u);
  EXPECT_EQ(runs_needed(0.999, 0.95), 2995u);
  EXPECT_EQ(runs_needed(0.9999, 0.95), 29956u);
}

TEST(Statistics, RunsNeededAreEnoughAndOneFewerIsNot) {
  for (const double p : {0.5, 0.9, 0.99, 0.999, 0.9999}) {
    for (const double wanted : {0.5, 0.9, 0.95, 0.99}) {
      const std::uint64_t runs = runs_needed(p, wanted);
      EXPECT_GE(confidence(runs, p), wanted - 1e-12) << p << ' ' << wanted;
      EXPECT_LT(confidence(runs - 1, p), wanted) << p << ' ' << wanted;
    }
  }
}

TEST(Statistics, NoNumberOfRunsIsEnoughForCertainty) {
  EXPECT_EQ(runs_needed(1, 0.95), largest);
  EXPECT_EQ(runs_needed(0.99, 1), largest);
  EXPECT_EQ(runs_needed(std::nan(""), 0.95), largest);
}

TEST(Statistics, SupportedQuantileIsTheInverseOfConfidence) {
  EXPECT_NEAR(supported_quantile(212, 0.95), 0.986, 0.0005);
  EXPECT_NEAR(confidence(212, supported_quantile(212, 0.95)), 0.95, 1e-9);
  EXPECT_EQ(supported_quantile(0, 0.95), 0);
}

TEST(Statistics, QuantileIsTheUpperBoundOfItsBucketAndNeverAboveTheMaximum) {
  site s;
  s.histogram = {{bucket_of(1000), 90}, {bucket_of(5000), 9}, {bucket_of(9000), 1}};
  s.max = 9001;
  EXPECT_EQ(quantile(s, 0.5), bucket_high(bucket_of(1000)));
  EXPECT_EQ(quantile(s, 0.9), bucket_high(bucket_of(1000)));
  EXPECT_EQ(quantile(s, 0.91), bucket_high(bucket_of(5000)));
  EXPECT_EQ(quantile(s, 0.99), bucket_high(bucket_of(5000)));
  EXPECT_EQ(quantile(s, 1), 9001u);
}

TEST(Statistics, QuantileOfNothingIsZero) { EXPECT_EQ(quantile(site{}, 0.5), 0u); }

TEST(Statistics, QuantileSurvivesCountsThatOverflow) {
  site s;
  s.histogram = {{1, largest}, {2, largest}};
  s.max = 1000;
  EXPECT_EQ(quantile(s, 0.5), bucket_high(1));
  EXPECT_EQ(quantile(s, 0), bucket_high(1));
}

TEST(Statistics, MarginIsWhatNoUseHasTouched) {
  site s;
  EXPECT_FALSE(margin(s).has_value());
  s.limit = 64 << 10;
  s.max = 16 << 10;
  EXPECT_DOUBLE_EQ(margin(s).value(), 0.75);
}

TEST(Statistics, SumsSaturate) {
  EXPECT_EQ(round_up(1, 4096), 4096u);
  EXPECT_EQ(round_up(4096, 4096), 4096u);
  EXPECT_EQ(round_up(largest - 1, 4096), largest);
  EXPECT_EQ(add(largest, 1), largest);
  EXPECT_EQ(multiply(largest, 2), largest);
}

TEST(Statistics, MergeAddsCountsAndKeepsTheDeeperBacktrace) {
  site a;
  a.uses = 3;
  a.max = 100;
  a.limit = 65536;
  a.histogram = {{1, 1}, {3, 2}};
  a.pools = {1, 4};
  a.deepest.depth = 96;
  site b = a;
  b.max = 200;
  b.limit = 32768;
  b.histogram = {{0, 1}, {3, 5}};
  b.pools = {2, 4};
  b.deepest.depth = 192;
  merge(a, b);
  EXPECT_EQ(a.uses, 6u);
  EXPECT_EQ(a.max, 200u);
  EXPECT_EQ(a.limit, 32768u);
  EXPECT_EQ(a.deepest.depth, 192u);
  EXPECT_EQ(a.pools, (std::vector<std::uint64_t>{1, 2, 4}));
  ASSERT_EQ(a.histogram.size(), 3u);
  EXPECT_EQ(a.histogram[2].index, 3u);
  EXPECT_EQ(a.histogram[2].count, 7u);
}

TEST(Statistics, ResidentBeyondDepthIsOfStacksThatWereLookedAt) {
  snapshot s;
  live_stack seen;
  seen.scanned = true;
  seen.depth = 100;
  seen.resident = 12288;
  live_stack unseen = seen;
  unseen.scanned = false;
  s.stacks = {seen, unseen};
  EXPECT_EQ(resident_beyond_depth(s), 8192u);
}

}  // namespace
}  // namespace bast_stacks
