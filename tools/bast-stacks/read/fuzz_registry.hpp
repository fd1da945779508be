// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer entries of the reader. Whatever the bytes, there is a snapshot or a clear error.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// A capsule, read as what a process sends.
int fuzz_registry(const std::uint8_t* data, std::size_t size);

/// A core file.
int fuzz_core(const std::uint8_t* data, std::size_t size);

/// What every reporter relies on, whatever the bytes were; these two require it.
void require_sound(const snapshot& seen);

}  // namespace bast_stacks
