// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/mark.hpp"

#include <cstdint>
#include <cstring>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {
namespace {

constexpr std::size_t block_bytes = 64;

// For functions that read the memory of another flow, possibly still in use, where sanitizers would
// report the access.
#if defined(__clang__)
#define BAST_READS_FRAMES clang::no_sanitize("address", "memory", "thread")
#else
#define BAST_READS_FRAMES gnu::no_sanitize_address
#endif

[[gnu::always_inline, BAST_READS_FRAMES]] inline bool block_is_zero(
    const std::byte* block) noexcept {
  using vector [[gnu::vector_size(16)]] = std::uint64_t;  // available on both CPUs in every build
  vector parts[block_bytes / sizeof(vector)];
  __builtin_memcpy(parts, block, sizeof parts);
  vector any = parts[0];
  for (std::size_t i = 1; i < block_bytes / sizeof(vector); ++i) any |= parts[i];
  return (any[0] | any[1]) == 0;
}

}  // namespace

[[BAST_READS_FRAMES]] const std::byte* first_nonzero(const std::byte* low,
                                                     const std::byte* high) noexcept {
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(low) % block_bytes == 0);
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(high) % block_bytes == 0);
  while (low != high && block_is_zero(low)) low += block_bytes;
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

}  // namespace bast::inline BAST_ABI
