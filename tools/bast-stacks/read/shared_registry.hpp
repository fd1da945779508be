// SPDX-License-Identifier: Apache-2.0
//
// A registry in a file, which outlives the process that wrote it. What it pointed to, slots and
// control blocks, is gone with the process. Behind the registry, from header.bytes on, the file may
// hold what /proc/self/maps said in the process: then its modules are known however short it ran.
#pragma once

#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"
#include "read/source.hpp"

namespace bast_stacks {

/// Whether somebody made a registry in the file, at this offset.
bool holds_registry(const source& file, std::uint64_t offset = 0);

/// `name` is how the process is called in errors. Errors: there is none in it, or it is damaged.
std::expected<snapshot, problem> open_shared_registry(std::shared_ptr<const source> file,
                                                      std::string_view name,
                                                      std::uint64_t offset = 0);

/// Those behind the first: of forked children, of programs that one became, and of further copies
/// of the library. A damaged one is a sentence in the `not_seen` of an empty snapshot.
std::vector<snapshot> open_further_registries(const std::shared_ptr<const source>& file);

}  // namespace bast_stacks
