// SPDX-License-Identifier: Apache-2.0
//
// The procedure linkage table: stubs that jump to what the dynamic linker wrote into a slot.
#pragma once

#include <cstdint>
#include <optional>

#include "code/code_file.hpp"

namespace bast_stacks {

/// The address of the slot that the stub at `address` jumps through; nothing when it is no stub.
std::optional<std::uint64_t> plt_slot(code_file& file, std::uint64_t address);

}  // namespace bast_stacks
