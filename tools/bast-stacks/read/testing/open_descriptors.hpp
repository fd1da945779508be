// SPDX-License-Identifier: Apache-2.0
//
// How many descriptors this process has, for tests of what must not lose one.
#pragma once

#include <filesystem>
#include <iterator>

namespace bast_stacks::testing {

inline long open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

}  // namespace bast_stacks::testing
