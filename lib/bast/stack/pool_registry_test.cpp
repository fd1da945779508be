// SPDX-License-Identifier: Apache-2.0
//
// The records of a pool in the registry, during its life and after it.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;
using test::site_b;

constexpr auto open_state = static_cast<std::uint32_t>(watch::entry_state::open);

template <class Entry>
Entry* first_of(const watch::table& where) {
  return reinterpret_cast<Entry*>(reinterpret_cast<std::byte*>(watch::registry()) + where.offset);
}
template <class Entry>
std::size_t open_entries(const watch::table& where) {
  const auto* const all = first_of<Entry>(where);
  return static_cast<std::size_t>(
      std::count_if(all, all + where.used, [](auto& entry) { return entry.state == open_state; }));
}
std::size_t open_pools() { return open_entries<watch::pool_entry>(watch::registry()->pools); }
std::size_t open_slabs() { return open_entries<watch::slab_entry>(watch::registry()->slabs); }
std::size_t open_sites() { return open_entries<watch::site_entry>(watch::registry()->sites); }

const watch::pool_entry& pool_entry_of(const stack_pool& pool) {
  return first_of<watch::pool_entry>(watch::registry()->pools)[pool.sites().entry_of(0).pool];
}
/// The entry of the slab that begins at `base`.
const watch::slab_entry* slab_entry_at(const std::byte* base) {
  const watch::table& where = watch::registry()->slabs;
  const auto* const all = first_of<watch::slab_entry>(where);
  const auto* const found = std::find_if(all, all + where.used, [&](auto& entry) {
    return entry.state == open_state && entry.base == reinterpret_cast<std::uintptr_t>(base);
  });
  return found == all + where.used ? nullptr : found;
}
template <class T>
T field(const slot& s, std::uint16_t offset) {
  T value;
  std::memcpy(&value, reinterpret_cast<const std::byte*>(&s) + offset, sizeof value);
  return value;
}

TEST(PoolRegistry, APoolTellsEveryOptionInItsOwnField) {
  constexpr stack_scrub scrubs[] = {stack_scrub::none, stack_scrub::zero_used, stack_scrub::poison};
  for (const stack_scrub scrub : scrubs) {
    const bool demand = scrub == stack_scrub::poison;
    stack_pool pool;
    ASSERT_TRUE(pool.init({.limit = 512_KiB,
                           .guard = 128_KiB,
                           .window = 64_KiB,
                           .retain = 256_KiB,
                           .budget = 7_MiB,
                           .growth = demand ? stack_growth::demand : stack_growth::fault,
                           .scrub = scrub,
                           .measure = scrub != stack_scrub::none},
                          8, {"somewhere.cpp", 42, 7})
                    .has_value());
    const watch::pool_entry& told = pool_entry_of(pool);
    EXPECT_EQ(told.state, open_state);
    EXPECT_EQ(told.owner_thread, os::thread_id());
    EXPECT_EQ(told.limit, (512_KiB).count);
    EXPECT_EQ(told.guard, (128_KiB).count);
    EXPECT_EQ(told.window, pool.geometry().window);
    EXPECT_EQ(told.retain, pool.geometry().retain);
    if (!test::under_valgrind) {
      EXPECT_EQ(told.window, (demand ? 512_KiB : 64_KiB).count);
      EXPECT_EQ(told.retain, (demand ? 512_KiB : 256_KiB).count);
    }
    EXPECT_EQ(told.budget, (7_MiB).count);
    EXPECT_EQ(pool.budget().limit(), 7_MiB);
    EXPECT_EQ(told.scrub, static_cast<std::uint8_t>(scrub));
    EXPECT_EQ(told.growth, demand ? 1U : 0U);
    EXPECT_EQ(told.measured, scrub != stack_scrub::none ? 1U : 0U);
    EXPECT_STREQ(told.where, "somewhere.cpp:42");
  }
}

TEST(PoolRegistry, APoolWithoutAPlaceTellsNone) {
  stack_pool pool;
  ASSERT_TRUE(pool.init({}, 8).has_value());
  EXPECT_STREQ(pool_entry_of(pool).where, "");
}

