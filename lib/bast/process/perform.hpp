// SPDX-License-Identifier: Apache-2.0
//
// `perform`: executes the immediate operations of a process machine.
#pragma once

#include <cstdint>

#include "bast/process/machine_operation.hpp"

namespace bast::inline BAST_ABI {

/// Executes an immediate operation, or tries a `read` (on a non-blocking descriptor, possibly
/// -EAGAIN). Returns the status for `process_machine::complete`; -EINVAL for the kinds that wait.
/// Never blocks, allocates nothing.
[[nodiscard]] std::int64_t perform(const machine_operation& wanted) noexcept;

}  // namespace bast::inline BAST_ABI
