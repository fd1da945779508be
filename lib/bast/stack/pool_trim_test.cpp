// SPDX-License-Identifier: Apache-2.0
//
// What a release leaves open and in memory, for every kind of scrubbing, measured or not; and when
// a stack that is not measured is settled.
#include <gtest/gtest.h>

#include <cstdint>

#include "bast/os.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;
using test::site_b;

struct PoolTrim : test::pool_fixture {
  void SetUp() override {
    test::pool_fixture::SetUp();
    if (!IsSkipped() && test::quarantined) GTEST_SKIP() << "hardened: a release seals the stack";
  }
};
INSTANTIATE_TEST_SUITE_P(Tiers, PoolTrim, ::testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(PoolTrim, I2_EveryReleaseThatGrewTrimsToRetainWhateverElseItDoes) {
  for (const stack_scrub scrub : {stack_scrub::none, stack_scrub::zero_used, stack_scrub::poison}) {
    for (const bool measure : {true, false}) {
      stack_pool one;
      ASSERT_TRUE(one.init({.limit = 1_MiB,
                            .window = 64_KiB,
                            .retain = 128_KiB,
                            .tier = GetParam(),
                            .scrub = scrub,
                            .measure = measure,
                            .colour = false},
                           1)
                      .has_value());
      slot& s = **one.acquire(site_a);
      const slab& home = slab::of(s);
      // Twice: the second use finds the stack as the first left it.
      for (int use = 1; use <= 2; ++use) {
        ASSERT_TRUE(ensure_open(s, home.high(s) - (600 << 10)).has_value());
        *(s.top - (600 << 10)) = std::byte{0x5a};
        *(s.top - (100 << 10)) = std::byte{0x5a};
        one.release(s);
        EXPECT_EQ(home.open_bytes(s), one.geometry().retain);
        EXPECT_EQ(one.budget().open().count, one.geometry().retain);
        EXPECT_EQ(s.grows, 0U) << "recorded, and counted from zero again";
        const site_stats told = one.sites().stats(s.site);
        EXPECT_EQ(told.uses, static_cast<unsigned>(use));
        EXPECT_EQ(told.grows, static_cast<unsigned>(use));
        EXPECT_EQ(told.samples, measure ? static_cast<unsigned>(use) : 0U);
        EXPECT_EQ(told.max, measure ? 600_KiB : 0_B);

        ASSERT_EQ(&**one.acquire(site_a), &s);
        arch::fiber_hooks::recycle(stack_pool::bounds_of(s));
        const std::byte left = *(s.top - (100 << 10));
        if (scrub == stack_scrub::poison) {
          EXPECT_EQ(left, std::byte{0xfb});
        } else {
          const bool zeroed = scrub == stack_scrub::zero_used || measure;
          EXPECT_EQ(left, zeroed ? std::byte{0} : std::byte{0x5a});
        }
      }
      one.release(s);
    }
  }
}

TEST_P(PoolTrim, ShrinkTrimsIdleStacksToTheirWindow) {
  make({.limit = 1_MiB, .window = 64_KiB, .retain = 256_KiB, .scrub = stack_scrub::none}, 4);
  slot& kept = acquire(site_a);
  slot& s = acquire(site_a);
  test::touch(s, 200 << 10);
  pool.release(s);
  EXPECT_GE(slab::of(s).open_bytes(s), (200_KiB).count) << "within retain";
  EXPECT_EQ(pool.shrink(), 0_B);
  EXPECT_EQ(slab::of(s).open_bytes(s), (64_KiB).count);
  EXPECT_EQ(slab::of(kept).open_bytes(kept), (64_KiB).count);
  pool.release(kept);
}

TEST_P(PoolTrim, AnUnmeasuredStackIsLookedAtAfter65535Uses) {
  make({.scrub = stack_scrub::none, .measure = false}, 1);
  slot& s = acquire(site_a);
  const std::uint16_t at = s.site;
  for (int use = 1; use < UINT16_MAX; ++use) {
    pool.release(s);
    ASSERT_EQ(&acquire(site_a), &s);
  }
  EXPECT_EQ(pool.sites().stats(at).uses, 0U) << "they are pending";
  pool.release(s);
  EXPECT_EQ(pool.sites().stats(at).uses, 65'535U);
  pool.check_invariants();
  // The second period is as long.
  for (int use = 1; use < UINT16_MAX; ++use) pool.release(acquire(site_a));
  EXPECT_EQ(pool.sites().stats(at).uses, 65'535U);
  pool.release(acquire(site_a));
  EXPECT_EQ(pool.sites().stats(at).uses, 2 * 65'535U);
}

TEST_P(PoolTrim, ATheftOfAnUnusedStackTellsNothing) {
  make({.scrub = stack_scrub::none}, 1);
  use(site_a, 1000);
  use(site_b, 2000);
  use(site_a, 0);
  EXPECT_EQ(stats_of(site_a).uses, 2U);
  EXPECT_EQ(stats_of(site_a).samples, 2U);
  EXPECT_EQ(stats_of(site_a).max, 1000_B);
  EXPECT_EQ(stats_of(site_b).uses, 1U);
  EXPECT_EQ(stats_of(site_b).samples, 1U);
  EXPECT_EQ(stats_of(site_b).max, 2000_B);
  EXPECT_EQ(pool.sites().stats(0).uses, 0U);
  EXPECT_EQ(pool.sites().stats(0).samples, 0U);
}

TEST_P(PoolTrim, ADeadPoolLeavesItsPendingUsesInTheRegistry) {
  // A name that no other test uses.
  static constexpr char where[] = "pending at death";
  {
    stack_pool mortal;
    ASSERT_TRUE(mortal.init({.tier = GetParam(), .scrub = stack_scrub::none, .measure = false}, 1)
                    .has_value());
    for (int i = 0; i < 3; ++i) mortal.release(**mortal.acquire(site_key::labelled(where)));
    EXPECT_EQ(mortal.sites().stats(1).uses, 0U);
  }
  const watch::table& table = watch::registry()->sites;
  const auto* const all = reinterpret_cast<const watch::site_entry*>(
      reinterpret_cast<const std::byte*>(watch::registry()) + table.offset);
  std::uint64_t uses = 0;
  for (std::uint32_t i = 0; i < table.used; ++i) {
    if (all[i].where == std::string_view(where) &&
        all[i].state == static_cast<std::uint32_t>(watch::entry_state::closed)) {
      uses += all[i].uses;
    }
  }
  EXPECT_GE(uses, 3U);
  EXPECT_EQ(uses % 3, 0U) << "each pool had three";
}

}  // namespace
}  // namespace bast
