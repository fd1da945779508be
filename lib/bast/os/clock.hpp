// SPDX-License-Identifier: Apache-2.0
//
// The clocks of the kernel, in nanoseconds. Thread-safe, async-signal-safe; never fail.
#pragma once

#include <bast/config.hpp>
#include <cstdint>

namespace bast::inline BAST_ABI::os {

/// CLOCK_MONOTONIC: the time of deadlines. It stops while the machine is suspended.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;
/// CLOCK_BOOTTIME: the clock of process start times in /proc, with a finer resolution.
[[nodiscard]] std::int64_t since_boot_ns() noexcept;

}  // namespace bast::inline BAST_ABI::os
