// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/tier.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "bast/arch.hpp"
#include "bast/os.hpp"
#include "bast/stack/pool.hpp"
#include "bast/stack/slab.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

using os::call;

TEST(StackTier, ProbeAnswersAndLeavesNothingBehind) {
  const auto warm = probe_guard_markers();
  ASSERT_TRUE(warm.has_value());
  const test::leak_baseline before;
  const auto probed = probe_guard_markers();
  ASSERT_TRUE(probed.has_value());
  EXPECT_EQ(*probed, *warm);
  EXPECT_EQ(before.differences(), "");
}

TEST(StackTier, ProbeAgreesWithWhatMarkersDo) {
  if (protection_is_forced) GTEST_SKIP() << "this build does not probe the kernel";
  const std::size_t page = os::page_bytes();
  const auto scratch = os::map(page);
  ASSERT_TRUE(scratch.has_value());
  const bool accepted = os::install_guard(*scratch, page).has_value();
  EXPECT_EQ(probe_guard_markers().value(), accepted && !os::kernel_can_write(*scratch));
  os::release(*scratch, page);
}

TEST(StackTier, ProbeSaysNoWhenTheKernelRefusesMarkers) {
  if (protection_is_forced) GTEST_SKIP() << "this build does not probe the kernel";
  for (const int error_number : {EINVAL, ENOMEM, ENOSYS}) {
    const os::fault_scope fault(
        {.kind = call::guard_install, .nth = 1, .error_number = error_number});
    const auto probed = probe_guard_markers();
    ASSERT_TRUE(probed.has_value());
    EXPECT_FALSE(*probed);
    EXPECT_EQ(fault.injected(), 1U);
  }
}

TEST(StackTier, X6_ProbeWithoutScratchPageIsNoMemoryAndNotAnAnswer) {
  if (protection_is_forced) GTEST_SKIP() << "this build does not probe the kernel";
  const os::fault_scope fault({.kind = call::map, .nth = 1});
  const auto probed = probe_guard_markers();
  ASSERT_FALSE(probed.has_value());
  EXPECT_EQ(probed.error().kind(), errc::no_memory);
  EXPECT_EQ(probed.error().error_number(), ENOMEM);
}

TEST(StackTier, AutomaticNeverMeansUnguarded) {
  const auto tier = resolve_tier(stack_tier::automatic);
  ASSERT_TRUE(tier.has_value());
  EXPECT_NE(*tier, stack_tier::automatic);
  const bool markers = probe_guard_markers().value() && !arch::leak_roots_in_use;
  EXPECT_EQ(*tier, markers ? stack_tier::guard_markers : stack_tier::protection);
}

TEST(StackTier, DemandedTierIsGivenOrRefused) {
  EXPECT_EQ(resolve_tier(stack_tier::protection).value(), stack_tier::protection);
  const auto markers = resolve_tier(stack_tier::guard_markers);
  if (probe_guard_markers().value()) {
    EXPECT_EQ(markers.value(), stack_tier::guard_markers);
  } else {
    ASSERT_FALSE(markers.has_value());
    EXPECT_EQ(markers.error().kind(), errc::unsupported);
    EXPECT_NE(markers.error().message().find("guard_markers"), std::string::npos);
  }
}

struct StackTierDeathTest : ::testing::Test {
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // The result is cached per process.
    if (test::emulated) GTEST_SKIP() << "the emulator cannot start the program again";
    if (protection_is_forced) GTEST_SKIP() << "this build does not probe the kernel";
  }
};

