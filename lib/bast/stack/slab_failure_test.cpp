// SPDX-License-Identifier: Apache-2.0
//
// Refusals of the kernel: laws X-6 and I4 of slab.hpp.
#include <gtest/gtest.h>

#include "bast/os.hpp"
#include "bast/stack/slab.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

using os::call;

struct SlabFailure : test::each_tier {
  void make(std::size_t slots) {
    const auto made = create(slots);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    home = *made;
  }
  result<slab*> create(std::size_t slots) {
    const auto geometry = stack_geometry::make({.limit = 64_KiB, .window = 16_KiB});
    return slab::create(geometry.value(), GetParam(), true, slots, owner);
  }
  void TearDown() override {
    if (home != nullptr) slab::destroy(home);
    EXPECT_EQ(owner.budget.open(), 0_B) << "I4";
  }
  call closing() const {
    return GetParam() == stack_tier::guard_markers ? call::guard_install : call::protect;
  }
  call opening() const {
    return GetParam() == stack_tier::guard_markers ? call::guard_remove : call::protect;
  }
  slab_owner owner;
  slab* home = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Tiers, SlabFailure, ::testing::ValuesIn(test::all_tiers), test::tier_name);

TEST_P(SlabFailure, WithLessAddressSpaceTheSlabIsSmaller) {
  result<slab*> made;
  {
    const os::fault_scope fault({.kind = call::map, .nth = 1});
    made = create(1000);
    EXPECT_EQ(fault.injected(), 1U);
  }
  ASSERT_TRUE(made.has_value());
  home = *made;
  EXPECT_GE(home->capacity, 500U);
  EXPECT_LT(home->capacity, 1000U);
}

TEST_P(SlabFailure, X6_WithoutAddressSpaceIsNoMemory) {
  const test::leak_baseline before;
  {
    const os::fault_scope fault({.kind = call::map, .nth = 1, .persistent = true});
    const auto made = create(1000);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().kind(), errc::no_memory);
    EXPECT_EQ(fault.injected(), 10U) << "1000, 500, ... 1 slots";
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_P(SlabFailure, X6_WithoutRecordsIsNoMemoryAndLeavesNothing) {
  const test::leak_baseline before;
  {
    const os::fault_scope fault({.kind = call::map, .nth = 2});
    const auto made = create(4);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().kind(), errc::no_memory);
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_P(SlabFailure, X6_WithoutADirectoryLeafIsNoMemoryAndLeavesNothing) {
  if (test::under_valgrind)
    GTEST_SKIP() << "valgrind maps in another order: the third is not the leaf";
  // 500 GiB, so that it spans addresses without a slab and needs a new leaf of the directory.
  const auto vast = stack_geometry::make({.limit = 64_MiB, .guard = 64_MiB}).value();
  const test::leak_baseline before;
  {
    const os::fault_scope fault({.kind = call::map, .nth = 3});
    const auto made = slab::create(vast, GetParam(), true, 4000, owner);
    ASSERT_EQ(fault.injected(), 1U) << "the reservation, the records, the leaf";
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().kind(), errc::no_memory);
  }
  EXPECT_EQ(before.differences(), "");
}

TEST_P(SlabFailure, I4_OpenBatchRefundsWhatItCouldNotOpen) {
  make(8);
  {
    const os::fault_scope fault({.kind = call::protect, .nth = 1});
    const auto opened = home->open_batch(4);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().kind(), errc::no_memory);
  }
  EXPECT_EQ(home->opened, 0U);
  EXPECT_EQ(owner.budget.open(), 0_B);
  EXPECT_EQ(test::pages_other_than(false, home->base, home->base + home->reserved), 0U);
  EXPECT_EQ(home->open_batch(4).value(), 4U);
  home->check_invariants();
}

TEST_P(SlabFailure, ProtectionKeepsWhatItOpenedBeforeTheRefusal) {
  if (GetParam() != stack_tier::protection) GTEST_SKIP() << "markers are opened in one call";
  make(8);
  {
    const os::fault_scope fault({.kind = call::protect, .nth = 3});
    EXPECT_EQ(home->open_batch(8).value(), 2U);
  }
  EXPECT_EQ(home->opened, 2U);
  EXPECT_EQ(owner.budget.open().count, 2 * home->geometry.window);
  home->check_invariants();
}

