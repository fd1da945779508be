// SPDX-License-Identifier: Apache-2.0
//
// The fuzz target of the drawings: every recording can be drawn.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Draws a recording in every way. Aborts if a drawing violates its format.
int fuzz_draw(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
