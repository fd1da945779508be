// SPDX-License-Identifier: Apache-2.0
//
// The procedure linkage table: stubs that jump through a slot filled by the dynamic linker.
#pragma once

#include <cstdint>
#include <optional>

#include "code/code_file.hpp"

namespace bast_stacks {

/// The address of the slot that the stub at `address` jumps through; empty if it is not a stub.
std::optional<std::uint64_t> plt_slot(code_file& file, std::uint64_t address);

}  // namespace bast_stacks
