// SPDX-License-Identifier: Apache-2.0
//
// What is written of a spawn site, and read back within the process. By the thread that owns the
// entry; nothing here allocates, waits or fails.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/watch/abi.hpp"

namespace bast::watch {

/// What a reading of a stack told: `uses` of it since the last one, which grew it `grows` times.
struct reading {
  std::uint32_t uses = 0;
  std::uint32_t grows = 0;
  bool measured = true;     // false: `depth` means nothing
  bool is_sample = false;   // one use, chosen before it ran: it counts for the quantiles
  std::uint64_t depth = 0;  // bytes
};
void add(site_entry& entry, const reading& what) noexcept;

/// A stack is kept for the site from here on, or no longer.
void hold(site_entry& entry) noexcept;
void let_go(site_entry& entry) noexcept;

/// The upper bound of the bucket that holds the `q`-quantile (0 < q <= 1) of the samples, at most
/// the maximum; 0 without samples.
std::uint64_t quantile(const site_entry& entry, double q) noexcept;

/// Adds what `from` holds to `to`.
void merge(site_entry& to, const site_entry& from) noexcept;

/// Where a thread was when its stack got deeper. Addresses.
struct growth {
  std::uintptr_t touched = 0;
  std::uintptr_t pc = 0;
  std::uintptr_t sp = 0;
  std::uintptr_t fp = 0;
  std::uintptr_t readable = 0;  // from here to the top; the stack pointer may be below
  std::uintptr_t top = 0;       // where the stack begins
};
/// Remembers the stack if it is the deepest of its site: async-signal-safe, on the thread that owns
/// the entry.
void note_growth(site_entry& entry, const growth& at) noexcept;

/// A use of the site needed more stack than it can have. Async-signal-safe, on the thread that owns
/// the entry.
void note_overflow(site_entry& entry) noexcept;

/// Where code is, for `note_growth` to tell a return address from other words. Called when a
/// slab is made: it takes the loader's lock. Libraries that are loaded later are seen with the
/// next one.
void refresh_code_ranges() noexcept;

}  // namespace bast::watch
