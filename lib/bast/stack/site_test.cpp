// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/site.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"

namespace bast {
namespace {

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
  void SetUp() override {
    ASSERT_TRUE(watch::open_registry().has_value());
    ASSERT_TRUE(table.init(nullptr).has_value());
  }
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
    watch::add(table.entry_of(record),
               {.uses = line * 10, .grows = line * 3, .is_sample = true, .depth = line * 100});
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
  ASSERT_TRUE(watch::open_registry().has_value());
  const test::leak_baseline before;
  {
    site_table table;
    const os::fault_scope fault({.kind = os::call::map, .nth = 1});
    const auto ready = table.init(nullptr);
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().kind(), errc::no_memory);
  }
  {
    site_table table;
    ASSERT_TRUE(table.init(nullptr).has_value());
    for (std::uint32_t line = 1; line <= 100; ++line) table.find({"leak.cpp", line, 0});
  }
  EXPECT_EQ(before.differences(), "");
}

}  // namespace
}  // namespace bast
