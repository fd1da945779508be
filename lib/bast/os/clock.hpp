// SPDX-License-Identifier: Apache-2.0
//
// The clocks of the kernel, in nanoseconds. Thread-safe, async-signal-safe; never fail.
#pragma once

#include <bast/config.hpp>
#include <cstdint>

namespace bast::os {

/// CLOCK_MONOTONIC: the time of deadlines. It stands while the machine is suspended.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;
/// CLOCK_BOOTTIME: what /proc says of the start of a process, in finer steps.
[[nodiscard]] std::int64_t since_boot_ns() noexcept;

}  // namespace bast::os
