// SPDX-License-Identifier: Apache-2.0
//
// Entries of sites: taken with their names, summed by name when their pools are destroyed.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/watch/registry.hpp"
#include "bast/watch/site.hpp"

namespace bast::watch {
namespace {

constexpr std::uint32_t number_of(entry_state state) { return static_cast<std::uint32_t>(state); }

site_entry* first_site() {
  return reinterpret_cast<site_entry*>(reinterpret_cast<std::byte*>(registry()) +
                                       registry()->sites.offset);
}

/// The entries of that name that are not free.
std::vector<site_entry*> sites_named(std::string_view where) {
  std::vector<site_entry*> found;
  for (std::uint32_t i = 0; i < registry()->sites.used; ++i) {
    site_entry* const entry = first_site() + i;
    if (entry->state != number_of(entry_state::free) && entry->where == where) {
      found.push_back(entry);
    }
  }
  return found;
}

site_entry* take_label(std::string_view name, std::uint32_t index = 1) {
  return take_site({site_kind::label, name, 0, 0}, nullptr, index);
}

/// One use of a site, in a pool that is then destroyed.
void live_once(const site_name& name, std::uint64_t depth = 100) {
  site_entry* const entry = take_site(name, nullptr, 1);
  add(*entry, {.uses = 1, .is_sample = true, .depth = depth});
  give(entry);
}

struct SiteEntry : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(open_registry().has_value()); }
};

TEST_F(SiteEntry, ATakenOneHasItsNameAndItsPoolsNumbersAndNoMore) {
  pool_entry* const pool = take_pool();
  pool->limit = 111;
  pool->window = 222;
  site_entry* const first = take_label("soiled");
  std::memset(first->histogram, 0xff, sizeof first->histogram);
  first->deepest.depth = 5;
  first->held = 6;
  first->deepest.sequence = 10;
  const std::uint32_t sequence = first->sequence;
  give(first);
  site_entry* const entry = take_site({site_kind::source, "named.cpp", 12, 34}, pool, 56);
  ASSERT_EQ(entry, first);
  site_entry expected{};
  expected.sequence = sequence + 2;  // a reader that began to copy repeats the copy
  expected.deepest.sequence = 12;
  expected.state = number_of(entry_state::open);
  expected.kind = static_cast<std::uint32_t>(site_kind::source);
  expected.pool = index_of(pool);
  expected.index = 56;
  expected.line = 12;
  expected.column = 34;
  expected.where_bytes = 9;
  expected.limit = 111;
  expected.window = 222;
  std::strcpy(expected.where, "named.cpp");
  EXPECT_EQ(std::memcmp(entry, &expected, sizeof expected), 0);
  give(entry);
  EXPECT_EQ(entry->state, number_of(entry_state::free));
  give(pool);
  give(static_cast<site_entry*>(nullptr));
}

TEST_F(SiteEntry, WithoutAPoolThereAreNoNumbersOfOne) {
  site_entry* const entry = take_label("poolless");
  EXPECT_EQ(entry->pool, no_index);
  EXPECT_EQ(entry->limit, 0U);
  EXPECT_EQ(entry->window, 0U);
  give(entry);
}

TEST_F(SiteEntry, WhatWasGivenBackLastIsTakenFirstAndNothingTwice) {
  std::vector<site_entry*> all;
  for (int i = 0; i < 40; ++i) all.push_back(take_label("chained"));
  const std::uint32_t used = registry()->sites.used;
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_NE(all[i], nullptr);
    for (std::size_t j = 0; j < i; ++j) ASSERT_NE(all[i], all[j]);
    EXPECT_LT(all[i], first_site() + used) << "visible to readers";
  }
  for (site_entry* const entry : all) give(entry);
  for (std::size_t i = all.size(); i-- > 0;) EXPECT_EQ(take_label("chained"), all[i]);
  EXPECT_EQ(registry()->sites.used, used);
  for (site_entry* const entry : all) give(entry);
  EXPECT_TRUE(sites_named("chained").empty()) << "unused sites leave no entry";
}

