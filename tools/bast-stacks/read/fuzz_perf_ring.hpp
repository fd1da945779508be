// SPDX-License-Identifier: Apache-2.0
//
// The fuzz target of the parser of perf's rings. Any bytes give page faults or a clear error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bast_stacks {

/// Two counters of 8 bytes, tail and head, followed by the ring, cut to a power of two.
int fuzz_perf_ring(const std::uint8_t* data, std::size_t size);

}  // namespace bast_stacks
