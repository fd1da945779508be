// SPDX-License-Identifier: Apache-2.0
//
// Entries of pools and slabs: taken, published, returned.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bast/watch/registry.hpp"

namespace bast::watch {
namespace {

constexpr auto free_state = static_cast<std::uint32_t>(entry_state::free);
constexpr auto open_state = static_cast<std::uint32_t>(entry_state::open);
constexpr auto closed_state = static_cast<std::uint32_t>(entry_state::closed);

struct Entry : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(open_registry().has_value()); }
};

/// Takes entries until there are none, and returns them.
template <class Take>
void fill(const table& where, Take take) {
  const std::uint32_t lost = where.lost;
  std::vector<decltype(take())> all;
  while (auto* const entry = take()) all.push_back(entry);
  EXPECT_GT(all.size(), 0U);
  EXPECT_LE(all.size(), where.capacity);
  EXPECT_EQ(where.used, where.capacity);
  EXPECT_EQ(where.lost, lost + 1);
  EXPECT_EQ(take(), nullptr);
  EXPECT_EQ(where.lost, lost + 2) << "each failed attempt is counted";
  auto* const one = all[all.size() / 2];
  give(one);
  EXPECT_EQ(take(), one) << "the only free one";
  EXPECT_EQ(where.lost, lost + 2);
  for (auto* const entry : all) give(entry);
  for (auto* const entry : all) EXPECT_EQ(entry->state, free_state);
}

TEST_F(Entry, ATakenOneIsNobodyElsesUntilItIsGivenBack) {
  pool_entry* const one = take_pool();
  pool_entry* const other = take_pool();
  ASSERT_NE(one, nullptr);
  ASSERT_NE(other, nullptr);
  EXPECT_NE(one, other);
  EXPECT_EQ(other->id, one->id + 1);
  publish(*one);
  EXPECT_EQ(one->state, open_state);
  give(one);
  EXPECT_EQ(one->state, free_state);
  const std::uint64_t last = other->id;
  pool_entry* const again = take_pool();
  EXPECT_EQ(again, one);
  EXPECT_EQ(again->id, last + 1) << "an id is never reused";
  give(again);
  give(other);
  give(static_cast<pool_entry*>(nullptr));
  give(static_cast<slab_entry*>(nullptr));
}

TEST_F(Entry, ATakenPoolIsZeroButForItsIdAndShowsNothingYet) {
  pool_entry* const first = take_pool();
  std::memset(first, 0xff, sizeof *first);
  give(first);
  pool_entry* const entry = take_pool();
  ASSERT_EQ(entry, first);
  pool_entry expected{};
  expected.state = closed_state;  // neither free nor readable
  expected.id = entry->id;
  EXPECT_NE(entry->id, 0U);
  EXPECT_EQ(std::memcmp(entry, &expected, sizeof expected), 0);
  give(entry);
}

TEST_F(Entry, ATakenSlabIsZeroAndShowsNothingYet) {
  slab_entry* const first = take_slab();
  std::memset(first, 0xff, sizeof *first);
  give(first);
  slab_entry* const entry = take_slab();
  ASSERT_EQ(entry, first);
  slab_entry expected{};
  expected.state = closed_state;
  EXPECT_EQ(std::memcmp(entry, &expected, sizeof expected), 0);
  set_opened(*entry, 17);
  publish(*entry);
  expected.state = open_state;
  expected.opened = 17;
  EXPECT_EQ(std::memcmp(entry, &expected, sizeof expected), 0);
  give(entry);
  EXPECT_EQ(entry->state, free_state);
}

TEST_F(Entry, PoolsThatFindNoRoomAreCounted) {
  fill(registry()->pools, [] { return take_pool(); });
}

TEST_F(Entry, SlabsThatFindNoRoomAreCounted) {
  fill(registry()->slabs, [] { return take_slab(); });
}