TEST(SiteEntryAfresh, FreshOnesAreTakenInOrderAndCounted) {
  test::expect_in_fresh_process([] {
    if (!open_registry() || registry()->sites.used != 0) return 1;
    for (std::uint32_t i = 0; i < 40; ++i) {
      if (take_label("fresh") != first_site() + i) return 2;
      if (registry()->sites.used != i + 1) return 3;
    }
    return registry()->sites.lost == 0 ? 0 : 4;
  });
}

TEST(SiteEntryAfresh, TheTableIsOpenedSixteenAtATime) {
  test::expect_in_fresh_process([] {
    if (!open_registry()) return 1;
    // The rest of the page of the last slab entries is open from the start.
    const std::size_t at = registry()->sites.offset;
    const std::size_t open = (internal::round_up(at, os::page_bytes()) - at) / sizeof(site_entry);
    const os::fault_scope counter({.kind = os::call::protect});
    for (std::size_t taken = 1; taken <= 100; ++taken) {
      if (take_label("stepwise") == nullptr) return 2;
      const std::size_t closed = taken > open ? taken - open : 0;
      if (counter.seen() != (closed + 15) / 16) return 3;
    }
    return 0;
  });
}

TEST(SiteEntryAfresh, R3_SitesOfPoolsThatAreGoneAreAddedUpByName) {
  test::expect_in_fresh_process([] {
    if (!open_registry()) return 1;
    const site_name name{site_kind::source, "added.cpp", 12, 3};
    for (std::uint64_t round = 1; round <= 3; ++round) {
      site_entry* const entry = take_site(name, nullptr, 1);
      if (entry == nullptr || entry->uses != 0) return 2;  // a new pool begins at zero
      hold(*entry);
      add(*entry, {.uses = 2, .grows = 1, .is_sample = true, .depth = 1000 * round});
      give(entry);
      if (sites_named("added.cpp").size() != 1) return 3;
    }
    const site_entry* const sum = sites_named("added.cpp").front();
    if (sum->state != number_of(entry_state::closed)) return 4;
    if (sum->pool != no_index) return 5;
    if (sum->held != 0 || sum->held_max != 1) return 6;
    if (sum->uses != 6 || sum->grows != 3 || sum->samples != 3 || sum->max != 3000) return 7;
    return quantile(*sum, 0.1) == bucket_high(bucket_of(1000)) ? 0 : 8;
  });
}

/// Its name was computed so that its FNV-1a hash is 0, which stands for an entry without a name.
TEST_F(SiteEntry, R3_OneWhoseNameHasTheHashOfNobodyIsKeptToo) {
  const site_name name{site_kind::source, "zero0.cpp", 2910130375U, 796117301U};
  live_once(name);
  live_once(name);
  ASSERT_EQ(sites_named("zero0.cpp").size(), 1U);
  const site_entry* const kept = sites_named("zero0.cpp").front();
  EXPECT_EQ(kept->state, number_of(entry_state::closed));
  EXPECT_EQ(kept->uses, 2U);
}

/// For the tests of the tool's file: uses the first site of its process.
TEST_F(SiteEntry, InAToolsFileItIsTheFirst) {
  if (registry()->sites.used != 0) GTEST_SKIP() << "other tests came first";
  for (int round = 0; round < 3; ++round) live_once({site_kind::source, "folded.cpp", 1, 2});
  EXPECT_EQ(first_site()->uses, 3U);
}

