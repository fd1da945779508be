// SPDX-License-Identifier: Apache-2.0
//
// Hygiene: which bytes of one user the next can read, and what an idle stack keeps (law F-14).
#include <gtest/gtest.h>

#include <algorithm>

#include "bast/os.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::pages_other_than;
using test::site_a;
using test::site_b;

struct StackScrub : test::pool_fixture {};
INSTANTIATE_TEST_SUITE_P(Tiers, StackScrub, ::testing::ValuesIn(test::all_tiers), test::tier_name);

constexpr stack_options zero_used{
    .limit = 512_KiB, .window = 16_KiB, .retain = 64_KiB, .scrub = stack_scrub::zero_used};

TEST_P(StackScrub, F14_ZeroUsedLeavesNoByteOfTheFormerUser) {
  make(zero_used, 1);
  for (const std::size_t depth : {1U, 64U, 65U, 4096U, 15000U, 60000U, 400000U}) {
    slot& s = acquire(site_a);
    test::fill(s, depth);
    pool.release(s);
    slot& again = acquire(site_b);
    ASSERT_EQ(&again, &s);
    EXPECT_TRUE(test::open_part_is(again, std::byte{0})) << depth;
    ASSERT_TRUE(ensure_open(again, again.top - (500 << 10)).has_value());
    EXPECT_TRUE(test::open_part_is(again, std::byte{0})) << depth << ", grown again";
    pool.release(again);
    pool.check_invariants();  // I4
  }
}

TEST_P(StackScrub, F14_ZeroUsedHoldsForStacksWithoutASite) {
  make(zero_used, 3);
  // Several: "(other)" also holds the fresh stacks, which are taken unchanged.
  const std::vector<slot*> all = acquire_many(site_key{}, 3);
  for (slot* const s : all) test::fill(*s, 10000);
  release_all(all);
  pool.check_invariants();  // I4
  for (slot* const s : acquire_many(site_key{}, 3)) {
    EXPECT_TRUE(test::open_part_is(*s, std::byte{0}));
  }
  release_all(all);
}

TEST_P(StackScrub, F14_ZeroUsedFindsBytesBelowAHoleOfZeros) {
  make(zero_used, 1);
  slot& s = acquire(site_a);
  test::touch(s, 16000);
  test::touch(s, 1);
  pool.release(s);
  slot& again = acquire(site_b);
  EXPECT_TRUE(test::open_part_is(again, std::byte{0}));
  pool.release(again);
}

TEST_P(StackScrub, F14_ZeroUsedDoesNotNeedTheMeasurement) {
  stack_options options = zero_used;
  options.measure = false;
  make(options, 1);
  slot& s = acquire(site_a);
  test::fill(s, 10000);
  pool.release(s);
  pool.check_invariants();  // I4
  slot& again = acquire(site_b);
  EXPECT_TRUE(test::open_part_is(again, std::byte{0}));
  pool.release(again);
}

TEST_P(StackScrub, F14_ZeroUsedHoldsWhenTheKernelRefusesToTrim) {
  make(zero_used, 1);
  slot& s = acquire(site_a);
  test::fill(s, 400000);
  {
    const os::fault_scope fault(
        {.kind = os::call::any, .nth = 1, .persistent = true, .error_number = EINVAL});
    pool.release(s);
    EXPECT_GE(fault.injected(), 1U);
  }
  pool.check_invariants();  // I4
  slot& again = acquire(site_b);
  EXPECT_TRUE(test::open_part_is(again, std::byte{0}));
  pool.release(again);
}

TEST_P(StackScrub, F14_PoisonFillsWhatWasUsed) {
  make({.window = 32_KiB, .scrub = stack_scrub::poison}, 1);
  const std::size_t page = pool.geometry().page;
  slot& s = acquire(site_a);
  test::fill(s, 2 * page + 1);
  const auto* const mark = s.top - (2 * page + 1);
  pool.release(s);
  slot& again = acquire(site_b);
  ASSERT_EQ(&again, &s);
  arch::fiber_hooks::recycle(stack_pool::bounds_of(again));  // It is uninitialised to the user.
  if (test::quarantined) {
    EXPECT_TRUE(test::open_part_is(again, std::byte{0})) << "sealed: the pages were discarded";
  } else {
    EXPECT_TRUE(std::all_of(mark, static_cast<const std::byte*>(again.top),
                            [](std::byte b) { return b == std::byte{0xfb}; }));
    EXPECT_EQ(*slab::of(again).open_low(again), std::byte{0}) << "untouched memory stays untouched";
  }
  pool.release(again);
}

