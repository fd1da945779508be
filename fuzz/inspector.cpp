// SPDX-License-Identifier: Apache-2.0
//
// The libFuzzer entry for inputs of bast-stacks: BAST_FUZZ_FUNCTION of BAST_FUZZ_HEADER. An input
// is the bytes of an untrusted file.
#include BAST_FUZZ_HEADER

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return bast_stacks::BAST_FUZZ_FUNCTION(data, size);
}
