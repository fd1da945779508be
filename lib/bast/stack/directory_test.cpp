// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/directory.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "bast/os.hpp"
#include "bast/stack/slab.hpp"

namespace bast {
namespace {

constexpr std::uintptr_t granule = directory_granule;
constexpr std::uintptr_t leaf_reach = std::uintptr_t{1} << 34;
// The directory never accesses the memory, so the addresses are invented. They are far from the
// kernel's mappings, and each test uses a leaf of its own.
constexpr std::uintptr_t invented = std::uintptr_t{0x1234} << 32;

/// The first address of an unused leaf, below another unused one. Leaves are never freed, and a
/// test may be repeated.
std::uintptr_t fresh_leaf() {
  static std::uintptr_t next = invented + 64 * leaf_reach;
  next += 2 * leaf_reach;
  return next;
}

const std::byte* at(std::uintptr_t address) {
  return reinterpret_cast<const std::byte*>(
      address);  // NOLINT(performance-no-int-to-ptr): they are invented
}

TEST(StackDirectory, FindsEveryAddressOfASlabAndNoOther) {
  slab one;
  const std::uintptr_t base = invented;
  const std::uintptr_t size = 3 * granule;
  ASSERT_TRUE(directory_enter(at(base), size, &one).has_value());
  for (std::uintptr_t offset = 0; offset < size; offset += granule / 4) {
    EXPECT_EQ(directory_find(base + offset), &one);
  }
  EXPECT_EQ(directory_find(base + size - 1), &one);
  EXPECT_EQ(directory_find(base - 1), nullptr);
  EXPECT_EQ(directory_find(base + size), nullptr);
  directory_remove(at(base), size);
  EXPECT_EQ(directory_find(base), nullptr);
  EXPECT_EQ(directory_find(base + size - 1), nullptr);
}

TEST(StackDirectory, NeighboursDoNotTouchEachOther) {
  slab one;
  slab two;
  const std::uintptr_t base = invented + leaf_reach;
  ASSERT_TRUE(directory_enter(at(base), granule, &one).has_value());
  ASSERT_TRUE(directory_enter(at(base + granule), granule, &two).has_value());
  EXPECT_EQ(directory_find(base + granule - 1), &one);
  EXPECT_EQ(directory_find(base + granule), &two);
  directory_remove(at(base), granule);
  EXPECT_EQ(directory_find(base + granule - 1), nullptr);
  EXPECT_EQ(directory_find(base + granule), &two);
  directory_remove(at(base + granule), granule);
}

TEST(StackDirectory, SlabMayCrossFromOneLeafToTheNext) {
  slab one;
  const std::uintptr_t base = invented + 3 * leaf_reach - granule;
  ASSERT_TRUE(directory_enter(at(base), 2 * granule, &one).has_value());
  EXPECT_EQ(directory_find(base), &one);
  EXPECT_EQ(directory_find(base + granule), &one);
  EXPECT_EQ(directory_find(base + 2 * granule), nullptr);
  directory_remove(at(base), 2 * granule);
  EXPECT_EQ(directory_find(base), nullptr);
  EXPECT_EQ(directory_find(base + granule), nullptr);
}

TEST(StackDirectory, EveryBitOfAnAddressCounts) {
  slab one;
  const std::uintptr_t base = invented + 7 * leaf_reach + 5 * granule;
  ASSERT_TRUE(directory_enter(at(base), granule, &one).has_value());
  for (std::uintptr_t bit = 1; bit != 0; bit <<= 1) {
    EXPECT_EQ(directory_find(base ^ bit), bit < granule ? &one : nullptr) << std::hex << bit;
  }
  directory_remove(at(base), granule);
}

TEST(StackDirectory, UnknownAddressesAreNobodys) {
  int local = 0;
  EXPECT_EQ(directory_find(reinterpret_cast<std::uintptr_t>(&local)), nullptr);
  EXPECT_EQ(directory_find(0), nullptr);
  EXPECT_EQ(directory_find((std::uintptr_t{1} << 48) - 1), nullptr);
  // Not canonical, or in the kernel's half: an index from them would be out of bounds.
  EXPECT_EQ(directory_find(std::uintptr_t{1} << 48), nullptr);
  EXPECT_EQ(directory_find(UINTPTR_MAX), nullptr);
  EXPECT_EQ(directory_find(0xfbfbfbfbfbfbfbfbU), nullptr);
}

TEST(StackDirectory, X6_FailingLeafIsNoMemoryAndEntersNothing) {
  slab one;
  // Two leaves are needed; the second fails.
  const std::uintptr_t base = fresh_leaf() + leaf_reach - granule;
  {
    const os::fault_scope fault({.kind = os::call::map, .nth = 2});
    const auto entered = directory_enter(at(base), 2 * granule, &one);
    ASSERT_FALSE(entered.has_value());
    EXPECT_EQ(entered.error().kind(), errc::no_memory);
    EXPECT_EQ(fault.injected(), 1U);
  }
  EXPECT_EQ(directory_find(base), nullptr);
  EXPECT_EQ(directory_find(base + granule), nullptr);
  ASSERT_TRUE(directory_enter(at(base), 2 * granule, &one).has_value());
  EXPECT_EQ(directory_find(base + granule), &one);
  directory_remove(at(base), 2 * granule);
}

TEST(StackDirectory, AddressesAbove48BitsAreRefusedClearly) {
  slab one;
  constexpr std::uintptr_t end = std::uintptr_t{1} << 48;
  for (const std::uintptr_t base : {end, end - granule, std::uintptr_t{1} << 52, ~(granule - 1)}) {
    const auto entered =
        directory_enter(at(base), base == ~(granule - 1) ? granule : 2 * granule, &one);
    ASSERT_FALSE(entered.has_value());
    EXPECT_EQ(entered.error().kind(), errc::unsupported);
    EXPECT_STREQ(entered.error().operation(), "stack");
    EXPECT_STREQ(entered.error().detail(), "the kernel gave an address above 48 bits");
    EXPECT_EQ(directory_find(base), nullptr) << "nothing was entered";
  }
  ASSERT_TRUE(directory_enter(at(end - granule), granule, &one).has_value());
  EXPECT_EQ(directory_find(end - 1), &one) << "the highest address";
  directory_remove(at(end - granule), granule);
  EXPECT_EQ(directory_find(end - 1), nullptr);
}

TEST(StackDirectory, ALeafIsMadeOnceForAllItsSlabs) {
  slab one;
  const std::uintptr_t base = fresh_leaf();
  const os::fault_scope maps({.kind = os::call::map});
  ASSERT_TRUE(directory_enter(at(base), granule, &one).has_value());
  EXPECT_EQ(maps.seen(), 1U);
  ASSERT_TRUE(directory_enter(at(base + leaf_reach - granule), granule, &one).has_value());
  directory_remove(at(base), granule);
  ASSERT_TRUE(directory_enter(at(base), granule, &one).has_value());
  EXPECT_EQ(maps.seen(), 1U);
  directory_remove(at(base), granule);
  directory_remove(at(base + leaf_reach - granule), granule);
}

}  // namespace
}  // namespace bast
