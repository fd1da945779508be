// SPDX-License-Identifier: Apache-2.0
//
// Text that compilers and people write: the first byte chooses .su, .ci or annotations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Ends the process when something is out of order. Always 0.
int fuzz_su_ci(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
