// SPDX-License-Identifier: Apache-2.0
//
// The memory_image: the data that a process sends through its socket, as parts of its memory, each
// at its own address, so that the code that reads processes can read it.
//
//   memory_image_header, then `count` times:
//   memory_image_part, its bytes, padding to a multiple of 8
#pragma once

#include <expected>
#include <memory>

#include "read/memory.hpp"

namespace bast_stacks {

inline constexpr std::uint64_t memory_image_magic = 0x5350'4143'5453'4142;  // "BASTCAPS"
inline constexpr std::uint32_t memory_image_version = 1;

struct memory_image_header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t count;
  std::uint64_t anchor;  // address
};
static_assert(sizeof(memory_image_header) == 24);

struct memory_image_part {
  std::uint64_t address;
  std::uint64_t bytes;
};
static_assert(sizeof(memory_image_part) == 16);

struct memory_image {
  std::uint64_t anchor = 0;
  std::unique_ptr<bast_stacks::memory> memory;
};

/// Errors: not a memory_image, another version, a part that reaches beyond the end.
std::expected<memory_image, problem> open_memory_image(std::shared_ptr<const source> bytes);

}  // namespace bast_stacks
