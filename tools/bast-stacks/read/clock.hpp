// SPDX-License-Identifier: Apache-2.0
//
// The kernel's clocks that a target's registry uses.
#pragma once

#include <time.h>

#include <cstdint>

namespace bast_stacks {

/// Nanoseconds.
inline std::uint64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace bast_stacks
