// SPDX-License-Identifier: Apache-2.0
//
// `slab`: one reservation cut into equal slots, and a separate mapping with their records.
//
//   base                                                       base + opened slots       end
//   | guard | can grow | window | guard | can grow | window | ...   | not opened: inaccessible |
//   '------- slot 0 ------------'------- slot 1 ------------'
//
//   I1  No unguarded slot is ever accessible: markers are installed while the slots are still
//       inaccessible, and only then are the slots opened.
//   I2  Slots are opened in order, in batches. Memory above the last opened one is inaccessible, so
//       every top has a guard above it: the next slot's, the unopened rest, or the slab's end
//       margin.
//   I3  [frontier, top) of an opened slot is accessible, [low, frontier) is not. No holes.
//   I4  Open bytes are charged to the budgets of the pool and the process before they are opened,
//       and refunded after they are closed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/stack/budget.hpp"
#include "bast/stack/geometry.hpp"
#include "bast/stack/slot.hpp"
#include "bast/watch.hpp"

namespace bast::inline BAST_ABI {

class site_table;

/// The stack that may grow when the calling thread faults with its stack pointer in `at`: `at`
/// itself, another stack that runs on the thread, or null if none of `user` does. Provided by the
/// layer that runs code on stacks; `user` is its value for the thread. Async-signal-safe, reads no
/// thread-local.
using running_stack = slot* (*)(std::uint64_t user, slot& at) noexcept;

/// The state that the slabs of one pool share. Outlives them.
struct slab_owner {
  stack_budget budget{unlimited_bytes};
  const site_table* sites = nullptr;   // to name spawn sites in reports
  watch::pool_entry* entry = nullptr;  // in the registry, or null
  // The users of the stacks. If null, every live stack may grow, on any thread.
  running_stack running = nullptr;
  std::atomic<std::uint64_t> user{0};
};

/// At the start of its record mapping, followed by its slots at a distance: a pool's hot words, its
/// control blocks and its first slots must not share the low twelve bits of their addresses, by
/// which processors match loads to earlier stores (bench: create).
struct slab {
  static constexpr std::size_t slots_offset = 0x500;

  stack_geometry geometry;
  stack_tier tier = stack_tier::automatic;  // guard_markers or protection
  std::uint32_t capacity = 0;               // slots
  std::uint32_t opened = 0;                 // slots, from the low end
  bool sealed = false;                      // the kernel refuses to open more slots
  std::byte* base = nullptr;
  std::size_t reserved = 0;  // bytes from base, a multiple of directory_granule
  std::size_t recorded = 0;  // bytes of this mapping
  slab_owner* owner = nullptr;
  slab* next = nullptr;                // in the pool
  watch::slab_entry* entry = nullptr;  // in the registry, or null

  slot* slots() noexcept {
    return reinterpret_cast<slot*>(reinterpret_cast<std::byte*>(this) + slots_offset);
  }

  /// The slab of a slot.
  static slab& of(slot& s) noexcept {
    return *reinterpret_cast<slab*>(reinterpret_cast<std::byte*>(&s - s.index) - slots_offset);
  }

  std::byte* low(const slot& s) const noexcept { return base + s.index * geometry.stride; }
  /// The slot's upper end; `slot::top` is below it by the colour.
  std::byte* high(const slot& s) const noexcept { return low(s) + geometry.stride; }
  std::byte* open_low(const slot& s) const noexcept {
    return low(s) + s.frontier.load(std::memory_order_relaxed) * geometry.page;
  }
  std::size_t open_bytes(const slot& s) const noexcept {
    return static_cast<std::size_t>(high(s) - open_low(s));
  }
  /// The slot that holds `address`, which is inside the opened part, or null.
  slot* slot_at(std::uintptr_t address) noexcept;

  /// Reserves a slab of about `slots_wanted` slots, fewer if address space is short. Errors:
  /// no_memory, `limit` (not even one slot fits), unsupported.
  [[nodiscard]] static result<slab*> create(const stack_geometry& geometry, stack_tier tier,
                                            bool tier_is_demanded, std::size_t slots_wanted,
                                            slab_owner& owner) noexcept;
  /// Refunds, removes from the directory and unmaps. No slot may be in use. Never fails.
  static void destroy(slab* dead) noexcept;

  bool full() const noexcept { return sealed || opened == capacity; }
  /// Opens the next slots, at least one and at most `most`, as idle. Returns their number. Errors:
  /// `limit` (budget), no_memory.
  [[nodiscard]] result<std::size_t> open_batch(std::size_t most) noexcept;

  /// Opens `s` from `new_low` (a page boundary above the guard) up, if it is not open yet. Charges
  /// the budgets. May run on `s` itself, and be interrupted by the fault handler that opens more of
  /// it. Async-signal-safe.
  enum class outcome : std::uint8_t { opened, over_pool_budget, over_process_budget, refused };
  [[nodiscard]] outcome open_down_to(slot& s, std::byte* new_low) noexcept;

  /// Closes the part below `new_low` and releases its memory: trims a stack, or, with the slot's
  /// high end, seals it. False if the kernel refuses: the slot then stays open and charged, but its
  /// content may be lost.
  bool close_below(slot& s, std::byte* new_low) noexcept;

  /// Verifies I1 .. I4 as far as the records allow. For tests and fuzzers.
  void check_invariants() noexcept;

 private:
  void enter_registry() noexcept;
  result<std::size_t> charge_batch(std::size_t count) noexcept;
  result<std::size_t> open_marked(std::byte* start, std::size_t count) noexcept;
  result<std::size_t> open_protected(std::byte* start, std::size_t count) const noexcept;
};

static_assert(sizeof(slab) <= slab::slots_offset);
static_assert(slab::slots_offset % alignof(slot) == 0);

}  // namespace bast::inline BAST_ABI
