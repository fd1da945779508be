// SPDX-License-Identifier: Apache-2.0
//
// Whole files, and standard input and output under the name "-".
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Errors: it cannot be read, or holds more than `most` bytes.
std::expected<std::string, problem> read_all(const std::string& path, std::size_t most);

/// Errors: it cannot be written, for example on a full disk.
std::expected<void, problem> write_all(const std::string& path, const std::string& text);

/// Replaces a file atomically: a reader gets the whole old or the whole new one.
std::expected<void, problem> replace_file(const std::string& path, const std::string& text);

}  // namespace bast_stacks
