// SPDX-License-Identifier: Apache-2.0
//
// Files are named by users and by other files: what is opened might be a device or a pipe.
#pragma once

#include <expected>
#include <string>

#include "model/descriptor.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

/// For reading. Errors, with the path in them: it cannot be opened, or is no regular file.
std::expected<descriptor, problem> open_regular_file(const std::string& path);

}  // namespace bast_stacks
