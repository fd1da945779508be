// SPDX-License-Identifier: Apache-2.0
//
// An ELF file of arbitrary bytes: sections, symbols, relocations, unwind tables, instructions. The
// results must be consistent for any input.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Ends the process if a result is inconsistent. Always 0.
int fuzz_elf_frames(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
