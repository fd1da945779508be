// SPDX-License-Identifier: Apache-2.0
#include "show/columns.hpp"

#include <algorithm>
#include <array>

#include "model/utf8.hpp"

namespace bast_stacks {
namespace {

struct range {
  char32_t first;
  char32_t last;
};

// East Asian Wide and the pictographs (Unicode 15, EastAsianWidth.txt, in whole blocks).
constexpr std::array wide{
    range{0x1100, 0x115f},   range{0x2e80, 0x303e},   range{0x3041, 0xa4cf},
    range{0xa960, 0xa97f},   range{0xac00, 0xd7a3},   range{0xf900, 0xfaff},
    range{0xfe30, 0xfe6f},   range{0xff00, 0xff60},   range{0xffe0, 0xffe6},
    range{0x1f300, 0x1f64f}, range{0x1f900, 0x1f9ff}, range{0x20000, 0x3fffd}};
// Combining marks and variation selectors take no column of their own.
constexpr std::array narrowless{range{0x0300, 0x036f}, range{0x1ab0, 0x1aff},
                                range{0x1dc0, 0x1dff}, range{0x20d0, 0x20ff},
                                range{0xfe00, 0xfe0f}, range{0xfe20, 0xfe2f}};

template <std::size_t Size>
bool within(char32_t code, const std::array<range, Size>& ranges) noexcept {
  return std::ranges::any_of(ranges,
                             [&](range each) { return each.first <= code && code <= each.last; });
}

std::size_t width_of(char32_t code) noexcept {
  if (code < 0x300) return 1;
  if (within(code, narrowless)) return 0;
  return within(code, wide) ? 2 : 1;
}

/// The longest prefix of a text with at most `columns` columns.
std::string_view start_of(std::string_view text, std::size_t columns) noexcept {
  std::size_t bytes = 0;
  std::size_t used = 0;
  for (character each; (each = first_character(text.substr(bytes))).bytes != 0;) {
    used += width_of(each.code);
    if (used > columns) break;
    bytes += each.bytes;
  }
  return text.substr(0, bytes);
}

/// The longest suffix.
std::string_view end_of(std::string_view text, std::size_t columns) noexcept {
  for (std::size_t left = columns_of(text); left > columns;) {
    const character each = first_character(text);
    left -= width_of(each.code);
    text.remove_prefix(each.bytes);
  }
  return text;
}

}  // namespace

std::size_t columns_of(std::string_view text) noexcept {
  std::size_t columns = 0;
  for (character each; (each = first_character(text)).bytes != 0; text.remove_prefix(each.bytes))
    columns += width_of(each.code);
  return columns;
}

std::string cut_start(std::string_view text, std::size_t columns, std::string_view mark) {
  if (columns_of(text) <= columns) return std::string(text);
  mark = start_of(mark, columns);
  return std::string(mark).append(end_of(text, columns - columns_of(mark)));
}

std::string cut_end(std::string_view text, std::size_t columns, std::string_view mark) {
  if (columns_of(text) <= columns) return std::string(text);
  mark = start_of(mark, columns);
  return std::string(start_of(text, columns - columns_of(mark))).append(mark);
}

}  // namespace bast_stacks
