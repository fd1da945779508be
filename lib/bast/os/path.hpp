// SPDX-License-Identifier: Apache-2.0
//
// Questions about paths. Thread-safe; nothing here allocates.
#pragma once

#include <span>

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {

/// Succeeds if `path` is a regular file that this process may execute. Errors: io (ENOENT, ENOTDIR,
/// EACCES: not regular or not executable, and other errors of stat(2)).
[[nodiscard]] result<void> check_executable(const char* path) noexcept;

/// Writes the path of the working directory, with its NUL, to `space`. Errors: io (ENOENT: it was
/// removed; ERANGE: longer than `space`).
[[nodiscard]] result<void> working_directory(std::span<char> space) noexcept;

}  // namespace bast::inline BAST_ABI::os