TEST(PoolRegistry, APoolThatIsGoneLeavesNoOpenEntry) {
  ASSERT_TRUE(watch::open_registry().has_value());
  const std::size_t pools = open_pools();
  const std::size_t slabs = open_slabs();
  const std::size_t spawn_sites = open_sites();
  {
    stack_pool pool;
    ASSERT_TRUE(pool.init({}, 100).has_value());
    pool.release(**pool.acquire(site_a));
    ASSERT_TRUE(pool.reserve(100).has_value());
    EXPECT_EQ(open_pools(), pools + 1);
    EXPECT_EQ(open_slabs(), slabs + pool.stats().slabs);
    EXPECT_EQ(open_sites(), spawn_sites + 2) << "(other) and ours";
  }
  EXPECT_EQ(open_pools(), pools);
  EXPECT_EQ(open_slabs(), slabs);
  EXPECT_EQ(open_sites(), spawn_sites);
}

TEST(PoolRegistry, X6_APoolThatWasRefusedTellsNothingAndOnceItIsMadeTellsOnce) {
  ASSERT_TRUE(watch::open_registry().has_value());
  ASSERT_TRUE(resolve_tier(stack_tier::automatic).has_value());
  const std::size_t pools = open_pools();
  {
    stack_pool pool;
    {
      const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
      const auto refused = pool.init({}, 8);
      ASSERT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error().kind(), errc::no_memory);
      EXPECT_EQ(open_pools(), pools);
    }
    ASSERT_TRUE(pool.init({}, 8).has_value());
    EXPECT_EQ(open_pools(), pools + 1);
  }
  EXPECT_EQ(open_pools(), pools);
}

TEST(PoolRegistry, X6_TheFirstPoolIsRefusedWithoutARegistryAndTheNextIsNot) {
  test::expect_in_fresh_process([] {
    const test::leak_baseline before;
    stack_pool pool;
    {
      // Hits only the registry's call, the first that opens memory.
      const os::fault_scope fault({.kind = os::call::protect, .nth = 1});
      const auto refused = pool.init({}, 8);
      if (refused || refused.error().kind() != errc::no_memory) return 1;
      if (fault.injected() != 1) return 2;
    }
    if (watch::registry() != nullptr) return 3;
    if (!before.differences().empty()) return 4;
    if (!pool.init({}, 8)) return 5;
    if (open_pools() != 1) return 6;
    const auto stack = pool.acquire(site_a);
    if (!stack) return 7;
    pool.release(**stack);
    return 0;
  });
}

TEST(PoolRegistry, EveryFieldOfASlotIsWhereTheHeaderSays) {
  stack_pool pool;
  ASSERT_TRUE(pool.init({.window = 16_KiB}, 8).has_value());
  slot& s = **pool.acquire(site_a, "walker");
  const watch::slot_layout& layout = watch::registry()->slots;
  s.countdown.store(1234);
  s.period = 2345;
  s.grows.store(7);
  for (const auto sampled : {slot_sampling::yes, slot_sampling::told, slot_sampling::no}) {
    s.sampled = sampled;
    EXPECT_EQ(field<slot_sampling>(s, layout.sampled), sampled);
  }
  EXPECT_EQ(layout.record_bytes, sizeof(slot));
  EXPECT_STREQ(field<const char*>(s, layout.name), "walker");
  EXPECT_EQ(field<std::byte*>(s, layout.top), s.top);
  EXPECT_EQ(field<std::uint16_t>(s, layout.site), s.site);
  EXPECT_NE(s.site, 0U);
  EXPECT_EQ(field<std::uint16_t>(s, layout.countdown), 1234U);
  EXPECT_EQ(field<std::uint16_t>(s, layout.period), 2345U);
  EXPECT_EQ(field<std::uint16_t>(s, layout.grows), 7U);
  EXPECT_EQ(field<std::uint16_t>(s, layout.frontier), s.frontier.load());
  EXPECT_EQ(field<std::uint8_t>(s, layout.state),
            static_cast<std::uint8_t>(watch::slot_state::live));
  s.period = 1;
  s.countdown.store(1);
  pool.release(s);
  EXPECT_EQ(field<std::uint8_t>(s, layout.state), static_cast<std::uint8_t>(s.state));
}

