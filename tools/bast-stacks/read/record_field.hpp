// SPDX-License-Identifier: Apache-2.0
//
// `field`: a number in a copied record of the target, at an offset from the registry's header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bast_stacks {

/// `record` has at least `offset` and sizeof(T) bytes: the reader of the header checked that.
template <class T>
T field(const std::byte* record, std::uint16_t offset) {
  T value{};
  std::memcpy(&value, record + offset, sizeof value);
  return value;
}

}  // namespace bast_stacks
