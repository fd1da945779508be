// SPDX-License-Identifier: Apache-2.0
//
// Slots, the library's records of single stacks: which are live, and which uses are not measured
// yet.
#pragma once

#include <vector>

#include "read/registry.hpp"
#include "read/site_index.hpp"

namespace bast_stacks {

/// The data of a live stack that only the reader needs; the rest is in snapshot::stacks, at the
/// same index less the first of this registry.
struct slot_place {
  std::uint64_t record = 0;  // address
  extent slot;               // with its guard
  std::uint64_t name = 0;    // address, or 0
  bool poisoned = false;     // its pool fills released stacks with `poison_byte`
  std::uint64_t use = 0;     // mostly distinguishes one use of the slot from the next
};

struct slot_losses {
  std::uint64_t unread = 0;     // slots with absent records
  std::uint64_t damaged = 0;    // inconsistent records, or torn by a write
  std::uint64_t not_kept = 0;   // live stacks beyond stacks_max
  std::uint64_t bad_slabs = 0;  // slabs with impossible numbers
};

/// Records of slots and of blocks are read in chunks of about this size.
inline constexpr std::size_t chunk_bytes = 1 << 20;

/// Live stacks of a snapshot, at most.
inline constexpr std::size_t stacks_max = std::size_t{1} << 22;

/// Forgets the depths of stacks that went to another use during the scan: the process runs on, and
/// the bytes may be those of another use. Returns their number.
std::uint64_t forget_reused(memory& target, const bast::watch::slot_layout& layout,
                            std::span<live_stack> stacks, std::span<const slot_place> places);

/// Reads all slots of a registry. Adds to snapshot::stacks, to the sites' live, held and pending
/// uses, and to the pools' numbers; `first_pool` is the start of this registry's pools in
/// snapshot::pools, which are in the order of registry::pools.
slot_losses read_slots(memory& target, const registry& all, std::size_t first_pool, snapshot& into,
                       site_index& sites, std::vector<slot_place>& places);

}  // namespace bast_stacks
