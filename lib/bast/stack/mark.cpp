// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/mark.hpp"

#include <cstdint>
#include <cstring>

#include "bast/os.hpp"

namespace bast {
namespace {

constexpr std::size_t line_bytes = 64;

/// Reads a line of another flow's memory: the sanitizers have their own opinion of what lies there.
#if defined(__clang__)
[[gnu::always_inline, clang::no_sanitize("address", "memory", "thread")]]
#else
[[gnu::always_inline]]
#endif
inline bool line_is_zero(const std::byte* line) noexcept {
  std::uint64_t words[line_bytes / sizeof(std::uint64_t)];
  __builtin_memcpy(words, line, sizeof words);
  std::uint64_t any = 0;
  for (const std::uint64_t word : words) any |= word;
  return any == 0;
}

}  // namespace

const std::byte* first_nonzero(const std::byte* low, const std::byte* high) noexcept {
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(low) % line_bytes == 0);
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(high) % line_bytes == 0);
  while (low != high && line_is_zero(low)) low += line_bytes;
  if (low == high) return high;
  while (*low == std::byte{0}) ++low;
  return low;
}

const std::byte* first_resident(const std::byte* low, const std::byte* high) noexcept {
  const std::size_t page = os::page_bytes();
  unsigned char resident[256];
  while (low < high) {
    std::size_t count = (static_cast<std::size_t>(high - low) + page - 1) / page;
    if (count > sizeof resident) count = sizeof resident;
    if (!os::residency(low, {resident, count})) return low;
    for (std::size_t i = 0; i < count; ++i) {
      if ((resident[i] & 1) != 0) return low + i * page;
    }
    low += count * page;
  }
  return high;
}

}  // namespace bast
