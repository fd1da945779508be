// SPDX-License-Identifier: Apache-2.0
//
// The report of a stack overflow: one clear text on standard error, and then the process dies the
// normal way, at the faulting instruction, core file included.
#pragma once

#include "bast/stack/fault.hpp"

namespace bast::inline BAST_ABI {

/// The words of the report, without the backtrace. Async-signal-safe.
void compose_overflow_report(const overflow_info& info, text& out) noexcept;

/// Writes them and a backtrace. Async-signal-safe.
void write_overflow_report(const overflow_info& info) noexcept;

}  // namespace bast::inline BAST_ABI
