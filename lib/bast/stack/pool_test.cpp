// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/pool.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;
using test::site_b;
using test::site_c;

struct StackPool : test::pool_fixture {};
INSTANTIATE_TEST_SUITE_P(Tiers, StackPool, ::testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(StackPool, AcquiredStacksAreDistinctOpenAndGuarded) {
  make({}, 50);
  std::set<slot*> distinct;
  for (slot* const s : acquire_many(site_a, 50)) {
    EXPECT_TRUE(distinct.insert(s).second);
    EXPECT_EQ(s->state, slot_state::live);
    EXPECT_EQ(s->name, nullptr);
    const slab& home = slab::of(*s);
    EXPECT_EQ(home.tier, GetParam());
    EXPECT_FALSE(test::accessible(home.open_low(*s) - 16));
    EXPECT_TRUE(test::accessible(home.open_low(*s)));
    EXPECT_TRUE(test::accessible(s->top - 16));
    const arch::stack_bounds bounds = stack_pool::bounds_of(*s);
    EXPECT_EQ(bounds.base, home.low(*s) + pool.geometry().guard);
    EXPECT_EQ(bounds.base + bounds.size, home.high(*s));
    const arch::stack_bounds open = stack_pool::open_bounds_of(*s);
    EXPECT_EQ(open.base, home.open_low(*s));
    EXPECT_EQ(open.size, pool.geometry().window);
  }
  release_all({distinct.begin(), distinct.end()});
}

TEST_P(StackPool, InvalidOptionsAreRefusedByName) {
  const auto ready = pool.init({.limit = 1_B, .tier = GetParam()}, 8);
  ASSERT_FALSE(ready.has_value());
  EXPECT_EQ(ready.error().kind(), errc::invalid);
  EXPECT_NE(ready.error().message().find("limit"), std::string::npos);
  make({}, 8);
}

TEST_P(StackPool, F15_CountsAddUpAfterEveryStep) {
  make({.scrub = stack_scrub::zero_used}, 30);
  constexpr unsigned seed = 7;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<slot*> live;
  for (int step = 0; step < 400; ++step) {
    const unsigned what = random() % 16;
    if (what < 8) {
      const auto got = pool.acquire(what < 3 ? site_a : what < 6 ? site_b : site_c);
      ASSERT_EQ(got.has_value(), live.size() < 30);
      if (got) live.push_back(*got);
      if (got) test::touch(**got, 1 + random() % (100 << 10));
    } else if (what < 15 && !live.empty()) {
      const std::size_t at = random() % live.size();
      pool.release(*live[at]);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (what == 15 && random() % 4 == 0) {
      pool.shrink();
    }
    const stack_pool_stats all = pool.stats();
    ASSERT_EQ(all.live, live.size());
    ASSERT_EQ(all.slots_opened, all.idle + all.live + all.quarantined);
    ASSERT_EQ(all.slots_opened, all.stacks_guard_markers + all.stacks_protection);
    ASSERT_LE(all.slots_opened, 30U);
    pool.check_invariants();
  }
  release_all(live);
}

TEST_P(StackPool, F15_AcquireAtTheMaximumIsALimitThatNamesItAndRecovers) {
  make({}, 3);
  const std::vector<slot*> all = acquire_many(site_a, 3);
  const auto refused = pool.acquire(site_a);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_NE(refused.error().message().find("maximum of stacks"), std::string::npos);
  EXPECT_NE(refused.error().message().find('3'), std::string::npos);
  pool.release(*all[1]);
  EXPECT_EQ(&acquire(site_b), all[1]);
  release_all(all);
}

TEST_P(StackPool, F15_APoolOfNoneRefusesEverything) {
  make({}, 0);
  EXPECT_EQ(pool.acquire(site_a).error().kind(), errc::limit);
  EXPECT_EQ(pool.stats().slabs, 0U);
}

TEST_P(StackPool, PoolBudgetRefusesByNameAndRecovers) {
  make({.window = 32_KiB, .budget = 96_KiB}, 100);
  const std::vector<slot*> all = acquire_many(site_a, 3);
  const auto refused = pool.acquire(site_a);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_NE(refused.error().message().find("pool's budget"), std::string::npos);
  EXPECT_EQ(pool.budget().open(), 96_KiB);
  pool.release(*all[0]);
  slot& first = acquire(site_a);
  pool.budget().set_limit(128_KiB);
  slot& fourth = acquire(site_a);
  release_all({&first, all[1], all[2], &fourth});
  EXPECT_LE(pool.budget().open(), 128_KiB);
}

TEST_P(StackPool, ProcessBudgetRefusesByNameAndRecovers) {
  make({.window = 32_KiB}, 100);
  slot& first = acquire(site_a);
  process_stack_budget().set_limit(process_stack_budget().open());
  slot* more = nullptr;  // The first batch may have opened others.
  result<slot*> got = &first;
  std::vector<slot*> all;
  while ((got = pool.acquire(site_a)).has_value()) all.push_back(*got);
  EXPECT_EQ(got.error().kind(), errc::limit);
  EXPECT_NE(got.error().message().find("process's budget"), std::string::npos);
  process_stack_budget().set_limit(unlimited_bytes);
  more = &acquire(site_a);
  release_all(all);
  release_all({&first, more});
}

TEST_P(StackPool, F14_I3_LifoWithinASite) {
  if (test::quarantined) GTEST_SKIP() << "hardened: the quarantine is a FIFO";
  make({}, 20);
  const std::vector<slot*> all = acquire_many(site_a, 5);
  release_all(all);
  for (std::size_t i = all.size(); i-- > 0;) EXPECT_EQ(&acquire(site_a), all[i]);
  release_all(all);
}

TEST_P(StackPool, I3_StacksReturnToTheirSite) {
  if (test::quarantined) GTEST_SKIP() << "hardened: the quarantine is a FIFO";
  make({}, 20);
  slot& a = acquire(site_a);
  slot& b = acquire(site_b);
  pool.release(a);
  pool.release(b);
  EXPECT_EQ(&acquire(site_a), &a);
  EXPECT_EQ(&acquire(site_b), &b);
  release_all({&a, &b});
}

TEST_P(StackPool, I3_ASiteWithoutStacksTakesOneFromAnotherBeforeAFreshOne) {
  if (test::quarantined) GTEST_SKIP() << "hardened: the quarantine is a FIFO";
  make({}, 20);
  slot& a = acquire(site_a);
  pool.release(a);
  EXPECT_EQ(&acquire(site_b), &a);
  EXPECT_EQ(pool.sites()[a.site].key, site_b);
  pool.release(a);
  EXPECT_EQ(&acquire(site_b), &a);
  pool.release(a);
}

TEST_P(StackPool, ReserveOpensAheadSoThatAcquireMakesNoKernelCall) {
  make({}, 64);
  ASSERT_TRUE(pool.reserve(40).has_value());
  EXPECT_GE(pool.stats().idle, 40U);
  std::vector<slot*> all;
  {
    const os::fault_scope calls;
    all = acquire_many(site_a, 40);
    EXPECT_EQ(calls.seen(), 0U);
  }
  release_all(all);
  const auto refused = pool.reserve(65);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_EQ(pool.stats().slots_opened, 64U);
}

TEST_P(StackPool, D10_AWarmPoolMakesNoKernelCall) {
  if (test::quarantined) GTEST_SKIP() << "hardened: every release seals a stack";
  for (const stack_scrub scrub : {stack_scrub::none, stack_scrub::zero_used}) {
    stack_pool warm;
    ASSERT_TRUE(warm.init({.tier = GetParam(), .scrub = scrub}, 8).has_value());
    const auto use = [&] { warm.release(**warm.acquire(site_a)); };
    for (int i = 0; i <= samples_in_full; ++i) use();
    // Only a reading of a depth asks the kernel for resident pages, which is rare.
    const os::fault_scope calls;
    for (int i = 0; i < 500; ++i) use();
    EXPECT_LE(calls.seen(), scrub == stack_scrub::none ? 40U : 0U);
  }
}

TEST_P(StackPool, ColourSpreadsTheTopsOverCacheSets) {
  make({.colour = true}, 32);
  std::set<std::size_t> offsets;
  const std::vector<slot*> all = acquire_many(site_a, 32);
  for (slot* const s : all) {
    const auto offset = static_cast<std::size_t>(slab::of(*s).high(*s) - s->top);
    EXPECT_EQ(offset % stack_geometry::cache_line, 0U);
    EXPECT_LE(offset, 960U);
    offsets.insert(offset);
  }
  EXPECT_EQ(offsets.size(), stack_geometry::colours);
  release_all(all);

  stack_pool plain;
  ASSERT_TRUE(plain.init({.tier = GetParam(), .colour = false}, 4).has_value());
  slot& s = **plain.acquire(site_a);
  EXPECT_EQ(s.top, slab::of(s).high(s));
  plain.release(s);
}

TEST_P(StackPool, StatsSayWhatIsThere) {
  make({.window = 32_KiB}, 100);
  EXPECT_EQ(pool.stats().slots_opened, 0U);
  const std::vector<slot*> all = acquire_many(site_a, 10);
  pool.release(*all[9]);
  const stack_pool_stats seen = pool.stats();
  EXPECT_EQ(seen.live, 9U);
  EXPECT_EQ(seen.idle + seen.quarantined, seen.slots_opened - 9);
  EXPECT_GE(seen.slots_opened, 10U);
  EXPECT_GE(seen.slabs, 1U);
  EXPECT_EQ(seen.open, pool.budget().open());
  EXPECT_GE(seen.reserved.count, seen.slots_opened * pool.geometry().stride);
  const bool markers = GetParam() == stack_tier::guard_markers;
  EXPECT_EQ(seen.stacks_guard_markers, markers ? seen.slots_opened : 0U);
  EXPECT_EQ(seen.stacks_protection, markers ? 0U : seen.slots_opened);
  release_all({all.begin(), all.begin() + 9});
}

TEST_P(StackPool, DestructionLeavesNothingBehind) {
  ASSERT_TRUE(watch::open_registry().has_value()) << "made once, and stays";
  const bytes open_before = process_stack_budget().open();
  const test::leak_baseline before;
  {
    stack_pool mortal;
    ASSERT_TRUE(mortal.init({.tier = GetParam()}, 300).has_value());
    ASSERT_TRUE(mortal.reserve(300).has_value());
    slot& s = **mortal.acquire(site_a);
    test::fill(s, 100 << 10);
    mortal.release(s);
  }
  EXPECT_EQ(before.differences(), "");
  EXPECT_EQ(process_stack_budget().open(), open_before);
}

}  // namespace
}  // namespace bast
