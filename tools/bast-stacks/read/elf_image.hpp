// SPDX-License-Identifier: Apache-2.0
//
// `elf_image`: what the reader wants of an ELF file that is mapped into a target: where it was
// loaded, its build id, and whether it holds bast, which an ELF note says (see watch/abi.hpp). It
// is read from the target's memory; what is absent there, as in a core file without file pages, is
// read from the file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "read/memory.hpp"

namespace bast_stacks {

struct elf_image {
  bool is_64_bit = true;  // when false nothing else is known
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

/// Nothing when there is no ELF file.
std::optional<elf_image> read_elf_image(const elf_place& place);

}  // namespace bast_stacks
