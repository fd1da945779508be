// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/tier.hpp"

#include <gtest/gtest.h>

#include "bast/arch.hpp"
#include "bast/os.hpp"
#include "bast/stack/slab.hpp"
#include "bast/testing/baseline.hpp"
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
  if (protection_is_forced) GTEST_SKIP() << "this build does not ask the kernel";
  const std::size_t page = os::page_bytes();
  const auto scratch = os::map(page);
  ASSERT_TRUE(scratch.has_value());
  const bool accepted = os::install_guard(*scratch, page).has_value();
  EXPECT_EQ(probe_guard_markers().value(), accepted && !os::kernel_can_write(*scratch));
  os::release(*scratch, page);
}

TEST(StackTier, ProbeSaysNoWhenTheKernelRefusesMarkers) {
  if (protection_is_forced) GTEST_SKIP() << "this build does not ask the kernel";
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
  if (protection_is_forced) GTEST_SKIP() << "this build does not ask the kernel";
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

/// A slab of the guard-marker tier while the first marker is refused.
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
  test::warm_directory();
  const test::leak_baseline before;
  slab_owner owner;
  const auto made = create_refused(EINVAL, true, owner);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().kind(), errc::invalid);
  EXPECT_EQ(made.error().error_number(), EINVAL);
  EXPECT_EQ(before.differences(), "");
}

TEST(StackTier, NoMemoryForMarkersIsReportedNotSwallowed) {
  test::warm_directory();
  for (const bool demanded : {false, true}) {
    const test::leak_baseline before;
    slab_owner owner;
    const auto made = create_refused(ENOMEM, demanded, owner);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().kind(), errc::no_memory);
    EXPECT_EQ(before.differences(), "");
  }
}

}  // namespace
}  // namespace bast
