// SPDX-License-Identifier: Apache-2.0
//
// What toml++ 3.3 takes for granted, looked at before it reads a hostile file. In optimised builds
// it assumes, without a look, that a key follows the brackets of a table's head and that arrays and
// inline tables go on with a value; and its tests for white space are undefined for letters beyond
// ASCII outside of strings and comments. So there are only heads, numbers, strings of one line.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bast_stacks {

struct toml_flaw {
  std::uint32_t line = 1;
  std::uint32_t column = 1;  // in bytes
  const char* what = "";
};

/// The first such thing in `text`, which no budget file needs.
std::optional<toml_flaw> find_toml_flaw(std::string_view text);

}  // namespace bast_stacks
