// SPDX-License-Identifier: Apache-2.0
//
// The stage that a start reached. Separate from the other options, because the child's half of a
// start includes nothing else of bast.
#pragma once

#include <bast/config.hpp>
#include <cstdint>

namespace bast::inline BAST_ABI {

/// Up to `fork` this process failed, after it the child. A new value goes to the end, and needs its
/// words in `name_of` (command.cpp) and `words_of` (spawn.cpp).
enum class spawn_stage : std::uint8_t {
  none,          // it did not fail
  prepare,       // an option, or memory for the arguments and the environment
  fork,          // creating the process
  descriptors,   // files, pipes, and moving them to their numbers
  group,         // process group or session
  limits,        // resource limits
  ids,           // user, group, supplementary groups
  parent_death,  // the signal for the parent's death
  chdir,         // the working directory
  exec,          // finding and executing the program
  terminal,      // the controlling terminal, or its foreground group
};

}  // namespace bast::inline BAST_ABI
