// SPDX-License-Identifier: Apache-2.0
//
// Words for pictures: what a target called its things, made safe to show and short enough to fit.
//
// Names come from a process or a file that nobody vouches for. Everything that is drawn goes
// through `safe_text` or `markup`; the other functions expect what those return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bast_stacks::draw {

/// One character of UTF-8 text.
struct character {
  char32_t code = 0;      // U+FFFD where the text is not UTF-8
  std::size_t bytes = 0;  // that it takes in the text; 0 at its end
};
character first_character(std::string_view text);

/// How many cells of a terminal, or multiples of a fixed-width font's width, the text takes.
std::size_t columns_of(std::string_view text);

/// Valid UTF-8 on one line, for a terminal and for more. What is not text (control characters,
/// malformed bytes) and what changes the direction of text around it becomes U+FFFD.
std::string safe_text(std::string_view text);

/// `safe_text`, and harmless between tags and in a quoted attribute of SVG and HTML.
std::string markup(std::string_view text);

/// At most `columns` columns: the end, or the start, gives way to an ellipsis.
std::string cut_end(std::string_view text, std::size_t columns);
std::string cut_start(std::string_view text, std::size_t columns);

/// "9,318 bytes (9.1 KiB)": exact, and what it means.
std::string exact_bytes_text(std::uint64_t bytes);
}  // namespace bast_stacks::draw
