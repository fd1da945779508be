// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer entries of the reader. Whatever the bytes, there is a snapshot or a clear error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// A memory_image, read as what a process sends.
int fuzz_registry(const std::uint8_t* data, std::size_t size);

/// A core file.
int fuzz_core(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
