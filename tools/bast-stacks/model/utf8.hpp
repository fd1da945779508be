// SPDX-License-Identifier: Apache-2.0
//
// UTF-8, one character at a time, of untrusted text.
#pragma once

#include <cstddef>
#include <string_view>

namespace bast_stacks {

/// Stands for invalid text.
inline constexpr char32_t replacement_character = 0xfffd;

struct character {
  char32_t code = 0;      // U+FFFD if the text is not UTF-8
  std::size_t bytes = 0;  // its length: 1 if the text is not UTF-8, 0 at its end
};

/// The first character of `text`. Overlong forms, surrogates and codes beyond Unicode are not
/// UTF-8.
character first_character(std::string_view text) noexcept;

}  // namespace bast_stacks
