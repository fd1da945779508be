// SPDX-License-Identifier: Apache-2.0
#include "bast/os/clock.hpp"

#include <ctime>

namespace bast::inline BAST_ABI::os {
namespace {

std::int64_t nanoseconds_of(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t monotonic_ns() noexcept { return nanoseconds_of(CLOCK_MONOTONIC); }
std::int64_t since_boot_ns() noexcept { return nanoseconds_of(CLOCK_BOOTTIME); }

}  // namespace bast::inline BAST_ABI::os
