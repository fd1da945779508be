// SPDX-License-Identifier: Apache-2.0
//
// Depths of live stacks, from their memory: a fresh page is zero and a stack is used from its top
// down, so it was used at least to its lowest nonzero byte and at most to its lowest present page.
// Only present pages are read: reading another would make it resident and destroy the evidence.
#pragma once

#include <span>
#include <vector>

#include "read/slot_reader.hpp"

namespace bast_stacks {

struct depth_losses {
  std::uint64_t unknown = 0;        // stacks whose resident pages are not known
  std::uint64_t unreadable = 0;     // stacks that could not be read
  std::uint64_t missing = 0;        // suspended stacks whose used pages are absent
  std::uint64_t swapped_pages = 0;  // that were read in from swap
};

/// Fills depth, depth_at_most, resident and scanned of the stacks. A suspended stack is at least as
/// deep as its stack pointer, even if nothing of it can be read.
depth_losses scan_depths(memory& target, std::span<live_stack> stacks,
                         std::span<const slot_place> places);

}  // namespace bast_stacks
