// SPDX-License-Identifier: Apache-2.0
//
// `extent`: a half-open range of addresses or offsets, and overflow-safe arithmetic for numbers
// from a target.
#pragma once

#include <cstdint>
#include <optional>

namespace bast_stacks {

/// The smallest page size of a supported machine; it divides all larger ones.
inline constexpr std::uint64_t smallest_page = 4096;

struct extent {
  std::uint64_t low = 0;
  std::uint64_t high = 0;  // past the end

  std::uint64_t bytes() const noexcept { return high - low; }
  bool holds(std::uint64_t address) const noexcept { return low <= address && address < high; }
};

/// a + b, a * b: empty if the result does not fit.
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
