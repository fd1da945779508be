// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer entry of the drawings: every recording can be drawn.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// A recording, drawn in every way. Aborts when a drawing is not what its format demands.
int fuzz_draw(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
