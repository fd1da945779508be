// SPDX-License-Identifier: Apache-2.0
#include "model/utf8.hpp"

namespace bast_stacks {

character first_character(std::string_view text) noexcept {
  constexpr character malformed{.code = replacement_character, .bytes = 1};
  if (text.empty()) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {.code = lead, .bytes = 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  // 0x80 to 0xc1 are continuation bytes or begin overlong forms; no code needs 0xf5.
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return malformed;
  char32_t code = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return malformed;
    code = code << 6 | (byte(i) & 0x3fU);
  }
  const char32_t least = length == 4 ? 0x1'0000 : length == 3 ? 0x800 : 0x80;
  const bool surrogate = 0xd800 <= code && code < 0xe000;
  if (code < least || code > 0x10'ffff || surrogate) return malformed;
  return {.code = code, .bytes = length};
}

}  // namespace bast_stacks
