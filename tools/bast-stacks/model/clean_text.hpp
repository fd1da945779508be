// SPDX-License-Identifier: Apache-2.0
//
// Names come from a process or a file that nobody vouches for, and end up on terminals, in pages
// and in files that others read. What is clean is one line of UTF-8 that shows all there is of it:
// no control characters, no line separators, nothing that turns the direction of what follows
// around, nothing invisible, no codes that are no characters. What a format must escape besides
// (XML, CSV, JSON) is escaped where that format is written.
//
// Names are cleaned where they enter a snapshot. A recording may hold any, so what shows a snapshot
// cleans again; clean text is not changed by that.
#pragma once

#include <string>
#include <string_view>

namespace bast_stacks {

/// `text`, with U+FFFD for each character that is not clean and for each byte that is not UTF-8:
/// something was there, and no byte of it is kept.
std::string clean_text(std::string_view text);

/// A field of fixed width: clean text up to its first zero byte, or its end.
std::string clean_field(std::string_view field);

/// The last part of a path, clean.
std::string file_name(std::string_view path);

}  // namespace bast_stacks
