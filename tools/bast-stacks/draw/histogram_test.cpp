// SPDX-License-Identifier: Apache-2.0
#include "draw/histogram.hpp"

#include <gtest/gtest.h>

#include "draw/testing/markup_check.hpp"
#include "draw/testing/sample.hpp"

namespace {

using namespace bast_stacks;
using namespace bast_stacks::draw;

site with_every_bucket() {
  site made;
  for (std::uint32_t i = 0; i < bast::watch::bucket_count; ++i) made.histogram.push_back({i, 1});
  made.max = bast::watch::bucket_low(bast::watch::bucket_count - 1);
  made.samples = bast::watch::bucket_count;
  return made;
}

TEST(Histogram, BarsTileEveryDepth) {
  const std::vector<histogram_bar> bars = histogram_bars(with_every_bucket());
  std::uint64_t next = 0;
  std::uint64_t total = 0;
  for (const histogram_bar& each : bars) {
    EXPECT_EQ(each.low, next);
    EXPECT_GT(each.high, each.low);
    next = each.high + 1;
    total += each.count;
  }
  EXPECT_EQ(next, 0U);  // the last has no end
  EXPECT_EQ(total, bast::watch::bucket_count);
}

TEST(Histogram, BarsAreAnEighthOfAnOctaveWhereBucketsAreFiner) {
  for (const histogram_bar& each : histogram_bars(with_every_bucket())) {
    if (each.low < 512 || each.high == ~std::uint64_t{0}) continue;
    const double ratio = static_cast<double>(each.high + 1) / static_cast<double>(each.low);
    EXPECT_GT(ratio, 1.04) << each.low;
    EXPECT_LT(ratio, 1.26) << each.low;
  }
}

TEST(Histogram, OnlyBarsThatHoldSomething) {
  site made = test::make_site("a", 0, {}, 8192);
  EXPECT_TRUE(histogram_bars(made).empty());
  EXPECT_EQ(histogram_svg(made), "");
  test::add_uses(made, {{100, 3}, {5000, 2}});
  const std::vector<histogram_bar> bars = histogram_bars(made);
  ASSERT_EQ(bars.size(), 2U);
  EXPECT_EQ(bars[0].count, 3U);
  EXPECT_LE(bars[1].low, 5000U);
  EXPECT_GE(bars[1].high, 5000U);
}

TEST(Histogram, ShowsQuantilesMaximumAndLimit) {
  const std::string svg = histogram_svg(sample::accepting());
  EXPECT_EQ(sample::malformed(svg), "");
  for (const char* words : {">p50 3.1 KiB<", ">p99 5.9 KiB<", ">max 9.1 KiB<", ">limit 256 KiB<"})
    EXPECT_NE(svg.find(words), std::string::npos) << words;
}

TEST(Histogram, OneUseIsVisibleAmongMillions) {
  site made = test::make_site("a", 0, {}, 8192);
  test::add_uses(made, {{100, 40'000'000}, {5000, 1}});
  EXPECT_NE(histogram_svg(made).find("1 use</title>"), std::string::npos);
}

}  // namespace
