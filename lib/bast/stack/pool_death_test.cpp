// SPDX-License-Identifier: Apache-2.0
//
// check_invariants reports errors: one planted corruption for each of its checks.
#include <gtest/gtest.h>

#include "bast/testing/stack_pool_fixture.hpp"

namespace bast {
namespace {

using test::site_a;
using test::site_b;

struct StackPoolDeathTest : test::pool_fixture {
  void SetUp() override {
    test::pool_fixture::SetUp();
    if (IsSkipped()) return;
    make({.scrub = stack_scrub::zero_used}, 4);
    ASSERT_TRUE(pool.reserve(4).has_value());
    idle = &slab::of(acquire(site_a)).slots()[3];
    live = &slab::of(*idle).slots()[0];
    ASSERT_EQ(idle->state, slot_state::idle);
    ASSERT_EQ(live->state, slot_state::live);
  }
  void TearDown() override {
    if (live != nullptr) pool.release(*live);
    test::pool_fixture::TearDown();
  }
  slot* idle = nullptr;
  slot* live = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Tiers, StackPoolDeathTest, ::testing::ValuesIn(test::all_tiers),
                         test::tier_name);

TEST_P(StackPoolDeathTest, I4_AByteOnAnIdleStackIsFound) {
  EXPECT_DEATH(
      {
        arch::fiber_hooks::recycle(
            stack_pool::bounds_of(*idle));  // Else a sanitizer reports first.
        *(idle->top - 1000) = std::byte{1};
        pool.check_invariants();
      },
      "stack_pool: I4");
}

TEST_P(StackPoolDeathTest, I1_ALiveStackInAnIdleListIsFound) {
  EXPECT_DEATH(
      {
        idle->state = slot_state::live;
        pool.check_invariants();
      },
      "stack_pool: I1");
}

TEST_P(StackPoolDeathTest, I1_ALostStackIsFound) {
  EXPECT_DEATH(
      {
        live->state = slot_state::idle;
        pool.check_invariants();
      },
      "stack_pool: I1");
}

TEST_P(StackPoolDeathTest, I3_AStackInTheWrongListIsFound) {
  EXPECT_DEATH(
      {
        idle->site = 1;
        pool.check_invariants();
      },
      "stack_pool: I3");
}

TEST_P(StackPoolDeathTest, AnImpossibleCountdownIsFound) {
  EXPECT_DEATH(
      {
        idle->countdown.store(60000);
        pool.check_invariants();
      },
      "uses pending");
}

TEST_P(StackPoolDeathTest, AFrontierInTheGuardIsFound) {
  EXPECT_DEATH(
      {
        live->frontier.store(1);
        pool.check_invariants();
      },
      "the guard is never opened");
}

TEST_P(StackPoolDeathTest, ASlotThatForgotItsPlaceIsFound) {
  EXPECT_DEATH(
      {
        live->top += 64;
        pool.check_invariants();
      },
      "slab: slot position");
}

TEST_P(StackPoolDeathTest, SlabI2_AnOpenedSlotThatSaysItIsNotIsFound) {
  EXPECT_DEATH(
      {
        live->state = slot_state::unopened;
        slab::of(*live).check_invariants();
      },
      "slab: I2");
}

TEST_P(StackPoolDeathTest, SlabI3_AFrontierAboveTheSlotIsFound) {
  EXPECT_DEATH(
      {
        const slab& home = slab::of(*live);
        live->frontier.store(static_cast<std::uint16_t>(home.geometry.pages() + 1));
        slab::of(*live).check_invariants();
      },
      "slab: I3");
}

TEST_P(StackPoolDeathTest, AStackHeldByNoSiteIsFound) {
  EXPECT_DEATH(
      {
        watch::hold(pool.sites().entry_of(live->site));
        pool.check_invariants();
      },
      "every stack is held by its site");
}

TEST_P(StackPoolDeathTest, SlabI4_ABudgetRefundedTwiceIsFound) {
  EXPECT_DEATH(
      {
        pool.budget().refund(4096);
        pool.check_invariants();
      },
      "slab: I4");
}

#if BAST_ASSERTIONS
TEST_P(StackPoolDeathTest, ASecondReleaseIsFound) {
  EXPECT_DEATH(
      {
        pool.release(*live);
        pool.release(*live);
      },
      "state == slot_state::live");
}
#endif

}  // namespace
}  // namespace bast
