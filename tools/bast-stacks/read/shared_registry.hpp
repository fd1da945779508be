// SPDX-License-Identifier: Apache-2.0
//
// A registry in a file, which outlives the process that wrote it. What it pointed to, slots and
// control blocks, is gone with the process. Behind the registry, from header.bytes on, the file may
// hold what /proc/self/maps said in the process: then its modules are known however short it ran.
#pragma once

#include <expected>
#include <memory>
#include <string_view>

#include "model/snapshot.hpp"
#include "read/source.hpp"

namespace bast_stacks {

/// Whether somebody made a registry in the file.
bool holds_registry(const source& file);

/// `name` is how the process is called in errors. Errors: there is none in it, or it is damaged.
std::expected<snapshot, problem> open_shared_registry(std::shared_ptr<const source> file,
                                                      std::string_view name);

}  // namespace bast_stacks
