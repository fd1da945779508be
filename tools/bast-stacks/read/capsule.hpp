// SPDX-License-Identifier: Apache-2.0
//
// The capsule: what a process tells of itself through its socket, as parts of its memory, each at
// its own address, so that the same code reads it as reads the process.
//
//   capsule_header, then `count` times: capsule_part, its bytes, padding to a multiple of 8
#pragma once

#include <expected>
#include <memory>

#include "read/memory.hpp"

namespace bast_stacks {

inline constexpr std::uint64_t capsule_magic = 0x5350'4143'5453'4142;  // "BASTCAPS"
inline constexpr std::uint32_t capsule_version = 1;

struct capsule_header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t count;
  std::uint64_t anchor;  // address
};
static_assert(sizeof(capsule_header) == 24);

struct capsule_part {
  std::uint64_t address;
  std::uint64_t bytes;
};
static_assert(sizeof(capsule_part) == 16);

struct capsule {
  std::uint64_t anchor = 0;
  std::unique_ptr<bast_stacks::memory> memory;
};

/// Errors: no capsule, another version, a part that reaches beyond the end.
std::expected<capsule, problem> open_capsule(std::shared_ptr<const source> bytes);

}  // namespace bast_stacks
