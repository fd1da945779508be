// SPDX-License-Identifier: Apache-2.0
//
// `elf_image`: the reader's facts about an ELF file that is mapped into a target: where it was
// loaded, its build id, and whether it holds bast, which an ELF note marks (see watch/abi.hpp).
// Read from the target's memory; parts that are absent there, as in a core file without file pages,
// are read from the file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks {

struct elf_image {
  bool is_64_bit = true;  // if false, nothing else is known
  std::uint64_t bias = 0;
  std::string build_id;                // hex, or empty
  std::vector<std::uint64_t> anchors;  // addresses
};

/// Where to look. Either may be null.
struct elf_place {
  memory* mapped = nullptr;
  const source* file = nullptr;
  std::uint64_t base = 0;  // the address of the file's first byte
};

/// Empty if it is not an ELF file.
std::optional<elf_image> read_elf_image(const elf_place& place);

}  // namespace bast_stacks
