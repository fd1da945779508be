// SPDX-License-Identifier: Apache-2.0
//
// SIGSEGV: installing the one process-wide handler, and passing on what is not ours to whoever was
// there before, as if this library were absent.
#pragma once

#include <csignal>
#include <cstddef>

#include "bast/base.hpp"

namespace bast::os {

/// Sees every SIGSEGV of the process first, on the alternate stack. Returns true when the fault is
/// cured and the instruction may run again; false passes it on. Must be async-signal-safe.
using fault_filter = bool (*)(siginfo_t* info, void* context) noexcept;

/// Installs the handler that asks `filter`. Idempotent and thread-safe; the first filter stays.
/// Errors: `unsupported` when something swallows the installation (a sanitizer with
/// handle_segv=2), io when sigaction fails.
[[nodiscard]] result<void> install_fault_filter(fault_filter filter) noexcept;

/// Asks the filter alone: true when the fault is cured and the instruction may run again. For a
/// SIGSEGV handler that an application installs after ours: it calls this first and returns when it
/// is true; otherwise the fault is its own, to report, to recover from or to pass on.
/// Async-signal-safe; keeps errno.
[[nodiscard]] bool cure_fault(siginfo_t* info, void* context) noexcept;

/// What our handler does with a fault: the filter first, then whoever was there before us. For a
/// handler of the application's that has nothing to do with a fault itself. When handlers pass it
/// round in a circle, and the same signal comes back here, the default action is restored: the
/// faulting instruction runs again and kills the process, with its address and its core file. The
/// circle is told by a mark in `context` (uc_link, which is null in every new signal frame), so
/// pass on the one that you were given. Async-signal-safe; keeps errno.
void handle_fault(int signal_number, siginfo_t* info, void* context) noexcept;

/// Writes to standard error, all of it if anybody reads. Async-signal-safe, never fails.
void write_diagnostic(const char* diagnostic, std::size_t length) noexcept;

/// Writes the current backtrace to standard error, one frame a line. Async-signal-safe once
/// `install_fault_filter` has run (it loads the unwinder ahead of time). Needs 16 KiB of stack.
void write_backtrace() noexcept;

}  // namespace bast::os
