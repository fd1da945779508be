// SPDX-License-Identifier: Apache-2.0
//
// The one type for an instant: CLOCK_MONOTONIC in nanoseconds, as std::chrono::steady_clock has it.
// Durations are std::chrono::nanoseconds.
#pragma once

#include <bast/config.hpp>
#include <chrono>
#include <cstdint>

namespace bast::inline BAST_ABI {

using time_point = std::chrono::steady_clock::time_point;
/// The deadline of what has none.
inline constexpr time_point never = time_point::max();

namespace internal {

constexpr std::int64_t nanoseconds_of(time_point at) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}
constexpr time_point time_of(std::int64_t nanoseconds) noexcept {
  return time_point(
      std::chrono::duration_cast<time_point::duration>(std::chrono::nanoseconds(nanoseconds)));
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