struct SlabRegistry : test::pool_fixture {};
INSTANTIATE_TEST_SUITE_P(Tiers, SlabRegistry, ::testing::ValuesIn(test::all_tiers),
                         test::tier_name);

TEST_P(SlabRegistry, ASlabTellsItsWholeRecordAndHowMuchOfItIsOpened) {
  make({.limit = 1_MiB, .guard = 128_KiB}, 50);
  slot& s = acquire(site_a);
  slab& home = slab::of(s);
  const watch::slab_entry* const told = slab_entry_at(home.base);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->pool, pool.sites().entry_of(0).pool);
  EXPECT_EQ(told->tier, GetParam() == stack_tier::guard_markers ? 1U : 2U);
  EXPECT_EQ(told->stride, (1_MiB).count + (128_KiB).count);
  EXPECT_EQ(told->guard, (128_KiB).count);
  EXPECT_EQ(told->slots, reinterpret_cast<std::uintptr_t>(home.slots()));
  EXPECT_EQ(told->opened, home.opened);
  const std::uint32_t before = home.opened;
  ASSERT_TRUE(pool.reserve(home.capacity).has_value());
  EXPECT_EQ(before, 1U) << "a batch is 2 MiB at most";
  EXPECT_EQ(home.opened, home.capacity);
  EXPECT_EQ(told->opened, home.opened);
  const std::byte* const base = home.base;
  pool.release(s);
  pool.shrink();
  EXPECT_EQ(slab_entry_at(base), nullptr);
}

TEST(SlabRegistryOwner, ASlabWhosePoolTellsNothingTellsNothing) {
  ASSERT_TRUE(watch::open_registry().has_value());
  const std::size_t slabs = open_slabs();
  slab_owner owner;
  const auto made =
      slab::create(stack_geometry::make({}).value(), stack_tier::protection, false, 4, owner);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ((*made)->entry, nullptr);
  EXPECT_EQ(open_slabs(), slabs);
  EXPECT_TRUE((*made)->open_batch(1).has_value());
  slab::destroy(*made);
}

TEST_P(SlabRegistry, ASiteTellsWhoItIsAndHowManyStacksItHolds) {
  make({.limit = 512_KiB, .window = 16_KiB}, 20);
  const std::vector<slot*> all = acquire_many(site_a, 3);
  const watch::site_entry& a = pool.sites().entry_of(all[0]->site);
  EXPECT_EQ(a.kind, static_cast<std::uint32_t>(watch::site_kind::label));
  EXPECT_STREQ(a.where, site_a.where);
  EXPECT_EQ(a.line, 0U);
  EXPECT_EQ(a.column, 0U);
  EXPECT_EQ(a.index, all[0]->site);
  EXPECT_EQ(a.limit, (512_KiB).count);
  EXPECT_EQ(a.window, pool.geometry().window);
  EXPECT_EQ(a.held, 3U);
  EXPECT_EQ(a.held_max, 3U);
  EXPECT_EQ(pool.sites().entry_of(0).held, 0U) << "fresh ones belong to no site";
  EXPECT_EQ(pool.sites().entry_of(0).kind, static_cast<std::uint32_t>(watch::site_kind::other));

  release_all(all);
  slot& thief = acquire({"thief.cpp", 12, 34});
  const watch::site_entry& b = pool.sites().entry_of(thief.site);
  EXPECT_EQ(b.kind, static_cast<std::uint32_t>(watch::site_kind::source));
  EXPECT_STREQ(b.where, "thief.cpp");
  EXPECT_EQ(b.line, 12U);
  EXPECT_EQ(b.column, 34U);
  EXPECT_EQ(b.index, thief.site);
  EXPECT_EQ(b.held, 1U);
  EXPECT_EQ(a.held, test::quarantined ? 3U : 2U) << "one was taken over";
  EXPECT_EQ(a.held_max, 3U);
  pool.release(thief);
  pool.shrink();
  EXPECT_EQ(a.held, 0U);
  EXPECT_EQ(b.held, 0U);
  EXPECT_EQ(a.held_max, 3U);
}

}  // namespace
}  // namespace bast
