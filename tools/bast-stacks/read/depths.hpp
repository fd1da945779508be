// SPDX-License-Identifier: Apache-2.0
//
// How deep live stacks are, from their memory: a fresh page is zero and a stack is used from its
// top down, so the lowest byte that is not zero is how far it was used at least, and the lowest
// page that is there how far at most. Only pages that are there are read: to read another would
// make it resident and destroy what is to be seen.
#pragma once

#include <span>
#include <vector>

#include "read/slot_reader.hpp"

namespace bast_stacks {

struct depth_losses {
  std::uint64_t unknown = 0;        // stacks whose resident pages cannot be known
  std::uint64_t unreadable = 0;     // stacks that could not be read
  std::uint64_t missing = 0;        // suspended ones, the pages in use of which are not there
  std::uint64_t swapped_pages = 0;  // that were read in from swap
};

/// Fills depth, depth_at_most, resident and scanned of the stacks. A suspended stack is at least as
/// deep as its stack pointer, whatever of it can be read.
depth_losses scan_depths(memory& target, std::span<live_stack> stacks,
                         std::span<const slot_place> places);

}  // namespace bast_stacks
