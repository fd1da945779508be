// SPDX-License-Identifier: Apache-2.0
//
// Queries about a stack from outside: which pages are accessible, how many are resident; and the
// two tiers, for value-parameterised tests.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "bast/os.hpp"
#include "bast/stack.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"

namespace bast {

/// Prints the parameter for GoogleTest.
inline void PrintTo(stack_tier tier, std::ostream* out) {
  *out << (tier == stack_tier::guard_markers ? "guard_markers"
           : tier == stack_tier::protection  ? "protection"
                                             : "automatic");
}

}  // namespace bast

namespace bast::test {

/// True if the kernel can read and write the 16 bytes at `where`, which are restored. The kernel
/// makes the access, so a guard results in an errno instead of a signal.
inline bool accessible(const std::byte* where) {
  constexpr std::size_t probed = 16;  // what os::kernel_can_write writes
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  const bool readable = ::write(ends[1], where, probed) == probed;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): restored below
  auto* const place = const_cast<std::byte*>(where);
  const bool writable = os::kernel_can_write(place);
  if (readable && writable) {
    EXPECT_EQ(::read(ends[0], place, probed), probed);
  }
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(readable, writable);
  return writable;
}

/// The number of pages of [low, high) whose accessibility is not as `expected`.
inline std::size_t pages_other_than(bool expected, const std::byte* low, const std::byte* high) {
  std::size_t wrong = 0;
  for (const std::byte* page = low; page < high; page += os::page_bytes()) {
    if (accessible(page) != expected) ++wrong;
  }
  return wrong;
}

/// The number of resident pages of [low, high).
inline std::size_t resident_pages(const std::byte* low, const std::byte* high) {
  std::vector<unsigned char> resident(static_cast<std::size_t>(high - low) / os::page_bytes());
  EXPECT_TRUE(os::residency(low, resident).has_value());
  return static_cast<std::size_t>(
      std::count_if(resident.begin(), resident.end(), [](auto r) { return (r & 1) != 0; }));
}

/// Expects that no page of [low, high) is resident, if the kernel reports residency.
inline void expect_none_resident(const std::byte* low, const std::byte* high) {
  if (!emulated) {
    EXPECT_EQ(resident_pages(low, high), 0U);
  }
}

/// True if the tier works here. Guard markers: Linux 6.13, not qemu-user, memory not locked.
inline bool tier_works(stack_tier tier) {
  return tier == stack_tier::protection || probe_guard_markers().value_or(false);
}

/// A test that runs in both tiers.
class each_tier : public ::testing::TestWithParam<stack_tier> {
 protected:
  void SetUp() override {
    if (!tier_works(GetParam())) GTEST_SKIP() << "guard markers do not guard on this kernel";
    warm_directory();
  }
};

inline constexpr stack_tier all_tiers[] = {stack_tier::guard_markers, stack_tier::protection};

inline std::string tier_name(const ::testing::TestParamInfo<stack_tier>& info) {
  return info.param == stack_tier::guard_markers ? "guard_markers" : "protection";
}

}  // namespace bast::test
