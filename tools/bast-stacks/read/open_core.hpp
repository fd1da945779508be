// SPDX-License-Identifier: Apache-2.0
//
// A core from any source of bytes, which is what a fuzzer has.
#pragma once

#include <expected>
#include <memory>
#include <string_view>

#include "read/open.hpp"
#include "read/source.hpp"

namespace bast_stacks {

/// `name` is how the core is called in errors. As open_core.
std::expected<snapshot, problem> open_core_source(std::shared_ptr<const source> bytes,
                                                  std::string_view name,
                                                  const open_options& options);

}  // namespace bast_stacks
