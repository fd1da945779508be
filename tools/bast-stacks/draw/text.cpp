// SPDX-License-Identifier: Apache-2.0
#include "draw/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/mutant.hpp"
#include "show/text.hpp"

namespace bast_stacks::draw {

namespace {

constexpr char32_t replacement = 0xfffd;

struct range {
  char32_t low;
  char32_t high;
};

// East Asian Wide and the pictographs (Unicode 15, EastAsianWidth.txt, in whole blocks).
constexpr std::array wide{
    range{0x1100, 0x115f},   range{0x2e80, 0x303e},   range{0x3041, 0xa4cf},
    range{0xa960, 0xa97f},   range{0xac00, 0xd7a3},   range{0xf900, 0xfaff},
    range{0xfe30, 0xfe6f},   range{0xff00, 0xff60},   range{0xffe0, 0xffe6},
    range{0x1f300, 0x1f64f}, range{0x1f900, 0x1f9ff}, range{0x20000, 0x3fffd}};
// Combining marks, joiners and variation selectors take no column of their own.
constexpr std::array narrowless{range{0x0300, 0x036f}, range{0x1ab0, 0x1aff}, range{0x1dc0, 0x1dff},
                                range{0x200b, 0x200d}, range{0x20d0, 0x20ff}, range{0xfe00, 0xfe0f},
                                range{0xfe20, 0xfe2f}};
// Controls; direction marks and overrides ("Trojan Source", CVE-2021-42574); separators of lines;
// surrogates; and what is no character.
constexpr std::array unprintable{
    range{0x0000, 0x001f}, range{0x007f, 0x009f}, range{0x061c, 0x061c},
    range{0x200e, 0x200f}, range{0x2028, 0x202e}, range{0x2066, 0x2069},
    range{0xd800, 0xdfff}, range{0xfff0, 0xfffb}, range{0xfffe, 0xffff}};

template <std::size_t N>
bool within(char32_t code, const std::array<range, N>& ranges) {
  return std::ranges::any_of(ranges,
                             [&](range each) { return each.low <= code && code <= each.high; });
}

std::size_t columns_of(char32_t code) {
  if (code < 0x300) return 1;
  if (within(code, narrowless)) return 0;
  return within(code, wide) ? 2 : 1;
}

constexpr std::string_view ellipsis = "\u2026";  // one column

}  // namespace

character first_character(std::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  // 0x80..0xc1 begin nothing, or an overlong form; beyond 0xf4 nothing is assigned.
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {replacement, 1};
  char32_t code = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {replacement, 1};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  const char32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (code < least || code > 0x10ffff) return {replacement, 1};
  return {code, length};
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (character each; (each = first_character(text)).bytes != 0; text.remove_prefix(each.bytes))
    columns += columns_of(each.code);
  return columns;
}

std::string safe_text(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (character each; (each = first_character(text)).bytes != 0; text.remove_prefix(each.bytes)) {
    if (each.code == replacement || within(each.code, unprintable))
      clean += "\ufffd";
    else
      clean += text.substr(0, each.bytes);
  }
  return clean;
}

std::string markup(std::string_view text) {
  std::string safe;
  for (const char each : safe_text(text)) {
    switch (each) {
      case '&': safe += "&amp;"; break;
      case '<': safe += BAST_STACKS_MUTANT(markup_not_escaped) ? "<" : "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += each;
    }
  }
  return safe;
}

std::string cut_end(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t used = 1;  // the ellipsis
  std::size_t bytes = 0;
  for (character each; (each = first_character(text.substr(bytes))).bytes != 0;) {
    used += columns_of(each.code);
    if (used > columns) break;
    bytes += each.bytes;
  }
  return std::string(text.substr(0, bytes)) += ellipsis;
}

std::string cut_start(std::string_view text, std::size_t columns) {
  std::size_t left = columns_of(text);
  if (left <= columns) return std::string(text);
  if (columns == 0) return {};
  while (left > columns - 1) {
    const character each = first_character(text);
    left -= columns_of(each.code);
    text.remove_prefix(each.bytes);
  }
  return std::string(ellipsis).append(text);
}

std::string exact_bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return counted(bytes, "byte");
  return fmt::format("{} bytes ({})", count_text(bytes), size_text(bytes));
}

}  // namespace bast_stacks::draw
