// SPDX-License-Identifier: Apache-2.0
//
// SIGSEGV: installs the one process-wide handler and passes foreign faults to the previous handler,
// as if this library were absent.
#pragma once

#include <csignal>
#include <cstddef>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// Called first for every SIGSEGV of the process, on the alternate stack. Returns true if it
/// resolved the fault and the instruction may run again, false to pass the fault on. Must be
/// async-signal-safe.
using fault_filter = bool (*)(siginfo_t* info, void* context) noexcept;

/// Installs the handler that calls `filter`. Idempotent and thread-safe; the first filter stays.
/// Errors: `unsupported` if the installation has no effect (a sanitizer with handle_segv=2), io if
/// sigaction fails.
[[nodiscard]] result<void> install_fault_filter(fault_filter filter) noexcept;

/// Calls only the filter: returns true if the fault is resolved and the instruction may run again.
/// For a SIGSEGV handler that an application installs after ours: it calls this first and returns
/// on true; otherwise the fault is the application's, to report, to recover from or to pass on.
/// Async-signal-safe; keeps errno.
[[nodiscard]] bool cure_fault(siginfo_t* info, void* context) noexcept;

/// Our complete handling of a fault: the filter first, then the previous handler. For an
/// application's handler that does not handle the fault itself. If handlers pass a fault in a
/// circle and the same signal returns here, this restores the default action: the faulting
/// instruction runs again and kills the process, with its address and its core file. A mark in
/// `context` (uc_link, null in every new signal frame) detects the circle, so pass on the context
/// that you received. Async-signal-safe; keeps errno.
void handle_fault(int signal_number, siginfo_t* info, void* context) noexcept;

/// Writes to standard error, completely if there is a reader. Async-signal-safe, never fails.
void write_diagnostic(const char* diagnostic, std::size_t length) noexcept;

/// Writes the current backtrace to standard error, one frame a line. Async-signal-safe once
/// `install_fault_filter` has run (it loads the unwinder ahead of time). Needs 16 KiB of stack.
void write_backtrace() noexcept;

}  // namespace bast::inline BAST_ABI::os
