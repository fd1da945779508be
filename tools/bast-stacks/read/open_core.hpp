// SPDX-License-Identifier: Apache-2.0
//
// Reads a core from any source of bytes, for the fuzzer.
#pragma once

#include <expected>
#include <memory>
#include <string_view>

#include "read/open.hpp"
#include "read/source.hpp"

namespace bast_stacks {

/// `name` names the core in errors. Otherwise as open_core.
std::expected<snapshot, problem> open_core_source(std::shared_ptr<const source> bytes,
                                                  std::string_view name,
                                                  const open_options& options);

}  // namespace bast_stacks
