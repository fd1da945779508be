// SPDX-License-Identifier: Apache-2.0
#include "read/clean_text.hpp"

#include <cstdint>

namespace bast_stacks {
namespace {

struct sequence_kind {
  std::size_t bytes = 0;
  std::uint32_t smallest = 0;  // code point that needs this many bytes
};

sequence_kind kind_of(unsigned char lead) {
  if ((lead & 0xe0) == 0xc0) return {.bytes = 2, .smallest = 0x80};
  if ((lead & 0xf0) == 0xe0) return {.bytes = 3, .smallest = 0x800};
  if ((lead & 0xf8) == 0xf0) return {.bytes = 4, .smallest = 0x1'0000};
  return {};
}

/// The length of the sequence of two to four bytes at the start of `text`, or 0 when there is none.
std::size_t sequence_at_start(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const sequence_kind kind = kind_of(lead);
  if (kind.bytes == 0 || text.size() < kind.bytes) return 0;
  std::uint32_t code = lead & (0x7fU >> kind.bytes);
  for (std::size_t i = 1; i < kind.bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return 0;
    code = code << 6 | (next & 0x3fU);
  }
  const bool surrogate = 0xd800 <= code && code < 0xe000;
  // U+0080 .. U+009F are control characters too: a terminal takes them as escapes.
  const bool control = code < 0xa0;
  return code < kind.smallest || code > 0x10'ffff || surrogate || control ? 0 : kind.bytes;
}

}  // namespace

std::string clean_text(std::string_view raw) {
  raw = raw.substr(0, raw.find('\0'));
  std::string clean;
  clean.reserve(raw.size());
  while (!raw.empty()) {
    const auto first = static_cast<unsigned char>(raw[0]);
    std::size_t bytes = 1;
    if (first < 0x80) {
      clean += first < 0x20 || first == 0x7f ? '?' : raw[0];
    } else if (bytes = sequence_at_start(raw); bytes != 0) {
      clean += raw.substr(0, bytes);
    } else {
      clean += '?';
      bytes = 1;
    }
    raw.remove_prefix(bytes);
  }
  return clean;
}

}  // namespace bast_stacks
