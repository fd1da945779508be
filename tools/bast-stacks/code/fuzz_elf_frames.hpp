// SPDX-License-Identifier: Apache-2.0
//
// An ELF file made of any bytes: sections, symbols, relocations, unwind tables, instructions. What
// comes out must be in order, whatever went in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Ends the process when something is out of order. Always 0.
int fuzz_elf_frames(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
