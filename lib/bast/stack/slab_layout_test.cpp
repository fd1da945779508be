// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of slabs, and of the series of slabs that a pool creates: exact sizes and counts.
#include <gtest/gtest.h>

#include <vector>

#include "bast/os.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;
using test::site_b;

struct SlabLayout : test::pool_fixture {
  /// Checks the size of a slab for `wanted` slots.
  void expect_slab(const stack_options& options, std::size_t wanted, bytes reserved,
                   std::uint32_t capacity) {
    slab_owner owner;
    const auto geometry = stack_geometry::make(options).value();
    const os::fault_scope advice({.kind = os::call::advise});
    const auto made = slab::create(geometry, GetParam(), true, wanted, owner);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ((*made)->reserved, reserved.count) << wanted;
    EXPECT_EQ((*made)->capacity, capacity) << wanted;
    EXPECT_EQ((*made)->recorded,
              internal::round_up(slab::slots_offset + capacity * sizeof(slot), geometry.page));
    EXPECT_EQ(advice.seen(), 1U) << "small pages are requested";
    slab::destroy(*made);
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, SlabLayout, ::testing::ValuesIn(test::all_tiers), test::tier_name);

constexpr stack_options slots_of_128_kib{.limit = 64_KiB, .guard = 64_KiB, .window = 16_KiB};

TEST_P(SlabLayout, I2_ASlabIsAsManySlotsAsFitWithAGuardAtTheEnd) {
  expect_slab(slots_of_128_kib, 1, 2_MiB, 15);
  expect_slab(slots_of_128_kib, 15, 2_MiB, 15);
  expect_slab(slots_of_128_kib, 16, 4_MiB, 31);
  // One slot and the end margin make exactly 2 MiB.
  const stack_options exact{.limit = bytes{1920 << 10}, .guard = 64_KiB};
  expect_slab(exact, 1, 2_MiB, 1);
  expect_slab(exact, 2, 4_MiB, 2);
  // A guard larger than the limit.
  expect_slab({.limit = 64_KiB, .guard = 1_MiB}, 1, 4_MiB, 2);
}

TEST_P(SlabLayout, ABatchIsAtMostTwoMebibytesOfSlots) {
  slab_owner owner;
  const auto geometry = stack_geometry::make(slots_of_128_kib).value();
  slab* const home = slab::create(geometry, GetParam(), true, 31, owner).value();
  EXPECT_EQ(home->open_batch(3).value(), 3U);
  EXPECT_EQ(home->open_batch(SIZE_MAX).value(), 16U);
  EXPECT_FALSE(home->full());
  EXPECT_EQ(home->open_batch(SIZE_MAX).value(), 12U) << "the rest";
  EXPECT_TRUE(home->full());
  EXPECT_EQ(owner.budget.open().count, 31 * geometry.window);
  home->check_invariants();
  slab::destroy(home);
}

TEST_P(SlabLayout, SlotsLargerThanABatchAreOpenedOneByOne) {
  slab_owner owner;
  const auto geometry = stack_geometry::make({.limit = 2_MiB}).value();
  slab* const home = slab::create(geometry, GetParam(), true, 3, owner).value();
  EXPECT_EQ(home->open_batch(SIZE_MAX).value(), 1U);
  EXPECT_EQ(home->opened, 1U);
  slab::destroy(home);
}

TEST_P(SlabLayout, I4_ARefusedBatchSaysWhichBudget) {
  slab_owner owner;
  const auto geometry = stack_geometry::make(slots_of_128_kib).value();
  slab* const home = slab::create(geometry, GetParam(), true, 31, owner).value();
  const auto expect_refused = [&](const char* detail) {
    const auto refused = home->open_batch(8);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind(), errc::limit);
    EXPECT_STREQ(refused.error().operation(), "stack_pool.acquire");
    EXPECT_STREQ(refused.error().detail(), detail);
    EXPECT_EQ(home->opened, 0U);
    EXPECT_EQ(owner.budget.open(), 0_B);
  };
  const bytes before = process_stack_budget().open();
  owner.budget.set_limit({geometry.window - 1});
  expect_refused("the pool's budget of open stack bytes is spent");
  owner.budget.set_limit(unlimited_bytes);
  process_stack_budget().set_limit({before.count + geometry.window - 1});
  expect_refused("the process's budget of open stack bytes is spent");
  process_stack_budget().set_limit({before.count + geometry.window});
  EXPECT_EQ(home->open_batch(8).value(), 1U) << "the budget ends inside the batch";
  process_stack_budget().set_limit(unlimited_bytes);
  slab::destroy(home);
  EXPECT_EQ(process_stack_budget().open(), before);
}

TEST_P(SlabLayout, APoolTriplesWhatItHas) {
  make(slots_of_128_kib, 1000);
  std::vector<slot*> all{&acquire(site_a)};
  const auto use_up = [&] {
    const std::size_t slabs = pool.stats().slabs;
    while (pool.stats().slabs == slabs) all.push_back(&acquire(site_a));
  };
  EXPECT_EQ(pool.stats().reserved, 2_MiB) << "8 wanted, 15 fit";
  use_up();
  EXPECT_EQ(all.size(), 16U);
  EXPECT_EQ(pool.stats().reserved, 8_MiB) << "45 wanted, 47 fit";
  use_up();
  EXPECT_EQ(all.size(), 63U);
  EXPECT_EQ(pool.stats().reserved, 32_MiB) << "186 wanted, 191 fit";
  release_all(all);
}