TEST_P(SlabFailure, I1_MarkersRefusedMidwayOpenNothing) {
  if (GetParam() != stack_tier::guard_markers) GTEST_SKIP() << "about markers";
  make(8);
  for (const int error_number : {ENOMEM, EINVAL}) {
    const os::fault_scope fault(
        {.kind = call::guard_install, .nth = 3, .error_number = error_number});
    const auto opened = home->open_batch(8);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().error_number(), error_number);
    EXPECT_EQ(home->opened, 0U);
    EXPECT_EQ(owner.budget.open(), 0_B);
    EXPECT_EQ(test::pages_other_than(false, home->base, home->base + home->reserved), 0U);
    EXPECT_EQ(home->sealed, error_number == EINVAL) << "a slab of locked memory opens no more";
  }
  EXPECT_TRUE(home->full());
}

TEST_P(SlabFailure, I4_OpenDownToRefundsWhatTheKernelRefused) {
  make(4);
  ASSERT_TRUE(home->open_batch(1).has_value());
  slot& s = home->slots()[0];
  const std::byte* const before = home->open_low(s);
  {
    const os::fault_scope fault({.kind = opening(), .nth = 1});
    EXPECT_EQ(home->open_down_to(s, home->low(s) + home->geometry.guard), slab::outcome::refused);
    EXPECT_EQ(fault.injected(), 1U);
  }
  EXPECT_EQ(home->open_low(s), before);
  EXPECT_EQ(owner.budget.open().count, home->geometry.window);
  EXPECT_FALSE(test::accessible(before - 16));
  home->check_invariants();
}

TEST_P(SlabFailure, WhatIsOpenIsNotOpenedNorChargedAgain) {
  make(4);
  ASSERT_TRUE(home->open_batch(1).has_value());
  slot& s = home->slots()[0];
  std::byte* const open = home->open_low(s);
  const os::fault_scope calls;
  for (std::byte* const at : {open, open + home->geometry.page, home->high(s)}) {
    if (at > home->high(s)) continue;  // Pages of 64 KiB.
    EXPECT_EQ(home->open_down_to(s, at), slab::outcome::opened);
    EXPECT_EQ(home->open_low(s), open);
    EXPECT_EQ(owner.budget.open().count, home->geometry.window);
  }
  EXPECT_EQ(calls.seen(), 0U);
}

TEST_P(SlabFailure, I4_EveryErrorOfTheKernelIsPassedOnAndRefunded) {
  make(8);
  const call first = GetParam() == stack_tier::guard_markers ? call::guard_install : call::protect;
  for (const int error_number : {ENOMEM, EAGAIN, EPERM, ENOSYS}) {
    const os::fault_scope fault({.kind = first, .nth = 1, .error_number = error_number});
    const auto opened = home->open_batch(4);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().error_number(), error_number);
    EXPECT_EQ(home->opened, 0U);
    EXPECT_FALSE(home->sealed) << "only EINVAL means that memory is locked";
    EXPECT_EQ(owner.budget.open(), 0_B);
  }
  EXPECT_EQ(home->open_batch(4).value(), 4U);
}

TEST_P(SlabFailure, CloseBelowRefusedLeavesTheSlotOpenAndCharged) {
  make(4);
  ASSERT_TRUE(home->open_batch(1).has_value());
  slot& s = home->slots()[0];
  const std::byte* const low = home->open_low(s);
  for (const call kind : {closing(), call::advise}) {
    const os::fault_scope fault({.kind = kind, .nth = 1, .error_number = EINVAL});
    if (kind == call::advise && GetParam() == stack_tier::guard_markers) continue;
    EXPECT_FALSE(home->close_below(s, home->high(s)));
    EXPECT_EQ(fault.injected(), 1U);
    EXPECT_EQ(home->open_low(s), low);
    EXPECT_EQ(owner.budget.open().count, home->geometry.window);
    EXPECT_EQ(test::pages_other_than(true, low, home->high(s)), 0U);
    home->check_invariants();
  }
}

TEST_P(SlabFailure, F14_WhatIsClosedIsGoneWhateverTheKernelRefuses) {
  make(4);
  ASSERT_TRUE(home->open_batch(1).has_value());
  slot& s = home->slots()[0];
  std::byte* const window = home->open_low(s);
  *window = std::byte{0x5a};
  bool closed = false;
  {
    // The discard, and every call that would repair its failure.
    const os::fault_scope fault(
        {.kind = call::any, .nth = 2, .persistent = true, .error_number = EINVAL});
    closed = home->close_below(s, home->high(s));
  }
  if (!closed) {
    EXPECT_EQ(home->open_low(s), window);
    EXPECT_TRUE(test::accessible(window)) << "not closed, so open";
    return;
  }
  ASSERT_EQ(home->open_down_to(s, window), slab::outcome::opened);
  EXPECT_EQ(*window, std::byte{0}) << "a byte of the previous user";
}

}  // namespace
}  // namespace bast
