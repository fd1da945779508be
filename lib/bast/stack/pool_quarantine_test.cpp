// SPDX-License-Identifier: Apache-2.0
//
// The quarantine of hardened builds: a released stack waits, sealed, behind 64 others (law F-14,
// mitigation.hpp). Other builds have none, which the first test checks.
#include <gtest/gtest.h>

#include "bast/os.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::pages_other_than;
using test::site_a;
using test::site_b;

constexpr std::size_t places = mitigation::quarantine_slots;

struct StackQuarantine : test::pool_fixture {
  void SetUp() override {
    test::pool_fixture::SetUp();
    if (!IsSkipped() && !test::quarantined) GTEST_SKIP() << "only hardened builds have one";
  }
  /// Quarantines `count` stacks, released in the order of the result.
  std::vector<slot*> quarantine(std::size_t count) {
    const std::vector<slot*> all = acquire_many(site_a, count);
    release_all(all);
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, StackQuarantine, ::testing::ValuesIn(test::all_tiers),
                         test::tier_name);

TEST(StackQuarantinePolicy, OnlyHardenedBuildsHaveOne) {
  EXPECT_EQ(places, mitigation::hardened ? 64U : 0U);
  EXPECT_EQ(mitigation::seal_quarantined, mitigation::hardened);
  const stack_options defaults;
  EXPECT_EQ(defaults.scrub, mitigation::hardened ? stack_scrub::zero_used : stack_scrub::none);
}

TEST_P(StackQuarantine, F14_AReleasedStackWaitsBehind64Others) {
  make({}, 500);
  const std::vector<slot*> all = quarantine(places);
  EXPECT_EQ(pool.stats().quarantined, places);
  for (slot* const s : all) EXPECT_EQ(s->state, slot_state::quarantined);
  // The next release frees the oldest, and only that one.
  const std::vector<slot*> more = quarantine(3);
  EXPECT_EQ(pool.stats().quarantined, places);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->state, i < 3 ? slot_state::idle : slot_state::quarantined) << i;
  }
  for (slot* const s : more) EXPECT_EQ(s->state, slot_state::quarantined);
  pool.check_invariants();
}

TEST_P(StackQuarantine, F14_AQuarantinedStackIsInaccessible) {
  make({}, 100);
  const std::vector<slot*> all = quarantine(5);
  for (slot* const s : all) {
    const slab& home = slab::of(*s);
    EXPECT_EQ(pages_other_than(false, home.low(*s), home.high(*s)), 0U);
    EXPECT_EQ(home.open_bytes(*s), 0U);
  }
}

TEST_P(StackQuarantine, ASealedStackIsNotChargedToTheBudget) {
  make({}, 8);
  const std::vector<slot*> all = acquire_many(site_a, 8);
  EXPECT_EQ(pool.budget().open().count, 8 * pool.geometry().window);
  release_all(all);
  EXPECT_EQ(pool.budget().open(), 0_B);
}

TEST_P(StackQuarantine, WhatComesOutHasOneWindowOfZeros) {
  make({.limit = 512_KiB, .window = 16_KiB}, 1);
  slot& s = acquire(site_a);
  test::fill(s, 300000);
  pool.release(s);
  slot& again = acquire(site_b);
  ASSERT_EQ(&again, &s) << "at the maximum the oldest is reused early";
  const slab& home = slab::of(again);
  EXPECT_EQ(home.open_bytes(again), pool.geometry().window);
  EXPECT_EQ(pages_other_than(false, home.low(again), home.open_low(again)), 0U);
  EXPECT_TRUE(test::open_part_is(again, std::byte{0}));
  pool.release(again);
}

TEST_P(StackQuarantine, AtTheMaximumTheOldestIsTakenFirst) {
  make({}, 10);
  const std::vector<slot*> all = quarantine(10);
  for (slot* const s : all) EXPECT_EQ(&acquire(site_b), s);
  release_all(all);
}

TEST_P(StackQuarantine, ShrinkKeepsTheOrderOfWhatWaits) {
  make({}, 8);
  const std::vector<slot*> all = acquire_many(site_a, 8);
  slot& kept = *all[5];
  const std::vector<slot*> waiting{all[6], all[1], all[7], all[0]};
  release_all(waiting);
  EXPECT_EQ(pool.shrink(), 0_B);
  pool.check_invariants();
  EXPECT_EQ(pool.stats().quarantined, waiting.size());
  for (slot* const s : waiting) EXPECT_EQ(&acquire(site_b), s);
  release_all(all);
  EXPECT_EQ(kept.state, slot_state::quarantined);
}

TEST_P(StackQuarantine, ShrinkForgetsWhatWaitsInSlabsThatGo) {
  make({}, 200);
  const std::vector<slot*> all = acquire_many(site_a, 100);
  slot& kept = *all[0];
  release_all({all.begin() + 1, all.end()});
  EXPECT_GT(pool.shrink(), 0_B);
  pool.check_invariants();
  EXPECT_EQ(pool.stats().slabs, 1U);
  release_all(acquire_many(site_b, 150));
  pool.release(kept);
}

TEST_P(StackQuarantine, X6_AStackThatCannotBeOpenedAgainStaysAndWaits) {
  make({}, 2 * places);
  const std::vector<slot*> all = quarantine(places);
  slot& s = acquire(site_a);
  {
    const os::fault_scope fault({.nth = 2, .persistent = true});
    pool.release(s);
  }
  EXPECT_EQ(pool.stats().quarantined, places + 1);
  pool.check_invariants();
  EXPECT_EQ(all[0]->state, slot_state::quarantined);
  quarantine(1);
  EXPECT_EQ(all[0]->state, slot_state::idle);
}

TEST_P(StackQuarantine, X6_AStackThatCannotBeSealedWaitsScrubbed) {
  make({}, 4);
  slot& s = acquire(site_a);
  test::fill(s, 5000);
  {
    const os::fault_scope fault({.nth = 1, .persistent = true});
    pool.release(s);
  }
  EXPECT_EQ(s.state, slot_state::quarantined);
  EXPECT_EQ(slab::of(s).open_bytes(s), pool.geometry().window);
  EXPECT_TRUE(test::open_part_is(s, std::byte{0}));
  pool.check_invariants();
}

}  // namespace
}  // namespace bast