TEST_F(SiteEntry, R3_NamesDifferByEachOfTheirParts) {
  const std::string longer(300, 'd');
  const std::string longest(301, 'd');  // the ends of both, which are kept, are equal
  const site_name names[] = {
      {site_kind::source, "parts.cpp", 1, 1}, {site_kind::source, "parts.cpp", 1, 2},
      {site_kind::source, "parts.cpp", 2, 1}, {site_kind::label, "parts.cpp", 1, 1},
      {site_kind::source, "parts.cpq", 1, 1}, {site_kind::source, longer, 1, 1},
      {site_kind::source, longest, 1, 1}};
  // Twice: the second entry of each name is added to the first.
  std::vector<std::uint64_t> before;
  const auto uses_of = [](const site_name& name) {
    std::uint64_t uses = 0;
    for (std::uint32_t i = 0; i < registry()->sites.used; ++i) {
      const site_entry& entry = first_site()[i];
      const bool same = entry.state == number_of(entry_state::closed) &&
                        entry.kind == static_cast<std::uint32_t>(name.kind) &&
                        entry.line == name.line && entry.column == name.column &&
                        entry.where_bytes == name.where.size() &&
                        name.where.ends_with(std::string_view(entry.where));
      uses += same ? entry.uses : 0;
    }
    return uses;
  };
  for (const site_name& name : names) before.push_back(uses_of(name));
  for (const site_name& name : names) live_once(name);
  const std::uint32_t used = registry()->sites.used;
  for (const site_name& name : names) live_once(name);
  EXPECT_LE(registry()->sites.used, used + 1) << "one entry serves all while they live";
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(uses_of(names[i]), before[i] + 2) << i;
  }
}

