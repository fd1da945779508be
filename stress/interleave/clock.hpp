// SPDX-License-Identifier: Apache-2.0
//
// `clock`: a vector clock: how far in each thread's past a thread, or a value that it published,
// has seen. It decides happens-before. Lamport 1978; Fidge and Mattern 1988.
#pragma once

#include <algorithm>
#include <cstdint>

namespace bast::interleave {

/// The test itself, which is thread 0, and up to eight that it spawns.
inline constexpr unsigned threads_max = 9;

namespace internal {

struct clock {
  std::uint32_t at[threads_max] = {};
  // The seq_cst fences of the schedule up to the last one that happens before.
  std::uint32_t fences = 0;

  bool operator==(const clock&) const = default;
  void join(const clock& other) noexcept {
    for (unsigned i = 0; i < threads_max; ++i) at[i] = std::max(at[i], other.at[i]);
    fences = std::max(fences, other.fences);
  }
};

}  // namespace internal
}  // namespace bast::interleave
