// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include "model/recording.hpp"

namespace bast_stacks {

int fuzz_recording(const std::uint8_t* data, std::size_t size) {
  const auto read = from_json({reinterpret_cast<const char*>(data), size}, "input");
  if (!read.has_value()) return 0;
  const std::string once = to_json(*read);
  const auto again = from_json(once, "input");
  if (!again.has_value() || to_json(*again) != once) __builtin_trap();
  return 0;
}

}  // namespace bast_stacks
