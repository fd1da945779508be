// SPDX-License-Identifier: Apache-2.0
//
// A registry in a file, which outlives the process that wrote it. The slots and control blocks that
// it refers to are gone with the process. After the registry, from header.bytes on, the file may
// contain the /proc/self/maps of the process: then its modules are known, however short it ran.
#pragma once

#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"
#include "read/source.hpp"

namespace bast_stacks {

/// Whether a registry was created in the file, at this offset.
bool holds_registry(const source& file, std::uint64_t offset = 0);

/// `name` names the process in errors. Errors: no registry in it, or a damaged one.
std::expected<snapshot, problem> open_shared_registry(std::shared_ptr<const source> file,
                                                      std::string_view name,
                                                      std::uint64_t offset = 0);

/// The registries after the first: of forked children, of programs after exec, and of further
/// copies of the library. A damaged one is a sentence in the `not_seen` of an empty snapshot.
std::vector<snapshot> open_further_registries(const std::shared_ptr<const source>& file);

}  // namespace bast_stacks
