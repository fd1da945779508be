// SPDX-License-Identifier: Apache-2.0
//
// Control blocks and names: what runs on the live stacks.
#pragma once

#include <span>
#include <vector>

#include "read/slot_reader.hpp"

namespace bast_stacks {

/// Fills sp, pc, fp, coro, state and parked of the live stacks whose control block says so.
/// `places[i]` belongs to `stacks[i]`. Returns how many blocks could not be read.
std::uint64_t read_blocks(memory& target, const registry& all, std::span<live_stack> stacks,
                          std::span<const slot_place> places);

/// Fills the names. Each is cut at 64 bytes; a name that is not there stays empty.
void read_names(memory& target, std::span<live_stack> stacks, std::span<const slot_place> places);

}  // namespace bast_stacks