TEST_F(StackTierDeathTest, WhatTheFirstSuccessfulProbeFoundHoldsForTheProcess) {
  const auto child = [] {
    {
      const os::fault_scope fault({.kind = call::map, .nth = 1});
      const auto unknown = resolve_tier(stack_tier::automatic);
      if (unknown || unknown.error().kind() != errc::no_memory) ::_exit(1);
    }
    {
      const os::fault_scope fault({.kind = call::guard_install, .nth = 1, .error_number = EINVAL});
      if (resolve_tier(stack_tier::automatic) != stack_tier::protection) ::_exit(2);
      if (fault.injected() != 1) ::_exit(3);
    }
    const os::fault_scope calls;
    if (resolve_tier(stack_tier::automatic) != stack_tier::protection) ::_exit(4);
    if (resolve_tier(stack_tier::protection) != stack_tier::protection) ::_exit(5);
    const auto demanded = resolve_tier(stack_tier::guard_markers);
    if (demanded || demanded.error().kind() != errc::unsupported) ::_exit(6);
    const std::string words = demanded.error().message();
    if (words.find("stack_options") == std::string::npos) ::_exit(7);
    if (words.find("tier guard_markers: MADV_GUARD_INSTALL does not guard here (Linux 6.13 has "
                   "it)") == std::string::npos) {
      ::_exit(8);
    }
    if (calls.seen() != 0) ::_exit(9);
    stack_pool pool;
    ::_exit(pool.init({.tier = stack_tier::guard_markers}, 4) ? 10 : 0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST_F(StackTierDeathTest, MarkersThatWereFoundToGuardAreNotAskedAgain) {
  if (!test::tier_works(stack_tier::guard_markers)) GTEST_SKIP() << "guard markers do not guard";
  const auto child = [] {
    if (resolve_tier(stack_tier::guard_markers) != stack_tier::guard_markers) ::_exit(1);
    const os::fault_scope fault({.nth = 1, .persistent = true});
    if (resolve_tier(stack_tier::guard_markers) != stack_tier::guard_markers) ::_exit(2);
    const stack_tier best =
        arch::leak_roots_in_use ? stack_tier::protection : stack_tier::guard_markers;
    if (resolve_tier(stack_tier::automatic) != best) ::_exit(3);
    ::_exit(fault.seen() == 0 ? 0 : 4);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

/// Creates a slab of the guard-marker tier while the first marker is refused.
result<slab*> create_refused(int error_number, bool demanded, slab_owner& owner) {
  const stack_geometry geometry = stack_geometry::make({}).value();
  const os::fault_scope fault(
      {.kind = call::guard_install, .nth = 1, .error_number = error_number});
  auto made = slab::create(geometry, stack_tier::guard_markers, demanded, 4, owner);
  EXPECT_EQ(fault.injected(), 1U);
  return made;
}

TEST(StackTier, MarkersRefusedWithEinvalMeanProtectionForAutomatic) {
  slab_owner owner;
  const auto made = create_refused(EINVAL, false, owner);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ((*made)->tier, stack_tier::protection);
  ASSERT_TRUE((*made)->open_batch(1).has_value());
  slot& s = (*made)->slots()[0];
  EXPECT_FALSE(test::accessible((*made)->open_low(s) - 16));
  EXPECT_TRUE(test::accessible((*made)->open_low(s)));
  slab::destroy(*made);
}

TEST(StackTier, MarkersRefusedAreAnErrorWhenDemanded) {
  const test::leak_baseline before;
  slab_owner owner;
  const auto made = create_refused(EINVAL, true, owner);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().kind(), errc::invalid);
  EXPECT_EQ(made.error().error_number(), EINVAL);
  EXPECT_EQ(before.differences(), "");
}

TEST(StackTier, NoMemoryForMarkersIsReportedNotSwallowed) {
  for (const int error_number : {ENOMEM, EAGAIN, EPERM, ENOSYS}) {
    for (const bool demanded : {false, true}) {
      const test::leak_baseline before;
      slab_owner owner;
      const auto made = create_refused(error_number, demanded, owner);
      ASSERT_FALSE(made.has_value()) << error_number;
      EXPECT_EQ(made.error().error_number(), error_number);
      EXPECT_EQ(made.error().kind(), errc_of_errno(error_number));
      EXPECT_EQ(before.differences(), "");
    }
  }
}

}  // namespace
}  // namespace bast
