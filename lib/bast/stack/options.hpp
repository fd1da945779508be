// SPDX-License-Identifier: Apache-2.0
//
// What a user chooses about stacks. Every limit is named here, has a default and a clear error.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

/// How what lies below the open part of a stack is kept inaccessible.
enum class stack_tier : std::uint8_t {
  automatic,      // the best that this kernel really does, found by a probe
  guard_markers,  // MADV_GUARD_INSTALL, Linux 6.13: a million stacks in a handful of mappings
  protection,     // mprotect: two mappings a stack, about 32,000 stacks at the default
                  // vm.max_map_count of 65,530
};

/// How a stack gets deeper.
enum class stack_growth : std::uint8_t {
  fault,   // a fault below the open part opens more, geometrically, up to the limit
  demand,  // all of it is open above the guard; the kernel's demand paging is the growth
};

/// What is done to the bytes that a coroutine leaves behind on its stack.
enum class stack_scrub : std::uint8_t {
  none,       // they stay; measuring zeroes them now and then, trimming gives them back
  zero_used,  // zeroed at every release: no byte is readable by the next user; exact marks
  poison,     // filled with 0xfb at every release: stale pointers become non-canonical; page marks
};

/// A stack is a slot of `guard + limit` bytes, low to high: the guard, the part that can still be
/// opened, the window that is open from the start. All sizes are rounded up to pages.
struct stack_options {
  /// How far a stack can grow: 16 KiB to 64 MiB.
  bytes limit = bytes{192 << 10};
  /// Inaccessible for ever below each stack, at least 64 KiB: a frame compiled without
  /// -fstack-clash-protection can jump over less. At most 64 MiB.
  bytes guard = bytes{64 << 10};
  /// Open from the start. Costs address space only: untouched pages are not resident. Generous,
  /// so that most coroutines never fault.
  bytes window = bytes{32 << 10};
  /// What a released stack keeps open and resident for its next user; at least the window.
  bytes retain = bytes{64 << 10};
  /// Open bytes of all stacks of one pool together.
  bytes budget = unlimited_bytes;
  stack_tier tier = stack_tier::automatic;
  stack_growth growth = stack_growth::fault;
  stack_scrub scrub = mitigation::zero_used_by_default ? stack_scrub::zero_used : stack_scrub::none;
  /// Record the depth of every use under its spawn site.
  bool measure = true;
  /// Start neighbouring stacks at different cache sets (up to 960 bytes of each are given up).
  bool colour = true;
};

}  // namespace bast::inline BAST_ABI
