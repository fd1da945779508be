// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

namespace bast_stacks {

/// A check of a fuzz target: it crashes, which libFuzzer and the replay report.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace bast_stacks
