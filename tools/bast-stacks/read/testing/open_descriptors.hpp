// SPDX-License-Identifier: Apache-2.0
//
// The number of descriptors of this process, for leak tests.
#pragma once

#include <filesystem>
#include <iterator>

namespace bast_stacks::testing {

inline long open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

}  // namespace bast_stacks::testing
