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

TEST_F(SiteTable, I2_TheSameTextAtAnotherLineOrColumnIsAnotherRecord) {
  const std::string one = "header.hpp";
  const std::string other = one + "";
  const std::uint16_t record = table.find({one.c_str(), 9, 1});
  const std::uint16_t column = table.find({other.c_str(), 9, 2});
  const std::uint16_t line = table.find({other.c_str(), 8, 1});
  const std::uint16_t name = table.find({"headers.hpp", 9, 1});
  EXPECT_EQ(record, 1U);
  EXPECT_EQ(column, 2U);
  EXPECT_EQ(line, 3U);
  EXPECT_EQ(name, 4U);
  EXPECT_EQ(table.find({other.c_str(), 9, 1}), record);
}

TEST_F(SiteTable, ARowTellsEachNumberInItsOwnColumn) {
  const std::uint16_t record = table.find({"row.cpp", 3, 4});
  watch::site_entry& entry = table.entry_of(record);
  // A hundred samples: 90 of 100 bytes, 9 of 2,000, one of 3,000; then deeper, but no sample.
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t depth = i < 90 ? 100 : i < 99 ? 2000 : 3000;
    watch::add(entry, {.uses = 2, .grows = 3, .is_sample = true, .depth = depth});
  }
  watch::add(entry, {.uses = 7, .grows = 11, .depth = 60'000});
  const site_stats row = table.stats(record);
  EXPECT_EQ(row.key, (site_key{"row.cpp", 3, 4}));
  EXPECT_EQ(row.uses, 207U);
  EXPECT_EQ(row.samples, 100U);
  EXPECT_EQ(row.grows, 311U);
  EXPECT_EQ(row.p50, 127_B) << "the bucket's upper bound";
  EXPECT_EQ(row.p99, 2047_B);
  EXPECT_EQ(row.max, 60'000_B);
}

TEST_F(SiteTable, AUseWithoutASiteDoesNotForgetTheLastOne) {
  const std::uint16_t record = table.find({"last.cpp", 1, 1});
  EXPECT_EQ(table.find(site_key{}), 0U);
  EXPECT_EQ(table.find({"last.cpp", 1, 1}), record);
  EXPECT_EQ(table.find(site_key{}), 0U);
  EXPECT_EQ(table.size(), 2U);
}

/// Uses up every site entry, including those that could still be opened or mapped.
struct no_site_entries {
  no_site_entries() {
    const os::fault_scope fault({.nth = 1, .persistent = true});
    const watch::site_name name{watch::site_kind::label, "taken", 0, 0};
    while (auto* const entry = watch::take_site(name, nullptr, 0)) taken.push_back(entry);
  }
  ~no_site_entries() {
    for (watch::site_entry* const entry : taken) watch::give(entry);
  }
  no_site_entries(const no_site_entries&) = delete;
  no_site_entries& operator=(const no_site_entries&) = delete;
  std::vector<watch::site_entry*> taken;
};

TEST_F(SiteTable, X6_ASiteThatCannotBeRecordedIsOther) {
  const no_site_entries none;
  const os::fault_scope fault({.nth = 1, .persistent = true});
  EXPECT_EQ(table.find({"unrecorded.cpp", 1, 1}), 0U);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SiteTableInit, X6_WithoutARecordIsNoMemoryInWordsAndLeavesNothing) {
  ASSERT_TRUE(watch::open_registry().has_value());
  const no_site_entries none;
  const test::leak_baseline before;
  site_table table;
  {
    // The table itself is mapped, but not the entry of its first site.
    const os::fault_scope fault({.nth = 2, .persistent = true});
    const auto ready = table.init(nullptr);
    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().kind(), errc::no_memory);
    EXPECT_STREQ(ready.error().operation(), "stack_pool.init");
    EXPECT_STREQ(ready.error().detail(), "no memory to record spawn sites");
  }
  EXPECT_EQ(os::retry_pending_releases(), 0U);
  EXPECT_EQ(before.differences(), "");
  EXPECT_EQ(table.size(), 0U);
  EXPECT_TRUE(table.init(nullptr).has_value());
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
  EXPECT_EQ(table.find({"many.cpp", 1, 0}), 1U) << "known sites keep their record";
  EXPECT_EQ(table.find({"many.cpp", 9999, 0}), 0U);
}

TEST_F(SiteTable, I1_WhatIsNotRecordedTakesNoRoom) {
  for (std::uint32_t line = 1; line < site_table::sites_max; ++line) {
    table.find({"full.cpp", line, 0});
  }
  ASSERT_EQ(table.size(), site_table::sites_max);
  const os::fault_scope calls({.kind = os::call::map});
  // More spellings than the table has room for.
  for (std::size_t i = 0; i < 4 * site_table::sites_max; ++i) {
    ASSERT_EQ(table.find(site_key::labelled(i % 2 == 0 ? "one too many" : "another")), 0U);
  }
  EXPECT_EQ(calls.seen(), 0U) << "it grew";
  EXPECT_EQ(table.find({"full.cpp", 1, 0}), 1U);
}

/// The table of this many sites is one mapping, of this size.
TEST_F(SiteTable, ItsMemoryIsThatOfTheSitesItHasRoomFor) {
  if (test::process_counts::now().mappings == 0) GTEST_SKIP() << "a sanitizer maps memory itself";
  const std::size_t with_eight = test::process_counts::now().mapped_bytes;
  for (std::uint32_t line = 1; line <= 17; ++line) table.find({"sized.cpp", line, 0});
  const std::size_t after = test::process_counts::now().mapped_bytes;
  // A head has 32 bytes, and four spellings of 24 each.
  const auto bytes_of = [](std::size_t sites) {
    return internal::round_up(sites * (32 + 4 * 24), os::page_bytes());
  };
  EXPECT_EQ(after - with_eight, bytes_of(32) - bytes_of(8));
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
