// SPDX-License-Identifier: Apache-2.0
//
// Users and other files name files to open: the name may be that of a device or a pipe.
#pragma once

#include <expected>
#include <string>

#include "model/descriptor.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

/// Opens for reading. Errors, which contain the path: it cannot be opened; it is not a regular
/// file.
std::expected<descriptor, problem> open_regular_file(const std::string& path);

}  // namespace bast_stacks
