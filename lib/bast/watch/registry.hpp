// SPDX-License-Identifier: Apache-2.0
//
// Writing the registry: who takes an entry owns it until it gives it back, and writes it without a
// lock. Taking and giving are rare (a pool, a slab, a site that is new to its pool) and share one.
//
// The registry is private memory, made with the first pool: what a forked child writes is the
// child's, and a core file holds it. Under `bast-stacks run` it is a file that the tool gave
// (BAST_WATCH=fd:N), so that the tool can read it when the process is gone; a forked child then
// has a copy of its own.
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

/// Makes the registry; later calls do nothing. Thread-safe. Errors: no_memory.
[[nodiscard]] result<void> open_registry() noexcept;

/// The registry, or null before the first `open_registry`. Async-signal-safe.
header* registry() noexcept;

/// True when BAST_WATCH names `deepest`: pools then open a page at a time, so that each new page of
/// a site is a growth and has its backtrace. Slower; for `bast-stacks run --deepest`.
bool every_page_is_a_growth() noexcept;

/// Where the library's own records keep what. Thread-safe; the last word counts.
void describe(const slot_layout& layout) noexcept;
void describe(const coro_layout& layout) noexcept;
/// The table of control blocks: where it is and how much of it is in use.
void describe_coros(const void* table, std::size_t bytes) noexcept;

/// A free entry, or null when the table is full, which is counted. Its contents are zero, but for
/// the pool's id. The caller fills it in and calls `publish`. Thread-safe, like all below.
pool_entry* take_pool() noexcept;
slab_entry* take_slab() noexcept;
void publish(pool_entry& entry) noexcept;
void publish(slab_entry& entry) noexcept;
/// How many slots of a slab are opened.
void set_opened(slab_entry& entry, std::uint32_t slots) noexcept;
/// Copies a text that may be longer than its place: the end of a path tells more than its
/// beginning.
void write_end_of(std::span<char> place, std::string_view whole) noexcept;
/// Gives an entry back; null is fine.
void give(pool_entry* entry) noexcept;
void give(slab_entry* entry) noexcept;
std::uint32_t index_of(const pool_entry* entry) noexcept;
/// The pool is gone; it had at most `stacks` at a time. It is added to those that are gone and were
/// made at the same place with the same options. Returns the entry that they have, or null: when
/// there is none, when no stack was ever made, and when half of the table is of pools that are
/// gone.
pool_entry* close(pool_entry* entry, std::uint64_t stacks) noexcept;

/// What names a site, for as long as the call.
struct site_name {
  site_kind kind = site_kind::other;
  std::string_view where;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// An entry for a site of `pool` (null: of a pool that has no entry), open, with no uses. When the
/// table is full it is memory that no reader finds, which is counted. Null when there is no memory.
site_entry* take_site(const site_name& name, const pool_entry* pool, std::uint32_t index) noexcept;
/// The site's pool is gone, and `gone` is what `close` returned: what was recorded is added to what
/// those pools had for the same site.
void give(site_entry* entry, const pool_entry* gone = nullptr) noexcept;

}  // namespace bast::watch
