// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/site.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"

namespace bast {
namespace {

// --- depth_histogram -----------------------------------------------------------------------------

// Twice what a stack can hold: 64 MiB of limit and as much guard.
constexpr std::size_t depth_max = std::size_t{128} << 20;

TEST(DepthHistogram, BucketsAreMonotoneAndBoundedByTheirUpperBound) {
  std::size_t before = 0;
  for (std::size_t depth = 0; depth <= depth_max; depth += 1 + depth / 1000) {
    const std::size_t bucket = depth_histogram::bucket_of(depth);
    ASSERT_LT(bucket, depth_histogram::bucket_count);
    ASSERT_GE(bucket, before) << depth;
    ASSERT_LE(depth, depth_histogram::upper_bound_of(bucket)) << depth;
    if (bucket > 0) {
      ASSERT_GT(depth, depth_histogram::upper_bound_of(bucket - 1)) << depth;
    }
    before = bucket;
  }
}

TEST(DepthHistogram, EveryBucketEndsWhereTheNextBegins) {
  const std::size_t last = depth_histogram::bucket_of(depth_max);
  for (std::size_t bucket = 0; bucket <= last; ++bucket) {
    const std::size_t end = depth_histogram::upper_bound_of(bucket);
    EXPECT_EQ(depth_histogram::bucket_of(end), bucket);
    EXPECT_EQ(depth_histogram::bucket_of(end + 1), bucket + 1);
  }
}

TEST(DepthHistogram, HugeDepthsShareTheLastBucket) {
  EXPECT_EQ(depth_histogram::bucket_of(SIZE_MAX), depth_histogram::bucket_count - 1);
  EXPECT_EQ(depth_histogram::bucket_of(0), 0U);
}

TEST(DepthHistogram, EmptyAnswersZero) {
  const depth_histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.max(), 0U);
  EXPECT_EQ(empty.quantile(0.5), 0U);
}

TEST(DepthHistogram, QuantilesAreWithin25PercentAndTheMaximumIsExact) {
  constexpr unsigned seed = 20240607;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::lognormal_distribution<double> sizes(8.5, 1.5);
  depth_histogram histogram;
  std::vector<std::size_t> exact;
  for (int i = 0; i < 20000; ++i) {
    const auto depth = 64 + static_cast<std::size_t>(std::min(sizes(random), 6e7));
    exact.push_back(depth);
    histogram.add(depth);
  }
  std::sort(exact.begin(), exact.end());
  EXPECT_EQ(histogram.count(), exact.size());
  EXPECT_EQ(histogram.max(), exact.back());
  for (const double q : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(q * static_cast<double>(exact.size()) + 0.999);
    const std::size_t truth = exact[std::max<std::size_t>(rank, 1) - 1];
    EXPECT_GE(histogram.quantile(q), truth) << q;
    EXPECT_LE(histogram.quantile(q), truth + truth / 4) << q;
  }
  EXPECT_EQ(histogram.quantile(1.0), exact.back());
}

// --- site_key ------------------------------------------------------------------------------------

TEST(SiteKey, DescribesAPlaceOrALabel) {
  text place;
  site_key{"walk.cpp", 12, 3}.describe(place);
  EXPECT_EQ(place.view(), "walk.cpp:12");
  text label;
  site_key::labelled("parser").describe(label);
  EXPECT_EQ(label.view(), "parser");
}

// --- site_table ----------------------------------------------------------------------------------

struct SiteTable : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(table.init().has_value()); }
  site_table table;
};

