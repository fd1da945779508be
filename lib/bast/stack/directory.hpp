// SPDX-License-Identifier: Apache-2.0
//
// The directory: maps any address to the slab that holds it, in two loads, whatever the number of
// slabs. The only data structure of the fault handler: lock-free to read, never freed.
//
//   address bits 47..34 -> leaf (one per 16 GiB, 64 KiB of mostly untouched memory each)
//                33..21 -> slab (one entry per 2 MiB; slabs are aligned to that and fill it)
#pragma once

#include <cstddef>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI {

struct slab;

/// Slabs start at a multiple of this and have a multiple of this size.
inline constexpr std::size_t directory_granule = std::size_t{2} << 20;

/// Enters `owner` for [base, base + size). Thread-safe. Errors: no_memory, and nothing is entered.
[[nodiscard]] result<void> directory_enter(const std::byte* base, std::size_t size,
                                           slab* owner) noexcept;

/// Undoes directory_enter. Never fails.
void directory_remove(const std::byte* base, std::size_t size) noexcept;

/// The slab that holds `address`, or null. Async-signal-safe. The result is valid only while the
/// slab exists: pass an address that the caller uses, such as its own stack pointer.
slab* directory_find(std::uintptr_t address) noexcept;

}  // namespace bast::inline BAST_ABI
