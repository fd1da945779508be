// SPDX-License-Identifier: Apache-2.0
//
// Text of compilers and people: the first byte selects .su, .ci or annotations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Ends the process if a result is inconsistent. Always 0.
int fuzz_su_ci(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
