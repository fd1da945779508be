// SPDX-License-Identifier: Apache-2.0
//
// The reservations of a report.
#pragma once

#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Why the depths of this build are not those of a release; empty if they are.
std::string build_reservation(const snapshot& of);

/// What was not seen, and what means less than it seems, a sentence each: data that the reader
/// missed, uncommon builds, sites with few uses, live stacks of unknown depth.
std::vector<std::string> reservations(const snapshot& of);

}  // namespace bast_stacks
