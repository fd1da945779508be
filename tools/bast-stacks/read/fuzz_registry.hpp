// SPDX-License-Identifier: Apache-2.0
//
// The fuzz targets of the reader. Any bytes give a snapshot or a clear error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// A memory_image, as a process sends it.
int fuzz_registry(const std::uint8_t* data, std::size_t size);

/// A core file.
int fuzz_core(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