TEST_P(StackScrub, I2_ReleaseTrimsToRetainAndClosesTheRest) {
  if (test::quarantined) GTEST_SKIP() << "hardened: a released stack is sealed as a whole";
  make(zero_used, 1);
  slot& s = acquire(site_a);
  slab& home = slab::of(s);
  test::fill(s, 400000);
  const std::byte* const deep = home.open_low(s);
  pool.release(s);
  arch::fiber_hooks::recycle(stack_pool::bounds_of(s));  // Permits reading an idle stack.
  const std::byte* const kept = home.high(s) - pool.geometry().retain;
  EXPECT_EQ(home.open_low(s), kept);
  EXPECT_EQ(pages_other_than(false, home.low(s), kept), 0U);
  EXPECT_EQ(pages_other_than(true, kept, home.high(s)), 0U);
  test::expect_none_resident(deep, kept);
  EXPECT_EQ(pool.budget().open().count, pool.geometry().retain) << "refunded";
}

TEST_P(StackScrub, I2_StacksUpToRetainKeepTheirDepth) {
  if (test::quarantined) GTEST_SKIP() << "hardened: a released stack is sealed as a whole";
  make(zero_used, 1);
  slot& s = acquire(site_a);
  test::fill(s, 60000);
  const std::size_t open = slab::of(s).open_bytes(s);
  ASSERT_LE(open, pool.geometry().retain);
  pool.release(s);
  EXPECT_EQ(slab::of(s).open_bytes(s), open);
}

TEST_P(StackScrub, ShrinkUnmapsSlabsWithoutLiveStacksAndThePoolWorksOn) {
  make({.scrub = stack_scrub::zero_used}, 200);
  const bytes open_before = process_stack_budget().open();
  const std::vector<slot*> all = acquire_many(site_a, 200);
  for (slot* const s : all) test::fill(*s, 5000);
  release_all(all);
  const std::size_t reserved = pool.stats().reserved.count;
  EXPECT_EQ(pool.shrink().count, reserved);
  EXPECT_EQ(pool.stats().slabs, 0U);
  EXPECT_EQ(pool.stats().slots_opened, 0U);
  EXPECT_EQ(pool.budget().open(), 0_B);
  EXPECT_EQ(process_stack_budget().open(), open_before);
  EXPECT_EQ(stats_of(site_a).uses, 200U);
  pool.check_invariants();
  EXPECT_EQ(pool.shrink(), 0_B);
  release_all(acquire_many(site_b, 200));
  EXPECT_EQ(pool.stats().slots_opened, 200U);
}

TEST_P(StackScrub, ShrinkGivesTheMemoryOfIdleStacksBackAndKeepsLiveOnes) {
  make(zero_used, 8);
  const std::vector<slot*> all = acquire_many(site_a, 8);
  for (slot* const s : all) test::fill(*s, 60000);
  slab& home = slab::of(*all[0]);
  ASSERT_EQ(&slab::of(*all[7]), &home);
  slot& kept = *all[3];
  for (slot* const s : all) {
    if (s != &kept) pool.release(*s);
  }
  EXPECT_EQ(pool.shrink(), 0_B);
  for (slot* const s : all) {
    if (s == &kept) {
      EXPECT_GE(test::resident_pages(home.open_low(*s), home.high(*s)),
                60000 / pool.geometry().page);
      EXPECT_TRUE(std::all_of(s->top - 60000, s->top, [](auto b) { return b == std::byte{0x5a}; }));
    } else {
      test::expect_none_resident(home.low(*s), home.high(*s));
      EXPECT_LE(home.open_bytes(*s), pool.geometry().window);
    }
  }
  pool.check_invariants();
  release_all(acquire_many(site_b, 7));
  pool.release(kept);
  EXPECT_GT(pool.shrink(), 0_B);
  EXPECT_EQ(pool.stats().slabs, 0U);
}

TEST_P(StackScrub, X6_ShrinkNeverFails) {
  make(zero_used, 50);
  const std::vector<slot*> all = acquire_many(site_a, 50);
  for (slot* const s : all) test::fill(*s, 60000);
  release_all({all.begin() + 1, all.end()});
  {
    const os::fault_scope fault({.nth = 1, .persistent = true});
    pool.shrink();
  }
  EXPECT_EQ(os::retry_pending_releases(), 0U);
  pool.check_invariants();
  release_all(acquire_many(site_b, 49));
  pool.release(*all[0]);
}

}  // namespace
}  // namespace bast
