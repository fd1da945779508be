// SPDX-License-Identifier: Apache-2.0
//
// Merging sites, and the numbers computed from them: every field, every bound.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/statistics.hpp"
#include "model/test_record_text.hpp"

namespace bast_stacks {
namespace {

using test::record_text;

constexpr std::uint64_t largest_sum = std::numeric_limits<std::uint64_t>::max();

site merged_site(std::uint64_t from, std::vector<bucket> histogram,
                 std::vector<std::uint64_t> pools) {
  site made;
  made.where = fmt::format("s{}", from);
  made.line = static_cast<std::uint32_t>(from);
  made.uses = from + 1;
  made.pending = from + 2;
  made.samples = from + 3;
  made.grows = from + 4;
  made.max = from + 5;
  made.max_age_ns = from + 6;
  made.live = from + 7;
  made.held = from + 8;
  made.limit = from + 9;
  made.window = from + 10;
  made.histogram = std::move(histogram);
  made.pools = std::move(pools);
  made.raw.depth = from + 11;
  made.deepest.depth = from + 12;
  made.overflows = from + 13;
  return made;
}

std::string merged(site into, const site& more) {
  merge(into, more);
  return record_text(into);
}

TEST(Merge, EveryFieldOfTwoSites) {
  const site small = merged_site(100, {{1, 10}, {3, 20}, {7, 30}}, {1, 4});
  const site large = merged_site(500, {{0, 1}, {3, 2}, {8, 3}}, {4, 2});
  const std::string sums =
      " uses=602 pending=604 samples=606 grows=608 max=505 age=506 [0:1 1:10 3:22 7:30 8:3] "
      "live=614 held=616 limit=509 window=510 pools=[1, 2, 4] overflows=626 raw={depth=511 sp=0 "
      "pc=0x0 fp=0x0 "
      "top=0x0 at=0 first=0 omitted=0 []} deepest={depth=512 inner=0 omitted=0 []}";
  EXPECT_EQ(merged(small, large), "0 s100 100:0" + sums);
  EXPECT_EQ(merged(large, small), "0 s500 500:0" + sums);
  // An empty site changes nothing, on either side.
  EXPECT_EQ(merged(small, {}), record_text(small));
  site named = small;
  named.where = "";
  named.line = 0;
  EXPECT_EQ(merged({}, small), record_text(named));
}

TEST(Merge, TheSameDepthKeepsTheFirst) {
  site first;
  first.max = first.raw.depth = first.deepest.depth = 50;
  first.max_age_ns = first.raw.pc = first.deepest.inner = 1;
  site second = first;
  second.max_age_ns = second.raw.pc = second.deepest.inner = 2;
  EXPECT_EQ(merged(first, second), record_text(first));
}

TEST(Merge, ALimitIsTheSmallestThatIsKnown) {
  const auto limit = [](std::uint64_t a, std::uint64_t b) {
    site into;
    into.limit = a;
    into.window = 1;
    site more;
    more.limit = b;
    more.window = 2;
    merge(into, more);
    return fmt::format("{} {}", into.limit, into.window);
  };
  EXPECT_EQ(limit(0, 0), "0 1");
  EXPECT_EQ(limit(5, 0), "5 1");
  EXPECT_EQ(limit(0, 5), "5 2");
  EXPECT_EQ(limit(5, 5), "5 1");
  EXPECT_EQ(limit(5, 6), "5 1");
  EXPECT_EQ(limit(5, 4), "4 2");
}

/// A handler runs deep in a pool of 64 KiB and once in one of 1 MiB, in any order.
TEST(Merge, TheMarginIsTheSmallestOfItsPools) {
  const auto in = [](std::uint64_t limit, std::uint64_t max) {
    site made;
    made.limit = limit;
    made.window = limit / 4;
    made.max = max;
    return made;
  };
  const site small = in(64 << 10, 60'000);
  const site large = in(1 << 20, 300);
  const site deep = in(1 << 20, 100'000);
  const double left = 1 - 60'000.0 / 65'536;
  const auto all = [](std::initializer_list<site> parts) {
    site sum;
    for (const site& each : parts) merge(sum, each);
    return sum;
  };
  for (const site& sum : {all({small, large}), all({large, small}), all({small, large, large})}) {
    EXPECT_EQ(sum.limit, 64U << 10);
    EXPECT_EQ(sum.window, 16U << 10);
    EXPECT_EQ(sum.max, 60'000U);
    EXPECT_EQ(sum.max_in_limit, 0U);
    EXPECT_EQ(margin(sum), left);
  }
  // The deepest use need not be the one with the smallest margin.
  for (const site& sum :
       {all({small, deep, large}), all({deep, large, small}), all({large, small, deep})}) {
    EXPECT_EQ(sum.limit, 64U << 10);
    EXPECT_EQ(sum.max, 100'000U);
    EXPECT_EQ(sum.max_in_limit, 60'000U);
    EXPECT_EQ(margin(sum), left);
  }
  EXPECT_EQ(all({in(10, 5), in(20, 10)}).limit, 10U) << "of equal margins the smaller limit";
  EXPECT_EQ(all({in(20, 10), in(10, 5)}).limit, 10U);
  constexpr std::uint64_t huge = std::uint64_t{1} << 62;
  EXPECT_EQ(all({in(huge, huge - 1), in(huge, huge - 2)}).max_in_limit, 0U);
  EXPECT_EQ(all({in(huge, huge - 1), in(huge - 1, huge - 1)}).limit, huge - 1);
}

TEST(Merge, ADepthIsNotedInItsPoolsLimit) {
  site s;
  s.limit = 100;
  s.window = 7;
  s.max = 50;
  s.max_age_ns = 9;
  const auto noted = [](site of, std::uint64_t depth, std::uint64_t limit) {
    note_depth(of, depth, limit);
    return fmt::format("{} {} {} {} {}", of.max, of.max_in_limit, of.limit, of.window,
                       of.max_age_ns);
  };
  EXPECT_EQ(noted(s, 40, 100), "50 0 100 7 9");
  EXPECT_EQ(noted(s, 50, 100), "50 0 100 7 9");
  EXPECT_EQ(noted(s, 60, 100), "60 0 100 7 0");
  EXPECT_EQ(noted(s, 60, 200), "60 50 100 7 0");
  EXPECT_EQ(noted(s, 40, 50), "50 40 50 7 9");
  EXPECT_EQ(noted(s, 60, 0), "60 50 100 7 0") << "a limit that is not known";
  s.max_in_limit = 30;
  EXPECT_EQ(noted(s, 40, 100), "50 40 100 7 9");
  EXPECT_EQ(noted(s, 20, 100), "50 30 100 7 9");
}

TEST(Merge, SumsEndAtTheLargestNumber) {
  const site all = merged_site(largest_sum - 20, {{2, largest_sum - 20}}, {});
  const site more = merged_site(20, {{2, 20}}, {});
  site into = all;
  merge(into, more);
  EXPECT_EQ(into.uses, largest_sum);
  EXPECT_EQ(into.pending, largest_sum);
  EXPECT_EQ(into.samples, largest_sum);
  EXPECT_EQ(into.grows, largest_sum);
  EXPECT_EQ(into.live, largest_sum);
  EXPECT_EQ(into.held, largest_sum);
  EXPECT_EQ(into.histogram[0].count, largest_sum);
}

TEST(Statistics, SumsAndProductsAtTheirBounds) {
  EXPECT_EQ(add(largest_sum - 1, 1), largest_sum);
  EXPECT_EQ(add(2, 3), 5U);
  EXPECT_EQ(multiply(2, 3), 6U);
  EXPECT_EQ(multiply(largest_sum, 1), largest_sum);
  EXPECT_EQ(multiply(1ULL << 32, 1ULL << 31), 1ULL << 63);
  EXPECT_EQ(multiply(1ULL << 32, 1ULL << 32), largest_sum);
  EXPECT_EQ(round_up(0, 4096), 0U);
  EXPECT_EQ(round_up(4097, 4096), 8192U);
  EXPECT_EQ(round_up(7, 1), 7U);
  site s;
  EXPECT_EQ(sampled(s), 0U);
  s.histogram = {{1, 3}, {2, 4}};
  EXPECT_EQ(sampled(s), 7U);
}

TEST(Statistics, AQuantileIsOfTheRankThatIsAskedFor) {
  site s;
  s.max = 1'000'000;
  s.histogram = {{1, 1}, {5, 2}, {9, 1}};
  const auto bucket_at = [&](double q) {
    for (const bucket& each : s.histogram)
      if (quantile(s, q) == bast::watch::bucket_high(each.index)) return each.index;
    return 0U;
  };
  EXPECT_EQ(bucket_at(-1), 1U);
  EXPECT_EQ(bucket_at(0), 1U);
  EXPECT_EQ(bucket_at(0.25), 1U);
  EXPECT_EQ(bucket_at(0.26), 5U);
  EXPECT_EQ(bucket_at(0.75), 5U);
  EXPECT_EQ(bucket_at(0.76), 9U);
  EXPECT_EQ(bucket_at(1), 9U);
  EXPECT_EQ(bucket_at(2), 9U);
  s.max = 100;
  EXPECT_EQ(quantile(s, 1), 100U);
}

TEST(Statistics, ConfidenceAtItsBounds) {
  EXPECT_EQ(confidence(0, 0.5), 0);
  EXPECT_DOUBLE_EQ(confidence(1, 0.75), 0.25);
  EXPECT_DOUBLE_EQ(confidence(2, 0.5), 0.75);
  EXPECT_EQ(confidence(5, 0), 1);
  EXPECT_EQ(confidence(5, -1), 1);
  EXPECT_EQ(confidence(5, 1), 0);
  EXPECT_EQ(confidence(5, 2), 0);
  EXPECT_EQ(runs_needed(0, 0.5), largest_sum);
  EXPECT_EQ(runs_needed(0.5, 0), largest_sum);
  EXPECT_EQ(runs_needed(-0.5, 0.5), largest_sum);
  EXPECT_EQ(runs_needed(0.5, -0.5), largest_sum);
  EXPECT_EQ(runs_needed(1.5, 0.5), largest_sum);
  EXPECT_EQ(runs_needed(0.5, 1.5), largest_sum);
  EXPECT_EQ(runs_needed(0.5, std::nan("")), largest_sum);
  EXPECT_EQ(runs_needed(0.9, 0.01), 1U);
  EXPECT_EQ(runs_needed(0.5, 0.5), 1U);
  EXPECT_EQ(runs_needed(0.5, 0.51), 2U);
  EXPECT_EQ(supported_quantile(1, 0.25), 0.75);
  EXPECT_EQ(supported_quantile(1, 1), 0);
  EXPECT_EQ(supported_quantile(1, 0), 1);
  EXPECT_EQ(supported_quantile(1, 7), 0);
  EXPECT_EQ(supported_quantile(1, -7), 1);
}

TEST(Statistics, AMarginMayBeNegative) {
  site s;
  s.limit = 1;
  EXPECT_EQ(margin(s), 1.0);
  s.max = 3;
  EXPECT_EQ(margin(s), -2.0);
}

TEST(Statistics, ResidentBeyondDepthCountsWholePages) {
  const auto beyond = [](std::uint64_t depth, std::uint64_t resident, std::uint32_t page = 4096) {
    snapshot s;
    s.page_bytes = page;
    s.stacks.resize(2);
    for (live_stack& each : s.stacks) {
      each.scanned = true;
      each.depth = depth;
      each.resident = resident;
    }
    return resident_beyond_depth(s);
  };
  EXPECT_EQ(beyond(4096, 4096), 0U);
  EXPECT_EQ(beyond(4096, 4097), 2U);
  EXPECT_EQ(beyond(4097, 8192), 0U);
  EXPECT_EQ(beyond(4097, 12'288), 8192U);
  EXPECT_EQ(beyond(4096, 0), 0U);
  EXPECT_EQ(beyond(4097, 12'288, 0), 0U);
  EXPECT_EQ(beyond(0, largest_sum), largest_sum);
}

}  // namespace
}  // namespace bast_stacks
