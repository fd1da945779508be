// SPDX-License-Identifier: Apache-2.0
//
// Names come from untrusted processes and files, and end up on terminals, in pages and in files
// that other programs read. Clean text is one line of UTF-8 in which everything is visible: no
// control characters, line separators, direction overrides, invisible characters or noncharacters.
// Escapes of a format (XML, CSV, JSON) are applied where that format is written.
//
// Names are cleaned when they enter a snapshot. A recording may hold any text, so output code
// cleans again; cleaning is idempotent.
#pragma once

#include <string>
#include <string_view>

namespace bast_stacks {

/// `text`, with U+FFFD for each character that is not clean and for each byte that is not UTF-8, so
/// that removed bytes remain visible as such.
std::string clean_text(std::string_view text);

/// A field of fixed width: clean text up to its first zero byte, or its end.
std::string clean_field(std::string_view field);

/// The last part of a path, clean.
std::string file_name(std::string_view path);

}  // namespace bast_stacks
