// SPDX-License-Identifier: Apache-2.0
//
// The registry: one table of control blocks for the process. A handle is a place in it and a
// generation, so that using one after the death of its coroutine, or of its pool, is an error and
// never undefined behaviour (F-16): the table is never unmapped, and generations survive in it.
//
// The table is reserved once (inaccessible, costs nothing) and opened from its low end. Pools take
// chunks of 64 blocks and give them back when they die. The first block of a chunk is its head.
//
//   I1  The table never moves, and a chunk starts at a multiple of its size: the head of a block's
//       chunk is found by masking its address.
//   I2  A chunk has one pool at a time.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::internal {

class pool_core;

inline constexpr std::size_t chunk_blocks = 64;
inline constexpr std::size_t chunk_bytes = chunk_blocks * sizeof(coro_block);
static_assert(is_power_of_two(chunk_bytes));  // I1
/// Coroutines of the process at one time; less where address space is limited.
inline constexpr std::size_t registry_blocks_max = std::size_t{1} << 26;

/// What the first block of a chunk holds instead of a coroutine.
struct chunk {
  shared_word<pool_core*> owner;
  chunk* next;  // in the owner's or the registry's list

  /// The blocks that can be coroutines are 1 .. chunk_blocks - 1.
  coro_block& block(std::size_t index) noexcept {
    return reinterpret_cast<coro_block*>(this)[index];
  }
  static chunk& of(const coro_block& block) noexcept {
    return *reinterpret_cast<chunk*>(reinterpret_cast<std::uintptr_t>(&block) & ~(chunk_bytes - 1));
  }
};
static_assert(sizeof(chunk) <= sizeof(coro_block));

/// What a default-constructed handle refers to: free for ever, so that looking it up needs no
/// check. Aligned like a chunk, so that it is its own head, with no owner.
alignas(chunk_bytes) extern constinit coro_block never_valid;

/// Takes a chunk for `owner`. Its blocks keep their generations. Thread-safe.
/// Errors: no_memory, `limit`.
[[nodiscard]] result<chunk*> take_chunk(pool_core* owner) noexcept;

/// Gives a chunk back. All its blocks are free or retired. Thread-safe; never fails.
void give_chunk(chunk& unused) noexcept;

}  // namespace bast::internal
