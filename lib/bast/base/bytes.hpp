// SPDX-License-Identifier: Apache-2.0
//
// `bytes`: a size with its unit. Every option and limit of the public interface that counts bytes
// has this type, so that pages, words and bytes cannot be confused.
//
//   using namespace bast::literals;
//   bast::stack_options options{.limit = 192_KiB, .guard = 64_KiB};
#pragma once

#include <bast/config.hpp>
#include <compare>
#include <cstddef>
#include <limits>

namespace bast::inline BAST_ABI {

/// A number of bytes. A value type. Arithmetic wraps like std::size_t, so sizes from user code are
/// bounded before they are added (stack_geometry::make).
struct bytes {
  std::size_t count = 0;

  friend constexpr auto operator<=>(bytes, bytes) = default;
  friend constexpr bytes operator+(bytes a, bytes b) { return {a.count + b.count}; }
  friend constexpr bytes operator-(bytes a, bytes b) { return {a.count - b.count}; }
  friend constexpr bytes operator*(std::size_t n, bytes a) { return {n * a.count}; }
};

/// The largest count: "no limit" wherever an option takes a limit in bytes.
inline constexpr bytes unlimited_bytes{std::numeric_limits<std::size_t>::max()};

inline namespace literals {
constexpr bytes operator""_B(unsigned long long n) { return {static_cast<std::size_t>(n)}; }
constexpr bytes operator""_KiB(unsigned long long n) { return {static_cast<std::size_t>(n) << 10}; }
constexpr bytes operator""_MiB(unsigned long long n) { return {static_cast<std::size_t>(n) << 20}; }
constexpr bytes operator""_GiB(unsigned long long n) { return {static_cast<std::size_t>(n) << 30}; }
}  // namespace literals

namespace internal {

constexpr bool is_power_of_two(std::size_t n) { return n != 0 && (n & (n - 1)) == 0; }

/// Rounds to a multiple of `unit`, a power of two. Requires that `n + unit` does not wrap.
constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) & ~(unit - 1);
}
constexpr std::size_t round_down(std::size_t n, std::size_t unit) { return n & ~(unit - 1); }

}  // namespace internal
}  // namespace bast::inline BAST_ABI
