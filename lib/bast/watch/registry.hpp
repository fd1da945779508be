// SPDX-License-Identifier: Apache-2.0
//
// Writing the registry. An entry belongs to the caller that took it, until it is returned, and is
// written without a lock. Taking and returning are rare (a pool, a slab, a site that is new to its
// pool) and share one lock.
//
// The registry is private memory, made with the first pool: a forked child writes its own copy, and
// a core file contains it. Under `bast-stacks run` it is a file of the tool (BAST_WATCH=fd:N),
// which the tool can read after the process has ended; a forked child then has its own copy.
//
//   I1  An entry that is not free has one writer: the thread of its pool or, if it is closed, the
//       holder of the lock.
//   I2  The registry never moves and is never unmapped.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "bast/base.hpp"
#include "bast/watch/abi.hpp"

namespace bast::watch {

/// Creates the registry; later calls do nothing. Thread-safe. Errors: no_memory.
[[nodiscard]] result<void> open_registry() noexcept;

/// The registry, or null before the first `open_registry`. Async-signal-safe.
header* registry() noexcept;

/// True if BAST_WATCH contains `deepest`: pools then open one page at a time, so that each new page
/// of a site is a growth with a backtrace. Slower; for `bast-stacks run --deepest`.
bool every_page_is_a_growth() noexcept;

/// Describes the fields of the library's own records. Thread-safe; the last call wins.
void describe(const slot_layout& layout) noexcept;
void describe(const coro_layout& layout) noexcept;
/// Describes the table of control blocks: its address and the part in use.
void describe_coros(const void* table, std::size_t bytes) noexcept;
/// A free entry, zeroed except for the pool's id. Null if the table is full, which is counted. The
/// caller fills it in and calls `publish`. Thread-safe, like all functions below.
pool_entry* take_pool() noexcept;
slab_entry* take_slab() noexcept;
void publish(pool_entry& entry) noexcept;
void publish(slab_entry& entry) noexcept;
/// Sets the number of opened slots of a slab.
void set_opened(slab_entry& entry, std::uint32_t slots) noexcept;
/// Copies a text, or its end if it is too long: the end of a path is more useful than its
/// beginning.
void write_end_of(std::span<char> place, std::string_view whole) noexcept;
/// Returns an entry; null is allowed.
void give(pool_entry* entry) noexcept;
void give(slab_entry* entry) noexcept;
std::uint32_t index_of(const pool_entry* entry) noexcept;
/// Closes the entry of a destroyed pool that had at most `stacks` at a time. Adds it to the entry
/// of destroyed pools from the same place with the same options, and returns that. Returns null if
/// there is none, if no stack was ever made, or if half of the table is already used for destroyed
/// pools.
pool_entry* close(pool_entry* entry, std::uint64_t stacks) noexcept;

/// The name of a site. Valid during the call.
struct site_name {
  site_kind kind = site_kind::other;
  std::string_view where;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// An open entry without uses for a site of `pool` (null: the pool has no entry). If the table is
/// full, returns memory that no reader finds, which is counted. Null if there is no memory.
site_entry* take_site(const site_name& name, const pool_entry* pool, std::uint32_t index) noexcept;
/// Returns the entry of a site whose pool is destroyed; `gone` is the result of `close`. Adds its
/// record to the one of the same site in those pools.
void give(site_entry* entry, const pool_entry* gone = nullptr) noexcept;

}  // namespace bast::watch
