// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

namespace bast_stacks {

/// What a fuzzer's target checks: a crash is what libFuzzer and the replay report.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace bast_stacks
