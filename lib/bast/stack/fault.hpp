// SPDX-License-Identifier: Apache-2.0
//
// Growth, by the fault handler or on request, and the report of an overflow.
//
// The handler runs on the alternate stack of a thread that faulted. It finds the slot of the
// interrupted stack pointer by arithmetic (no thread-local, no lock), and grows that slot only if
//   - it is live, and its pool's user reports that this thread runs on it. A frame that is larger
//     than the rest of its stack and the guard, without -fstack-clash-protection, moves the stack
//     pointer into another stack, which must not be opened for it; and
//   - the fault is in the same slot, below its open part and above its guard; and
//   - not further below the stack pointer than any frame writes ahead of it (`probe_distance`): a
//     wild write into the unopened part of a stack is a bug to report, not growth.
// It opens everything from the faulting page up, so the open part never has a hole and a buffer
// passed to the kernel is always backed. It at least doubles the open part, so that page-by-page
// probing (-fstack-clash-protection) costs a logarithmic number of faults. Every other fault goes
// to the previous handler, with the original siginfo and context.
#pragma once

#include <cstddef>

#include "bast/base.hpp"
#include "bast/stack/site.hpp"
#include "bast/stack/slab.hpp"

namespace bast::inline BAST_ABI {

/// A frame accesses at most this far below its stack pointer before moving it: the red zone, and
/// the probes of -fstack-check, which reach three pages ahead. Linux used a similar bound (64 KiB)
/// for its own growing stacks until 2018.
inline constexpr std::size_t probe_distance = 64 << 10;

/// Why a stack could not grow.
enum class overflow_cause : std::uint8_t {
  limit,           // stack_options::limit is reached; the fault is in the guard
  pool_budget,     // stack_options::budget is spent
  process_budget,  // process_stack_budget() is spent
  kernel,          // the kernel refused to open more
  guard_skipped,   // the stack pointer is in another stack: a frame was larger than the guard
};

/// Describes an overflow. All pointers have static lifetime or are null.
struct overflow_info {
  overflow_cause cause{};
  const char* name = nullptr;  // of the coroutine, or null
  site_key site;
  std::uintptr_t fault_address = 0;
  std::uintptr_t stack_pointer = 0;
  std::uintptr_t program_counter = 0;
  bytes limit;
  bytes open;
  bytes depth;  // from the top to the lower of fault address and stack pointer
  std::uint32_t grows = 0;
};

/// Called in the signal handler, before the report is written. It may log with async-signal-safe
/// functions; it cannot save the process (F-19: there is no safe point to unwind from).
using overflow_hook = void (*)(const overflow_info& info) noexcept;
overflow_hook set_overflow_hook(overflow_hook hook) noexcept;

/// Installs the handler, once for the process. Errors as os::install_fault_filter.
[[nodiscard]] result<void> install_growth_handler() noexcept;

/// Opens `wanted` bytes below the caller's frame, so that no fault can happen in them: before code
/// that blocks SIGSEGV, or a raw system call into a deep buffer. Does nothing on a thread's own
/// stack. Errors: `limit`. Async-signal-safe.
[[nodiscard]] result<void> ensure_stack(bytes wanted) noexcept;

/// The same for a slot and an address in it.
[[nodiscard]] result<void> ensure_open(slot& s, const std::byte* down_to) noexcept;

/// The stack that holds `address`, if it is one of ours. The caller must be using `address`.
struct stack_view {
  slot* record = nullptr;
  const std::byte* low = nullptr;       // lowest byte that can ever be opened
  const std::byte* open_low = nullptr;  // lowest open byte
  const std::byte* top = nullptr;
};
[[nodiscard]] stack_view find_stack(const void* address) noexcept;

}  // namespace bast::inline BAST_ABI
