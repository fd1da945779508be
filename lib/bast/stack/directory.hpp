// SPDX-License-Identifier: Apache-2.0
//
// The directory: from any address to the slab that holds it, in two loads, whatever the number of
// slabs. The fault handler's only data structure: lock-free to read, never freed.
//
//   address bits 47..34 -> leaf (one per 16 GiB, 64 KiB of mostly untouched memory each)
//                33..21 -> slab (one entry per 2 MiB; slabs are aligned to that and fill it)
#pragma once

#include <cstddef>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

struct slab;

/// Slabs start at a multiple of this and their size is one.
inline constexpr std::size_t directory_granule = std::size_t{2} << 20;

/// Enters `owner` for [base, base + size). Thread-safe. Errors: no_memory; then nothing was
/// entered.
[[nodiscard]] result<void> directory_enter(const std::byte* base, std::size_t size,
                                           slab* owner) noexcept;

/// Removes what directory_enter entered. Never fails.
void directory_remove(const std::byte* base, std::size_t size) noexcept;

/// The slab that holds `address`, or null. Async-signal-safe. The answer stays valid only while the
/// slab does: ask for an address that is in use by the asker, such as its own stack pointer.
slab* directory_find(std::uintptr_t address) noexcept;

}  // namespace bast::inline BAST_ABI
