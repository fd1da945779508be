// SPDX-License-Identifier: Apache-2.0
#include "bast/os/clock.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace bast::inline BAST_ABI::os {
namespace {

std::int64_t by_libc(clockid_t clock) {
  timespec now{};
  EXPECT_EQ(::clock_gettime(clock, &now), 0);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

TEST(Clock, EachIsTheKernelsInNanoseconds) {
  const struct {
    clockid_t clock;
    std::int64_t (*read)() noexcept;
  } clocks[] = {{CLOCK_MONOTONIC, monotonic_ns}, {CLOCK_BOOTTIME, since_boot_ns}};
  for (const auto& [clock, read] : clocks) {
    const std::int64_t before = by_libc(clock);
    const std::int64_t now = read();
    EXPECT_LE(before, now) << clock;
    EXPECT_LE(now, by_libc(clock)) << clock;
  }
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
