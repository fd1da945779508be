// SPDX-License-Identifier: Apache-2.0
//
// `perform`: does on the spot what a process machine wants, where that can be done on the spot.
#pragma once

#include <cstdint>

#include "bast/process/machine_operation.hpp"

namespace bast::inline BAST_ABI {

/// Does an immediate operation, or tries a `read` (a non-blocking descriptor is -EAGAIN). Returns
/// what `process_machine::complete` wants to know. Never blocks, allocates nothing. -EINVAL for the
/// kinds that wait.
[[nodiscard]] std::int64_t perform(const operation& wanted) noexcept;

}  // namespace bast::inline BAST_ABI
