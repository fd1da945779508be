// SPDX-License-Identifier: Apache-2.0
//
// `extent`: a half-open range of addresses or offsets, and the arithmetic that numbers from a
// target need: it never wraps around.
#pragma once

#include <cstdint>
#include <optional>

namespace bast_stacks {

/// The smallest page of a machine that the library runs on, and a part of all larger ones.
inline constexpr std::uint64_t smallest_page = 4096;

struct extent {
  std::uint64_t low = 0;
  std::uint64_t high = 0;  // behind the last

  std::uint64_t bytes() const noexcept { return high - low; }
  bool holds(std::uint64_t address) const noexcept { return low <= address && address < high; }
};

/// a + b, a * b: nothing when the result does not fit.
inline std::optional<std::uint64_t> sum(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}
inline std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

}  // namespace bast_stacks
