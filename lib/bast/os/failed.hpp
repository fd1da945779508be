// SPDX-License-Identifier: Apache-2.0
//
// What a function of this layer returns when a kernel call failed: `errno` as the error of a
// `result`, with the operation, the reason and a number that identifies the object or the size.
#pragma once

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <expected>

#include "bast/base.hpp"

namespace bast::os::internal {

/// Reads errno, so it comes directly after the failed call. `operation` and `detail` are literals.
inline std::unexpected<error> failed(const char* operation, const char* detail,
                                     std::integral auto value) noexcept {
  return std::unexpected(
      error::from_errno(errno, operation, detail, static_cast<std::int64_t>(value)));
}
inline std::unexpected<error> failed(const char* operation, const char* detail) noexcept {
  return failed(operation, detail, error::no_value);
}

}  // namespace bast::os::internal