TEST_F(SiteTable, I1_RecordZeroIsOther) {
  EXPECT_EQ(table.size(), 1U);
  EXPECT_STREQ(table[0].key.where, "(other)");
  EXPECT_EQ(table.find(site_key{}), 0U);
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(SiteTable, FindsTheSameRecordAgain) {
  const std::uint16_t a = table.find({"a.cpp", 1, 1});
  const std::uint16_t b = table.find({"a.cpp", 1, 2});
  const std::uint16_t c = table.find({"a.cpp", 2, 1});
  const std::uint16_t label = table.find(site_key::labelled("a.cpp"));
  EXPECT_NE(a, 0U);
  EXPECT_EQ(table.size(), 5U) << "four different sites and (other)";
  EXPECT_EQ(table.find({"a.cpp", 1, 1}), a);
  EXPECT_EQ(table.find({"a.cpp", 1, 2}), b);
  EXPECT_EQ(table.find({"a.cpp", 2, 1}), c);
  EXPECT_EQ(table.find(site_key::labelled("a.cpp")), label);
  EXPECT_EQ(table.size(), 5U);
}

TEST_F(SiteTable, I2_SameTextAtDifferentAddressesIsOneRecord) {
  const std::string one = "header.hpp";
  const std::string other = one + "";
  ASSERT_NE(one.c_str(), other.c_str());
  const std::uint16_t record = table.find({one.c_str(), 9, 1});
  EXPECT_EQ(table.find({other.c_str(), 9, 1}), record);
  EXPECT_EQ(table.find({one.c_str(), 9, 1}), record);
  EXPECT_EQ(table.size(), 2U);
}

TEST_F(SiteTable, I2_ManySpellingsOfOneSiteGrowTheTableAndStayOneRecord) {
  const std::vector<std::string> spellings(1000, std::string("a/name/too/long/for/the/buffer"));
  for (int round = 0; round < 2; ++round) {
    for (const std::string& spelling : spellings) {
      ASSERT_EQ(table.find({spelling.c_str(), 1, 1}), 1U);
    }
  }
  EXPECT_EQ(table.size(), 2U);
}

TEST_F(SiteTable, GrowthKeepsDataAndPlaces) {
  constexpr std::uint32_t sites = 1000;
  for (std::uint32_t line = 1; line <= sites; ++line) {
    const std::uint16_t record = table.find({"grow.cpp", line, 0});
    ASSERT_EQ(record, line);
    table[record].uses = line * 10;
    table.record(record).grows = line * 3;
    table.record(record).depths.add(line * 100);
  }
  for (std::uint32_t line = 1; line <= sites; ++line) {
    const std::uint16_t record = table.find({"grow.cpp", line, 0});
    const site_stats seen = table.stats(record);
    ASSERT_EQ(seen.key, (site_key{"grow.cpp", line, 0}));
    ASSERT_EQ(seen.uses, line * 10);
    ASSERT_EQ(seen.grows, line * 3);
    ASSERT_EQ(seen.samples, 1U);
    ASSERT_EQ(seen.max, bytes{line * 100});
    ASSERT_EQ(seen.p50, seen.max);
    ASSERT_EQ(seen.p99, seen.max);
  }
}

TEST_F(SiteTable, I1_TenThousandSitesShareOtherAndNeverFail) {
  for (std::uint32_t line = 1; line <= 10000; ++line) {
    const std::uint16_t record = table.find({"many.cpp", line, 0});
    if (line < site_table::sites_max) {
      ASSERT_EQ(record, line);
    } else {
      ASSERT_EQ(record, 0U) << line;
    }
  }
  EXPECT_EQ(table.size(), site_table::sites_max);
  EXPECT_EQ(table.find({"many.cpp", 1, 0}), 1U) << "the known ones stay known";
  EXPECT_EQ(table.find({"many.cpp", 9999, 0}), 0U);
}

TEST_F(SiteTable, X6_MapFailureFallsBackToOtherAndRecovers) {
  std::uint32_t line = 1;
  {
    const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
    while (table.find({"full.cpp", line, 0}) != 0) ++line;
    EXPECT_GT(line, 1U);
    EXPECT_GE(fault.injected(), 1U);
    EXPECT_EQ(table.find({"full.cpp", line, 0}), 0U);
    EXPECT_EQ(table.find({"full.cpp", 1, 0}), 1U);
  }
  EXPECT_EQ(table.find({"full.cpp", line, 0}), line);
  EXPECT_EQ(table.find({"full.cpp", 1, 0}), 1U);
}

TEST_F(SiteTable, X6_MapFailureWithManySpellingsStillFindsTheRecord) {
  const std::vector<std::string> spellings(100, std::string("a/name/too/long/for/the/buffer"));
  const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
  for (const std::string& spelling : spellings) {
    ASSERT_EQ(table.find({spelling.c_str(), 1, 1}), 1U);
  }
  EXPECT_GE(fault.injected(), 1U);
}

TEST(SiteTableInit, X6_WithoutMemoryIsNoMemoryAndLeavesNothing) {
  const test::leak_baseline before;
  {
    site_table table;
    const os::fault_scope fault({.kind = os::call::map, .nth = 1});
    const auto ready = table.init();
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().kind(), errc::no_memory);
  }
  {
    site_table table;
    ASSERT_TRUE(table.init().has_value());
    for (std::uint32_t line = 1; line <= 100; ++line) table.find({"leak.cpp", line, 0});
  }
  EXPECT_EQ(before.differences(), "");
}

}  // namespace
}  // namespace bast
