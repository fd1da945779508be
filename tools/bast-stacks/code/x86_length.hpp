// SPDX-License-Identifier: Apache-2.0
//
// The lengths of instructions that capstone 4 does not know: AVX-512, newer AVX, shadow stacks,
// protection keys. They only need to be skipped: none moves the stack pointer or the program
// counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bast_stacks {

/// 0 if it is none of them.
std::size_t unknown_x86_length(std::span<const std::uint8_t> code);

}  // namespace bast_stacks