TEST_F(Entry, APoolsIndexIsItsPlaceInTheTable) {
  auto* const all = reinterpret_cast<pool_entry*>(reinterpret_cast<std::byte*>(registry()) +
                                                  registry()->pools.offset);
  EXPECT_EQ(index_of(all), 0U);
  EXPECT_EQ(index_of(all + 1), 1U);
  EXPECT_EQ(index_of(all + 4095), 4095U);
  EXPECT_EQ(index_of(nullptr), no_index);
  EXPECT_EQ(no_index, 0xffff'ffffU);
}

// --- destroyed pools -----------------------------------------------------------------------------

pool_entry* made_at(const char* where, const pool_entry& options = {}) {
  pool_entry* const entry = take_pool();
  const std::uint64_t id = entry->id;
  *entry = options;
  entry->id = id;
  write_end_of(entry->where, where);
  publish(*entry);
  return entry;
}

TEST_F(Entry, R3_PoolsThatAreGoneAreAddedUpByPlaceAndOptions) {
  pool_entry* const first = made_at("gone.cpp:1");
  pool_entry* const second = made_at("gone.cpp:1");
  pool_entry* const third = made_at("gone.cpp:1");
  pool_entry expected = *first;
  EXPECT_EQ(close(first, 5), first);
  expected.state = closed_state;
  expected.gone = 1;
  expected.stacks_max = 5;
  EXPECT_EQ(std::memcmp(first, &expected, sizeof expected), 0);
  EXPECT_EQ(close(second, 4), first);
  EXPECT_EQ(second->state, free_state);
  expected.gone = 2;
  EXPECT_EQ(std::memcmp(first, &expected, sizeof expected), 0) << "the maximum of one of them";
  EXPECT_EQ(close(third, 6), first);
  expected.gone = 3;
  expected.stacks_max = 6;
  EXPECT_EQ(std::memcmp(first, &expected, sizeof expected), 0);
  give(first);
}

TEST_F(Entry, R3_PoolsThatDifferInOneOptionAreNotAddedUp) {
  std::vector<pool_entry> options(9);
  options[1].limit = 1;
  options[2].guard = 1;
  options[3].window = 1;
  options[4].retain = 1;
  options[5].budget = 1;
  options[6].scrub = 1;
  options[7].growth = 1;
  options[8].measured = 1;
  std::vector<pool_entry*> kept;
  for (const pool_entry& each : options) {
    pool_entry* const entry = made_at("options.cpp", each);
    EXPECT_EQ(close(entry, 1), entry);
    kept.push_back(entry);
  }
  pool_entry* const elsewhere = made_at("options.cpq");
  EXPECT_EQ(close(elsewhere, 1), elsewhere);
  for (std::size_t i = 0; i < options.size(); ++i) {
    EXPECT_EQ(close(made_at("options.cpp", options[i]), 1), kept[i]);
    EXPECT_EQ(kept[i]->gone, 2U) << i;
    give(kept[i]);
  }
  EXPECT_EQ(elsewhere->gone, 1U);
  give(elsewhere);
}

TEST_F(Entry, R3_APoolWithoutStacksLeavesNothing) {
  pool_entry* const kept = made_at("stacks.cpp");
  EXPECT_EQ(close(kept, 1), kept);
  pool_entry* const none = made_at("stacks.cpp");
  EXPECT_EQ(close(none, 0), nullptr);
  EXPECT_EQ(none->state, free_state);
  EXPECT_EQ(kept->gone, 1U);
  pool_entry* const other = made_at("no stacks.cpp");
  EXPECT_EQ(close(other, 0), nullptr);
  EXPECT_EQ(other->state, free_state);
  EXPECT_EQ(close(nullptr, 1), nullptr);
  give(kept);
}

TEST_F(Entry, R3_HalfOfTheTableIsForPoolsThatAreGone) {
  std::vector<pool_entry*> kept;
  pool_entry options{};
  pool_entry* refused = nullptr;
  for (options.limit = 1; refused == nullptr && options.limit < 4096; ++options.limit) {
    pool_entry* const entry = made_at("half.cpp", options);
    (close(entry, 1) == entry ? kept.emplace_back() : refused) = entry;
  }
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->state, free_state);
  EXPECT_LE(kept.size(), 2048U);
  EXPECT_GT(kept.size(), 2000U) << "other tests leave few";
  options.limit = 1;
  EXPECT_EQ(close(made_at("half.cpp", options), 1), kept[0]) << "one more of an existing kind";
  for (pool_entry* const entry : kept) give(entry);
}

TEST(Text, ASitesNameSaysNothingByItself) {
  constexpr site_name nothing{};
  EXPECT_EQ(nothing.kind, site_kind::other);
  EXPECT_EQ(nothing.where, "");
  EXPECT_EQ(nothing.line, 0U);
  EXPECT_EQ(nothing.column, 0U);
}

TEST(Text, OfWhatIsTooLongTheEndIsKept) {
  const std::string whole = "0123456789";
  for (std::size_t room = 1; room <= 12; ++room) {
    std::array<char, 12> place;
    place.fill('#');
    write_end_of({place.data(), room}, whole);
    const std::size_t kept = std::min(whole.size(), room - 1);
    EXPECT_EQ(std::string_view(place.data()), whole.substr(whole.size() - kept)) << room;
    for (std::size_t i = kept + 1; i < place.size(); ++i) EXPECT_EQ(place[i], '#') << room;
  }
  char nothing[2] = {'#', '#'};
  write_end_of(nothing, "");
  EXPECT_EQ(nothing[0], '\0');
}

}  // namespace
}  // namespace bast::watch
