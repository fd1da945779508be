// SPDX-License-Identifier: Apache-2.0
#include "model/clean_text.hpp"

#include <algorithm>
#include <array>

#include "model/mutant.hpp"
#include "model/utf8.hpp"

namespace bast_stacks {
namespace {

struct range {
  char32_t first;
  char32_t last;
};

// Unicode 15: general categories Cc, Zl and Zp; Default_Ignorable_Code_Point, except the selectors
// U+FE00 to U+FE0F that follow emoji; Bidi_Control ("Trojan Source", CVE-2021-42574);
// noncharacters.
constexpr std::array unclean{
    range{0x0000, 0x001f},    // control characters
    range{0x007f, 0x009f},    // those of Latin-1: some terminals obey them
    range{0x00ad, 0x00ad},    // soft hyphen
    range{0x034f, 0x034f},    // combining grapheme joiner
    range{0x061c, 0x061c},    // Arabic letter mark
    range{0x115f, 0x1160},    // Hangul fillers
    range{0x17b4, 0x17b5},    // Khmer inherent vowels
    range{0x180b, 0x180f},    // Mongolian selectors
    range{0x200b, 0x200f},    // zero width space, joiners, direction marks
    range{0x2028, 0x202e},    // line and paragraph separator, embeddings, overrides
    range{0x2060, 0x206f},    // word joiner, invisible operators, isolates
    range{0x3164, 0x3164},    // Hangul filler
    range{0xfdd0, 0xfdef},    // noncharacters
    range{0xfeff, 0xfeff},    // byte order mark
    range{0xffa0, 0xffa0},    // Hangul filler
    range{0xfff0, 0xfffb},    // unassigned, annotations
    range{0x1bca0, 0x1bca3},  // shorthand controls
    range{0x1d173, 0x1d17a},  // musical controls
    range{0xe0000, 0xe0fff},  // tags, selectors
};

bool is_clean(char32_t code) noexcept {
  if (code == 0x1b && BAST_STACKS_MUTANT(escapes_obeyed)) return true;
  if (code < 0x7f) return code >= 0x20;
  if ((code & 0xfffe) == 0xfffe) return false;  // the last two of each plane are noncharacters
  return std::ranges::none_of(unclean,
                              [&](range each) { return each.first <= code && code <= each.last; });
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (character each; (each = first_character(text)).bytes != 0; text.remove_prefix(each.bytes)) {
    if (each.code == replacement_character || !is_clean(each.code)) {
      clean += "\ufffd";
    } else {
      clean += text.substr(0, each.bytes);
    }
  }
  return clean;
}

std::string clean_field(std::string_view field) {
  return clean_text(field.substr(0, field.find('\0')));
}

std::string file_name(std::string_view path) {
  return clean_text(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
}

}  // namespace bast_stacks
