// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/slab.hpp"

#include <gtest/gtest.h>

#include "bast/os.hpp"
#include "bast/stack/directory.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

using test::accessible;
using test::pages_other_than;

constexpr stack_options small{.limit = 64_KiB, .guard = 64_KiB, .window = 16_KiB};

/// One slab with its own owner; the fixture destroys the slab at the end.
struct Slab : test::each_tier {
  void make(const stack_options& options, std::size_t slots) {
    const auto geometry = stack_geometry::make(options);
    ASSERT_TRUE(geometry.has_value());
    const auto made = slab::create(*geometry, GetParam(), true, slots, owner);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    home = *made;
    page = geometry->page;
  }
  void TearDown() override {
    if (home != nullptr) slab::destroy(home);
    if (home != nullptr) {
      EXPECT_EQ(owner.budget.open(), 0_B) << "I4";
    }
    EXPECT_EQ(process_stack_budget().open(), process_open_before) << "I4";
  }
  void open_all() {
    while (!home->full()) {
      const auto opened = home->open_batch(SIZE_MAX);
      ASSERT_TRUE(opened.has_value());
      ASSERT_GT(*opened, 0U);
    }
  }
  const bytes process_open_before = process_stack_budget().open();
  slab_owner owner;
  slab* home = nullptr;
  std::size_t page = 0;
};

INSTANTIATE_TEST_SUITE_P(Tiers, Slab, ::testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(Slab, FreshSlabHasNothingOpenAndNothingAccessible) {
  make(small, 4);
  EXPECT_EQ(home->tier, GetParam());
  EXPECT_EQ(home->opened, 0U);
  EXPECT_GE(home->capacity, 4U);
  EXPECT_FALSE(home->full());
  EXPECT_EQ(owner.budget.open(), 0_B);
  EXPECT_EQ(pages_other_than(false, home->base, home->base + home->reserved), 0U);
  EXPECT_EQ(home->slot_at(reinterpret_cast<std::uintptr_t>(home->base)), nullptr);
  home->check_invariants();
}

TEST_P(Slab, I3_GuardOfEveryOpenedSlotIsInaccessibleAndItsWindowAccessible) {
  make(small, 12);
  open_all();
  for (std::uint32_t i = 0; i < home->opened; ++i) {
    const slot& s = home->slots()[i];
    const std::byte* const low = home->low(s);
    const std::byte* const guard_end = low + home->geometry.guard;
    const std::byte* const frontier = home->open_low(s);
    ASSERT_EQ(home->high(s) - frontier, std::ptrdiff_t{16 << 10});
    EXPECT_FALSE(accessible(low)) << i;
    EXPECT_FALSE(accessible(guard_end - 16)) << i;
    EXPECT_FALSE(accessible(guard_end)) << i;
    EXPECT_FALSE(accessible(frontier - 16)) << i;
    EXPECT_TRUE(accessible(frontier)) << i;
    EXPECT_TRUE(accessible(s.top - 16)) << i;
    EXPECT_TRUE(accessible(home->high(s) - 16)) << i;
    EXPECT_EQ(pages_other_than(false, low, frontier), 0U);
    EXPECT_EQ(pages_other_than(true, frontier, home->high(s)), 0U);
  }
  home->check_invariants();
}

TEST_P(Slab, I2_AboveTheHighestOpenedSlotNothingIsAccessible) {
  make(small, 40);
  for (const std::size_t most : {1U, 2U, 5U}) {
    ASSERT_EQ(home->open_batch(most).value(), most);
    const slot& last = home->slots()[home->opened - 1];
    EXPECT_TRUE(accessible(home->high(last) - 16));
    EXPECT_EQ(pages_other_than(false, home->high(last), home->base + home->reserved), 0U);
  }
  open_all();
  const slot& last = home->slots()[home->opened - 1];
  const std::byte* const end = home->base + home->reserved;
  EXPECT_GE(end - home->high(last), static_cast<std::ptrdiff_t>(home->geometry.guard));
  EXPECT_EQ(pages_other_than(false, home->high(last), end), 0U) << "the end margin";
}

TEST_P(Slab, SlotsTileExactlyAndKnowTheirPlaces) {
  make(small, 30);
  open_all();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(home->base) % directory_granule, 0U);
  EXPECT_EQ(home->low(home->slots()[0]), home->base);
  for (std::uint32_t i = 0; i < home->opened; ++i) {
    slot& s = home->slots()[i];
    EXPECT_EQ(&slab::of(s), home);
    EXPECT_EQ(s.index, i);
    if (i != 0) {
      EXPECT_EQ(home->low(s), home->high(home->slots()[i - 1]));
    }
    EXPECT_EQ(s.top, home->high(s) - home->geometry.colour_of(i));
    const auto low = reinterpret_cast<std::uintptr_t>(home->low(s));
    EXPECT_EQ(home->slot_at(low), &s);
    EXPECT_EQ(home->slot_at(low + home->geometry.stride - 1), &s);
    EXPECT_EQ(directory_find(low), home);
    EXPECT_EQ(s.state, slot_state::idle);
  }
  const slot& last = home->slots()[home->opened - 1];
  const auto high = reinterpret_cast<std::uintptr_t>(home->high(last));
  EXPECT_EQ(home->slot_at(high), nullptr);
}

TEST_P(Slab, OpeningTouchesNothing) {
  make(small, 12);
  open_all();
  test::expect_none_resident(home->base, home->base + home->reserved);
}

