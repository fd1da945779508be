// SPDX-License-Identifier: Apache-2.0
//
// The fuzz target for recordings.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Reads one input; if it is a recording, it must survive a round trip. Returns 0.
int fuzz_recording(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
