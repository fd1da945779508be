// SPDX-License-Identifier: Apache-2.0
//
// The registry: one table of control blocks for the process. A handle is an index into it and a
// generation, so that using one after the death of its coroutine, or of its pool, is an error and
// never undefined behaviour (F-16): the table is never unmapped, and generations survive in it.
//
// The table is reserved once (inaccessible, costs nothing) and opened from its low end. Pools take
// chunks of 64 blocks and give them back when they die. The first block of a chunk is its head.
//
//   I1  The table never moves. Block 0 is a chunk's head: index 0 is never a valid handle.
//   I2  A chunk has one pool at a time.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::internal {

inline constexpr std::uint32_t chunk_blocks = 64;
/// Coroutines of the process at one time; less where address space is limited.
inline constexpr std::uint32_t registry_blocks_max = std::uint32_t{1} << 26;

/// What the first block of a chunk holds instead of a coroutine.
struct chunk_head {
  pool_core* owner;
  std::uint32_t next;  // in the owner's or the registry's list
};
static_assert(sizeof(chunk_head) <= sizeof(coro_block));

/// The table. Points at a block that is never valid until the first chunk is taken, so that looking
/// up a default-constructed handle needs no check.
extern coro_block* registry_table;

inline coro_block& block_at(std::uint32_t index) noexcept { return registry_table[index]; }
inline std::uint32_t index_of(const coro_block& block) noexcept {
  return static_cast<std::uint32_t>(&block - registry_table);
}
inline chunk_head& head_of_chunk(std::uint32_t index) noexcept {
  return *reinterpret_cast<chunk_head*>(&block_at(index & ~(chunk_blocks - 1)));
}

/// Takes a chunk for `owner`: the index of its head. Its blocks keep their generations.
/// Thread-safe. Errors: no_memory, `limit`.
[[nodiscard]] result<std::uint32_t> take_chunk(pool_core* owner) noexcept;

/// Gives a chunk back. All its blocks are free or retired. Thread-safe; never fails.
void give_chunk(std::uint32_t head) noexcept;

}  // namespace bast::internal
