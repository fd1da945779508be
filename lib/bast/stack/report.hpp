// SPDX-License-Identifier: Apache-2.0
//
// The report of a stack overflow: one text on standard error. The process then dies by the default
// action, at the faulting instruction, with its core file.
#pragma once

#include "bast/stack/fault.hpp"

namespace bast::inline BAST_ABI {

/// Composes the report without the backtrace. Async-signal-safe.
void compose_overflow_report(const overflow_info& info, text& out) noexcept;

/// Writes the report and a backtrace. Async-signal-safe.
void write_overflow_report(const overflow_info& info) noexcept;

}  // namespace bast::inline BAST_ABI
