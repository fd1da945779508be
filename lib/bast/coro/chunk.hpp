// SPDX-License-Identifier: Apache-2.0
//
// The block table: all control blocks of the process. A handle is an index into it and a
// generation. The table is never unmapped and generations survive in it, so use of a handle after
// the end of its coroutine or pool is an error and never undefined behaviour (F-16).
//
// The table is reserved once (inaccessible, without cost) and opened from its low end. Pools take
// chunks of 64 blocks and return them when they end. The first block of a chunk is its head.
//
//   I1  The table never moves, and a chunk starts at a multiple of its size: the head of a block's
//       chunk is found by masking its address.
//   I2  A chunk has one pool at a time.
//   I3  A chunk never changes its kind. In a chunk of fibers a record of layer sched covers several
//       blocks, the first of which is its own. In the others the word at the place of the tag is
//       permanently 0, so that a reader of the table finds them free; a handle never leads to them.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::inline BAST_ABI::internal {

class pool_core;

inline constexpr std::size_t chunk_blocks = 64;
inline constexpr std::size_t chunk_bytes = chunk_blocks * sizeof(coro_block);
static_assert(is_power_of_two(chunk_bytes));  // I1
/// Maximum number of coroutines in the process; less where address space is limited.
inline constexpr std::size_t blocks_max = std::size_t{1} << 26;

enum class chunk_kind : std::uint8_t { coroutines, fibers };

/// The contents of a chunk's first block, which is no coroutine.
struct chunk {
  shared_word<pool_core*> owner;  // null in a chunk of fibers
  chunk* next;                    // in the list of its owner or of the table

  /// The blocks usable for coroutines are 1 .. chunk_blocks - 1.
  coro_block& block(std::size_t index) noexcept {
    return reinterpret_cast<coro_block*>(this)[index];
  }
  static chunk& of(const coro_block& block) noexcept {
    return *reinterpret_cast<chunk*>(reinterpret_cast<std::uintptr_t>(&block) & ~(chunk_bytes - 1));
  }
};
static_assert(sizeof(chunk) <= sizeof(coro_block));

/// The block of a default-constructed handle: permanently free, so that a lookup needs no check.
/// Aligned like a chunk, so that it is its own head, with no owner.
alignas(chunk_bytes) extern constinit coro_block never_valid;

/// Takes a chunk for `owner`. Its blocks keep their generations. Thread-safe. Errors: no_memory,
/// `limit`.
[[nodiscard]] result<chunk*> take_chunk(pool_core* owner,
                                        chunk_kind kind = chunk_kind::coroutines) noexcept;

/// Returns a chunk, whose blocks are all free or retired. Thread-safe; never fails.
void give_chunk(chunk& unused, chunk_kind kind = chunk_kind::coroutines) noexcept;

}  // namespace bast::inline BAST_ABI::internal