TEST_F(SiteEntry, R3_WhatIsClosedIsOfThePoolsThatAreGone) {
  const site_name name{site_kind::label, "of gone pools", 0, 0};
  pool_entry* kept[2] = {};
  const auto live_in = [&](std::uint64_t limit, std::uint64_t depth) {
    pool_entry* const pool = take_pool();
    pool->limit = limit;
    publish(*pool);
    site_entry* const entry = take_site(name, pool, 1);
    add(*entry, {.uses = 1, .depth = depth});
    pool_entry* const gone = close(pool, 1);
    kept[limit == 1 << 20] = gone;
    give(entry, gone);
  };
  live_in(64 << 10, 60'000);
  live_in(1 << 20, 300);
  live_in(64 << 10, 100);
  const auto left = sites_named("of gone pools");
  ASSERT_EQ(left.size(), 2U) << "one for each limit";
  for (const site_entry* const each : left) {
    const bool large = each->limit == 1 << 20;
    EXPECT_EQ(each->state, number_of(entry_state::closed));
    EXPECT_EQ(each->pool, index_of(kept[large]));
    EXPECT_EQ(each->uses, large ? 1U : 2U);
    EXPECT_EQ(each->max, large ? 300U : 60'000U);
    EXPECT_EQ(each->limit, large ? std::uint64_t{1} << 20 : 64U << 10);
  }
  for (pool_entry* const each : kept) give(each);
}

TEST_F(SiteEntry, OneThatOnlyOverflowedIsKept) {
  site_entry* const entry = take_label("only overflowed");
  const std::uint32_t sequence = entry->sequence;
  note_overflow(*entry);
  note_overflow(*entry);
  EXPECT_EQ(entry->overflows, 2U);
  EXPECT_EQ(entry->sequence, sequence) << "it may have interrupted a writer";
  give(entry);
  site_entry* const again = take_label("only overflowed");
  EXPECT_EQ(again->overflows, 0U);
  note_overflow(*again);
  give(again);
  ASSERT_EQ(sites_named("only overflowed").size(), 1U);
  EXPECT_EQ(sites_named("only overflowed").front()->overflows, 3U);
}

TEST_F(SiteEntry, R3_WhatIsClosedIsOfNoPoolAndHoldsNothing) {
  pool_entry* const pool = take_pool();
  site_entry* const entry = take_site({site_kind::label, "closed", 0, 0}, pool, 1);
  EXPECT_EQ(entry->pool, index_of(pool));
  hold(*entry);
  add(*entry, {.uses = 1});
  give(entry);
  give(pool);
  for (const site_entry* const left : sites_named("closed")) {
    EXPECT_EQ(left->state, number_of(entry_state::closed));
    EXPECT_EQ(left->pool, no_index);
    EXPECT_EQ(left->held, 0U);
  }
  EXPECT_EQ(sites_named("closed").size(), 1U);
}

TEST_F(SiteEntry, ALongNameKeepsItsEnd) {
  const std::string longer = std::string(1000, 'd') + "/the_file.cpp";
  site_entry* const entry = take_site({site_kind::source, longer, 1, 1}, nullptr, 1);
  EXPECT_EQ(entry->where_bytes, longer.size());
  EXPECT_EQ(entry->where, longer.substr(longer.size() - 255));
  give(entry);
}

TEST_F(SiteEntry, AFullTableStillRecordsAndCountsWhatNobodySees) {
  EXPECT_EQ(test::in_child([] {
              const std::uint32_t capacity = registry()->sites.capacity;
              live_once({site_kind::label, "twin", 0, 0}, 500);
              const site_entry* const twin = sites_named("twin").front();
              const std::uint64_t uses = twin->uses;
              site_entry* entry = nullptr;
              do {
                entry = take_label("many", 3);
                if (entry == nullptr) return 1;
              } while (registry()->sites.lost == 0);
              if (registry()->sites.used != capacity || registry()->sites.lost != 1) return 2;
              if (entry >= first_site() && entry < first_site() + capacity) return 3;
              if (std::string_view(entry->where) != "many" || entry->index != 3) return 4;
              add(*entry, {.uses = 1, .is_sample = true, .depth = 64});
              if (entry->uses != 1) return 5;
              give(entry);
              // On either side of the table's end.
              std::vector<site_entry*> others;
              while (others.empty() || (others.back() > first_site() && others.size() < 20'000)) {
                others.push_back(take_label("many more"));
              }
              if (others.back() > first_site()) return 10;
              const std::uint32_t lost = registry()->sites.lost;
              for (site_entry* const other : others) give(other);
              // Its memory is freed, used or not. An entry of the same name gets its counts.
              const test::leak_baseline before;
              give(take_label("never used"));
              live_once({site_kind::label, "nobody's twin", 0, 0});
              live_once({site_kind::label, "twin", 0, 0}, 500);
              if (twin->uses != uses + 1) return 6;
              if (registry()->sites.lost != lost + 3) return 7;
              if (!sites_named("nobody's twin").empty()) return 8;
              return before.differences().empty() ? 0 : 9;
            }),
            0);
}

TEST(SiteEntryAfresh, X6_WhenNoMoreCanBeOpenedItIsMemoryOfItsOwnAndThenNot) {
  test::expect_in_fresh_process([] {
    if (!open_registry()) return 1;
    std::uint32_t taken = 0;
    {
      const os::fault_scope fault({.kind = os::call::protect, .nth = 1, .persistent = true});
      for (;; ++taken) {
        site_entry* const entry = take_label("closed in");
        if (entry == nullptr) return 2;
        if (registry()->sites.lost == 0) continue;
        if (entry >= first_site() && entry < first_site() + registry()->sites.capacity) return 3;
        give(entry);
        break;
      }
      if (registry()->sites.used != taken) return 4;
      if (fault.injected() != 1) return 5;
    }
    {
      // Both fail without a trace.
      const os::fault_scope fault({.kind = os::call::any, .nth = 1, .persistent = true});
      if (take_label("nowhere") != nullptr) return 6;
    }
    if (registry()->sites.lost != 2) return 7;
    if (take_label("open again") != first_site() + taken) return 8;
    return registry()->sites.lost == 2 ? 0 : 9;
  });
}

TEST_F(SiteEntry, R1_AReaderSeesAnEvenSequenceOnlyBetweenWrites) {
  site_entry* const entry = take_label("sequence");
  const std::uint32_t before = entry->sequence;
  EXPECT_EQ(before % 2, 0U);
  add(*entry, {.uses = 1, .is_sample = true, .depth = 64});
  EXPECT_EQ(entry->sequence, before + 2);
  hold(*entry);
  EXPECT_EQ(entry->sequence, before + 4);
  let_go(*entry);
  EXPECT_EQ(entry->sequence, before + 6);
  add(*entry, {.uses = 1, .measured = false});
  EXPECT_EQ(entry->sequence, before + 8);
  entry->uses = 0;
  give(entry);
}

}  // namespace
}  // namespace bast::watch
