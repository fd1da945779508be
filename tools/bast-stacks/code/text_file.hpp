// SPDX-License-Identifier: Apache-2.0
//
// A whole file as text, up to a size that no file of its kind has.
#pragma once

#include <expected>
#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

inline constexpr std::size_t text_file_max = 64 << 20;  // bytes

/// Errors, which contain the path: it cannot be opened or read, is not a file, is larger than that.
std::expected<std::string, problem> read_text_file(const std::string& path);

}  // namespace bast_stacks
