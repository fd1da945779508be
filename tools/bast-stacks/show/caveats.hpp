// SPDX-License-Identifier: Apache-2.0
//
// What a report must say against itself.
#pragma once

#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Why the depths of this build are not those of a release; empty when they are.
std::string build_reservation(const snapshot& of);

/// What was not seen, and what was seen but means less than it seems, a sentence each: what the
/// reader found missing, uncommon builds, sites with few uses, live stacks of unknown depth.
std::vector<std::string> reservations(const snapshot& of);

}  // namespace bast_stacks
