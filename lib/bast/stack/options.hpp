// SPDX-License-Identifier: Apache-2.0
//
// The options of stacks. Every limit has a name, a default and a clear error.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// How the memory below the open part of a stack is kept inaccessible.
enum class stack_tier : std::uint8_t {
  automatic,      // the best that works on this kernel, found by a probe
  guard_markers,  // MADV_GUARD_INSTALL, Linux 6.13: a million stacks in a handful of mappings
  protection,     // mprotect: two mappings per stack, about 32,000 stacks at the default
                  // vm.max_map_count of 65,530
};

/// How a stack gets deeper.
enum class stack_growth : std::uint8_t {
  fault,   // a fault below the open part opens more, geometrically, up to the limit
  demand,  // everything above the guard is open; the kernel's demand paging provides the growth
};

/// What happens to the bytes that a coroutine leaves on its stack.
enum class stack_scrub : std::uint8_t {
  none,       // they stay; occasional measuring zeroes them, trimming discards them
  zero_used,  // zeroed at every release: the next user can read none; exact marks
  poison,     // filled with 0xfb at every release: stale pointers become non-canonical; page marks
};

/// A stack is a slot of `guard + limit` bytes, from low to high: the guard, the growth region,
/// which can still be opened, and the window, open from the start. All sizes are rounded up to
/// pages.
struct stack_options {
  /// The maximum size of a stack: 16 KiB to 64 MiB.
  bytes limit = bytes{192 << 10};
  /// Permanently inaccessible below each stack, at least 64 KiB: a frame compiled without
  /// -fstack-clash-protection can skip a smaller one. At most 64 MiB.
  bytes guard = bytes{64 << 10};
  /// Open from the start. Costs only address space: untouched pages are not resident. Generous, so
  /// that most coroutines never fault.
  bytes window = bytes{32 << 10};
  /// The maximum that a released stack keeps open and resident; at least the window.
  bytes retain = bytes{64 << 10};
  /// The maximum of open bytes of all stacks of one pool.
  bytes budget = unlimited_bytes;
  stack_tier tier = stack_tier::automatic;
  stack_growth growth = stack_growth::fault;
  stack_scrub scrub = mitigation::zero_used_by_default ? stack_scrub::zero_used : stack_scrub::none;
  /// Record the depth of every use under its spawn site.
  bool measure = true;
  /// Start neighbouring stacks at different cache sets (costs up to 960 bytes of each).
  bool colour = true;
};

}  // namespace bast::inline BAST_ABI
