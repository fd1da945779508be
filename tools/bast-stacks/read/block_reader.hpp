// SPDX-License-Identifier: Apache-2.0
//
// Control blocks and names: the coroutines on the live stacks.
#pragma once

#include <span>
#include <vector>

#include "read/slot_reader.hpp"

namespace bast_stacks {

/// Fills sp, pc, fp, coro, state and parked of the live stacks from their control blocks.
/// `places[i]` belongs to `stacks[i]`. Returns the number of unreadable blocks.
std::uint64_t read_blocks(memory& target, const registry& all, std::span<live_stack> stacks,
                          std::span<const slot_place> places);

/// Fills the names, each cut at 64 bytes; a name that cannot be read stays empty.
void read_names(memory& target, std::span<live_stack> stacks, std::span<const slot_place> places);

}  // namespace bast_stacks
