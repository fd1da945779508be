// SPDX-License-Identifier: Apache-2.0
//
// The result of a failed system call in this layer: `errno` as the error of a `result`, with the
// operation, the reason and a number that identifies the object or the size.
#pragma once

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <expected>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os::internal {

/// Reads errno, so it comes directly after the failed call.
inline std::unexpected<error> failed(static_string operation, static_string detail,
                                     std::integral auto value,
                                     errc of_eagain = errc::would_block) noexcept {
  return std::unexpected(
      error::from_errno(errno, operation, detail, static_cast<std::int64_t>(value), of_eagain));
}
inline std::unexpected<error> failed(static_string operation, static_string detail) noexcept {
  return failed(operation, detail, error::no_value);
}

}  // namespace bast::inline BAST_ABI::os::internal
