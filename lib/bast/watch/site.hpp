// SPDX-License-Identifier: Apache-2.0
//
// Writes the record of a spawn site, and reads it within the process. Called by the thread that
// owns the entry; nothing here allocates, waits or fails.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/watch/abi.hpp"

namespace bast::watch {

/// One reading of a stack: `uses` since the last one, and the `grows` during them.
struct reading {
  std::uint32_t uses = 0;
  std::uint32_t grows = 0;
  bool measured = true;     // false: `depth` is meaningless
  bool is_sample = false;   // one use, chosen in advance: it counts for the quantiles
  std::uint64_t depth = 0;  // bytes
};
void add(site_entry& entry, const reading& what) noexcept;

/// Counts a stack that is assigned to the site, or no longer.
void hold(site_entry& entry) noexcept;
void let_go(site_entry& entry) noexcept;

/// The upper bound of the bucket that holds the `q`-quantile (0 < q <= 1) of the samples, but at
/// most the maximum; 0 without samples.
std::uint64_t quantile(const site_entry& entry, double q) noexcept;

/// Adds the counts of `from` to `to`.
void merge(site_entry& to, const site_entry& from) noexcept;

/// The state of a thread when its stack grew. Addresses.
struct growth {
  std::uintptr_t touched = 0;
  std::uintptr_t pc = 0;
  std::uintptr_t sp = 0;
  std::uintptr_t fp = 0;
  std::uintptr_t readable = 0;  // up to the top; the stack pointer may be below
  std::uintptr_t top = 0;       // the stack's upper end
};
/// Records the stack if it is the deepest of its site. Async-signal-safe, on the thread that owns
/// the entry.
void note_growth(site_entry& entry, const growth& at) noexcept;

/// Counts a use of the site that exceeded its limit. Async-signal-safe, on the thread that owns the
/// entry.
void note_overflow(site_entry& entry) noexcept;

/// Updates the code ranges by which `note_growth` recognises return addresses. Called when a slab
/// is made: takes the loader's lock. Libraries that are loaded later are included by the next call.
void refresh_code_ranges() noexcept;

}  // namespace bast::watch