TEST_P(Slab, I3_OpenDownToLeavesNoHole) {
  make(small, 4);
  ASSERT_EQ(home->open_batch(2).value(), 2U);
  slot& s = home->slots()[1];
  const std::byte* const floor = home->low(s) + home->geometry.guard;
  // A page, three pages, the rest.
  for (const std::size_t depth :
       {std::size_t{20} << 10, std::size_t{32} << 10, std::size_t{64} << 10}) {
    const std::size_t wanted = internal::round_up(depth, page);
    std::byte* const new_low = home->high(s) - wanted;
    if (new_low >= home->open_low(s)) continue;  // Pages of 64 KiB.
    ASSERT_EQ(home->open_down_to(s, new_low), slab::outcome::opened);
    EXPECT_EQ(home->open_low(s), new_low);
    EXPECT_EQ(pages_other_than(false, home->low(s), new_low), 0U);
    EXPECT_EQ(pages_other_than(true, new_low, home->high(s)), 0U);
    home->check_invariants();
  }
  EXPECT_EQ(home->open_low(s), floor);
  EXPECT_EQ(owner.budget.open().count, home->geometry.window + home->geometry.limit()) << "I4";
}

TEST_P(Slab, I3_CloseBelowClosesExactlyAndFreesTheMemory) {
  make(small, 4);
  ASSERT_EQ(home->open_batch(1).value(), 1U);
  slot& s = home->slots()[0];
  std::byte* const floor = home->low(s) + home->geometry.guard;
  ASSERT_EQ(home->open_down_to(s, floor), slab::outcome::opened);
  for (std::byte* at = floor; at < home->high(s); at += page) *at = std::byte{0xaa};
  std::byte* const keep = home->high(s) - 2 * page;
  ASSERT_TRUE(home->close_below(s, keep));
  EXPECT_EQ(home->open_low(s), keep);
  EXPECT_EQ(pages_other_than(false, home->low(s), keep), 0U);
  EXPECT_EQ(pages_other_than(true, keep, home->high(s)), 0U);
  EXPECT_EQ(*keep, std::byte{0xaa}) << "the open part keeps its content";
  EXPECT_EQ(owner.budget.open().count, 2 * page) << "I4";
  test::expect_none_resident(floor, keep);
  ASSERT_EQ(home->open_down_to(s, floor), slab::outcome::opened);
  for (const std::byte* at = floor; at < keep; at += page) ASSERT_EQ(*at, std::byte{0});
}

TEST_P(Slab, CloseBelowTheHighEndSealsAllOfIt) {
  make(small, 4);
  ASSERT_EQ(home->open_batch(2).value(), 2U);
  slot& s = home->slots()[0];
  ASSERT_TRUE(home->close_below(s, home->high(s)));
  EXPECT_EQ(home->open_bytes(s), 0U);
  EXPECT_EQ(pages_other_than(false, home->low(s), home->high(s)), 0U);
  EXPECT_TRUE(accessible(home->open_low(home->slots()[1]))) << "the neighbour is untouched";
  home->check_invariants();
  ASSERT_EQ(home->open_down_to(s, home->high(s) - home->geometry.window), slab::outcome::opened);
  EXPECT_EQ(pages_other_than(true, home->open_low(s), home->high(s)), 0U);
}

TEST_P(Slab, I4_BudgetsRefuseByNameAndAreNotCharged) {
  make(small, 8);
  const std::size_t window = home->geometry.window;
  owner.budget.set_limit({2 * window});
  EXPECT_EQ(home->open_batch(1).value(), 1U);
  // The budget ends inside the batch: one is better than none.
  EXPECT_EQ(home->open_batch(8).value(), 1U);
  const auto refused = home->open_batch(8);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), errc::limit);
  EXPECT_NE(refused.error().message().find("pool's budget"), std::string::npos);
  EXPECT_EQ(owner.budget.open().count, 2 * window);

  slot& s = home->slots()[0];
  std::byte* const floor = home->low(s) + home->geometry.guard;
  EXPECT_EQ(home->open_down_to(s, floor), slab::outcome::over_pool_budget);
  owner.budget.set_limit(unlimited_bytes);
  process_stack_budget().set_limit(process_stack_budget().open());
  EXPECT_EQ(home->open_down_to(s, floor), slab::outcome::over_process_budget);
  const auto process_refused = home->open_batch(1);
  process_stack_budget().set_limit(unlimited_bytes);
  ASSERT_FALSE(process_refused.has_value());
  EXPECT_EQ(process_refused.error().kind(), errc::limit);
  EXPECT_NE(process_refused.error().message().find("process's budget"), std::string::npos);
  EXPECT_EQ(owner.budget.open().count, 2 * window) << "the pool's part was refunded";
  EXPECT_EQ(home->open_bytes(s), window);
  home->check_invariants();
}

TEST_P(Slab, DestroyGivesEverythingBack) {
  const test::leak_baseline before;
  make(small, 4);
  ASSERT_TRUE(home->open_batch(3).has_value());
  const auto base = reinterpret_cast<std::uintptr_t>(home->base);
  slab::destroy(home);
  home = nullptr;
  EXPECT_EQ(directory_find(base), nullptr);
  EXPECT_EQ(owner.budget.open(), 0_B);
  EXPECT_EQ(before.differences(), "");
}

}  // namespace
}  // namespace bast
