// SPDX-License-Identifier: Apache-2.0
//
// Checks the assumptions of toml++ 3.3 before it parses a hostile file. In optimised builds it
// assumes, unchecked, that a key follows the brackets of a table's head and that arrays and inline
// tables continue with a value; and its tests for white space are undefined for non-ASCII letters
// outside of strings and comments. So only heads, numbers and single-line strings are allowed.
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

/// The first violation in `text`; budget files need none.
std::optional<toml_flaw> find_toml_flaw(std::string_view text);

}  // namespace bast_stacks