TEST_P(SlabLayout, APoolMakesNoMoreThanItsMaximum) {
  make(slots_of_128_kib, 20);
  std::vector<slot*> all = acquire_many(site_a, 20);
  EXPECT_EQ(pool.stats().reserved, 4_MiB) << "15 fit, then 5 are wanted";
  EXPECT_EQ(pool.stats().slots_opened, 20U);
  release_all(all);

  const auto refused = pool.reserve(21);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_STREQ(refused.error().operation(), "stack_pool.acquire");
  EXPECT_STREQ(refused.error().detail(), "the pool has its maximum of stacks");
  EXPECT_NE(refused.error().message().find("20"), std::string::npos);
}

TEST(SlabSeries, OneReservationIsAtMost64GiBOfSlots) {
  if (test::emulated || test::under_valgrind || BAST_WITH_ASAN || BAST_WITH_TSAN ||
      BAST_WITH_MSAN) {
    GTEST_SKIP() << "128 GiB of address space";
  }
  stack_pool pool;
  ASSERT_TRUE(pool.init({.limit = 64_MiB,
                         .guard = 64_MiB,
                         .window = 16_KiB,
                         .retain = 16_KiB,
                         .tier = stack_tier::protection},
                        2000)
                  .has_value());
  // 8, 24, 96 and 384 slots are in use; 1,536 would be next.
  ASSERT_TRUE(pool.reserve(512).has_value());
  const stack_pool_stats before = pool.stats();
  EXPECT_EQ(before.slabs, 4U);
  ASSERT_TRUE(pool.reserve(513).has_value());
  const stack_pool_stats after = pool.stats();
  EXPECT_EQ(after.slabs, 5U);
  EXPECT_EQ(after.reserved.count - before.reserved.count,
            (std::size_t{64} << 30) + (std::size_t{64} << 20))
      << "with the end margin";
}

TEST_P(SlabLayout, FreshStacksComeFromTheLowEndUp) {
  make(slots_of_128_kib, 40);
  const std::vector<slot*> all = acquire_many(site_a, 15);
  for (std::uint32_t i = 0; i < 15; ++i) EXPECT_EQ(all[i]->index, i);
  release_all(all);
}

TEST_P(SlabLayout, AfterShrinkTheLowestIdleStackComesFirst) {
  if (test::quarantined) GTEST_SKIP() << "hardened: the quarantine is a FIFO";
  make(slots_of_128_kib, 15);
  const std::vector<slot*> all = acquire_many(site_a, 15);
  for (const std::size_t i : {3U, 9U, 1U, 12U}) pool.release(*all[i]);
  EXPECT_EQ(pool.shrink(), 0_B);
  for (const std::uint32_t index : {1U, 3U, 9U, 12U}) EXPECT_EQ(acquire(site_a).index, index);
  release_all(all);
}

TEST_P(SlabLayout, ShrinkUnmapsExactlyTheSlabsWithoutALiveStack) {
  make(slots_of_128_kib, 70);
  const std::vector<slot*> all = acquire_many(site_a, 70);
  ASSERT_EQ(pool.stats().slabs, 3U);
  slot& kept = *all[20];  // in the second slab
  const slab& home = slab::of(kept);
  for (slot* const s : all) {
    if (s != &kept) pool.release(*s);
  }
  const std::size_t reserved = pool.stats().reserved.count;
  EXPECT_EQ(pool.shrink().count, reserved - home.reserved);
  const stack_pool_stats left = pool.stats();
  EXPECT_EQ(left.slabs, 1U);
  EXPECT_EQ(left.slots_opened, home.opened);
  EXPECT_EQ(left.live, 1U);
  EXPECT_EQ(left.idle + left.quarantined, home.opened - 1U);
  EXPECT_EQ(left.reserved.count, home.reserved);
  pool.check_invariants();
  pool.release(kept);
}

TEST_P(SlabLayout, AtTheMaximumAStackIsFoundWhicheverSiteHasIt) {
  if (test::quarantined) GTEST_SKIP() << "hardened: the quarantine is a FIFO";
  constexpr std::uint32_t count = 40;
  make(slots_of_128_kib, count);
  std::vector<slot*> all;
  for (std::uint32_t line = 1; line <= count; ++line) all.push_back(&acquire({"one.cpp", line, 1}));
  for (slot* const s : all) {
    pool.release(*s);
    EXPECT_EQ(&acquire(site_b), s);
    EXPECT_EQ(pool.sites()[s->site].key, site_b);
  }
  release_all(all);
}

TEST_P(SlabLayout, ThievesTakeTurnsAmongTheSites) {
  if (test::quarantined) GTEST_SKIP() << "hardened: the quarantine is a FIFO";
  make(slots_of_128_kib, 12);
  constexpr site_key owners[] = {{"turns.cpp", 1, 1}, {"turns.cpp", 2, 1}, {"turns.cpp", 3, 1}};
  std::vector<slot*> all;
  for (const site_key& owner : owners) {
    for (slot* const s : acquire_many(owner, 4)) all.push_back(s);
  }
  release_all(all);
  std::size_t taken[3] = {};
  const std::vector<slot*> stolen = acquire_many(site_b, 6);
  for (slot* const s : stolen) {
    const auto at = static_cast<std::size_t>(std::find(all.begin(), all.end(), s) - all.begin());
    ++taken[at / 4];
  }
  for (const std::size_t from_one : taken) EXPECT_EQ(from_one, 2U);
  pool.check_invariants();
  release_all(stolen);
}

}  // namespace
}  // namespace bast
