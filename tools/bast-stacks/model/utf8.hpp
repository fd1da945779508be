// SPDX-License-Identifier: Apache-2.0
//
// UTF-8, one character at a time, of text that nobody vouches for.
#pragma once

#include <cstddef>
#include <string_view>

namespace bast_stacks {

/// What stands for what is no character.
inline constexpr char32_t replacement_character = 0xfffd;

struct character {
  char32_t code = 0;      // U+FFFD where the text is not UTF-8
  std::size_t bytes = 0;  // that it takes in the text: 1 where that is not UTF-8, 0 at its end
};

/// The character that `text` begins with. Forms longer than needed, surrogates and what lies beyond
/// Unicode are not UTF-8.
character first_character(std::string_view text) noexcept;

}  // namespace bast_stacks
