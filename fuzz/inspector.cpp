// SPDX-License-Identifier: Apache-2.0
//
// The libFuzzer entry of one of the inspector's targets, BAST_FUZZ_FUNCTION.
#include "inspector/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return bast_stacks::BAST_FUZZ_FUNCTION(data, size);
}
