// SPDX-License-Identifier: Apache-2.0
//
// A memory_image: memory of a process as a file, each piece with its address, so that a reader can
// use it like the process. Not a snapshot: the process runs while it is made. The sequence words of
// the registry are copied, too.
//
//   memory_image_header   pieces times: { memory_image_piece, bytes, up to 7 bytes of padding }
#pragma once

#include <cstdint>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::watch {

inline constexpr char memory_image_magic[8] = {'B', 'A', 'S', 'T', 'C', 'A', 'P', 'S'};
inline constexpr std::uint32_t memory_image_version = 1;

struct memory_image_header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t pieces;
  std::uint64_t anchor;  // address of the anchor, which is in one of the pieces
};
static_assert(sizeof(memory_image_header) == 24);

struct memory_image_piece {
  std::uint64_t address;
  std::uint64_t bytes;
};
static_assert(sizeof(memory_image_piece) == 16);

/// The registry, the slots and control blocks that it refers to, and the names of live stacks, in a
/// sealed file. Memory that is unmapped meanwhile is left out. Thread-safe. Errors: bad_state
/// (there is no registry yet), `limit`, no_memory.
[[nodiscard]] result<os::descriptor> make_memory_image() noexcept;

}  // namespace bast::watch
