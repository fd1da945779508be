// SPDX-License-Identifier: Apache-2.0
//
// How much of the machine this process may use.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bast::inline BAST_ABI::os {

/// The processors in the affinity mask of the calling thread; at least 1.
[[nodiscard]] std::size_t usable_processors() noexcept;

/// The processor time that the control group of this process, or one above it, may use, in
/// thousandths of a processor; 0: no limit, or it cannot be read. Reads cpu.max of each group
/// (cgroup v2), or cpu.cfs_quota_us (v1), below /sys/fs/cgroup.
[[nodiscard]] std::uint64_t processor_quota_milli() noexcept;

/// What the line of cpu.max says: "QUOTA PERIOD" or "max PERIOD", in microseconds. 0: no limit.
[[nodiscard]] std::uint64_t quota_of_line(std::string_view line) noexcept;

}  // namespace bast::inline BAST_ABI::os
