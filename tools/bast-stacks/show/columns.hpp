// SPDX-License-Identifier: Apache-2.0
//
// Text in columns: its width, and cutting it to a width. For clean text, see model/clean_text.hpp.
// A column is a cell of a terminal, or the width of a fixed-width font.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bast_stacks {

/// The widest line of a report, in columns.
inline constexpr std::size_t line_width = 100;

std::size_t columns_of(std::string_view text) noexcept;

/// Marks for cut text: ASCII in reports, which end up in logs, and narrow in pictures.
inline constexpr std::string_view dots = "...";
inline constexpr std::string_view ellipsis = "\u2026";

/// At most `columns` columns of `text`: `mark` replaces its start, or its end. The end of a path
/// matters most, and the start of a sentence.
std::string cut_start(std::string_view text, std::size_t columns, std::string_view mark = dots);
std::string cut_end(std::string_view text, std::size_t columns, std::string_view mark = dots);

}  // namespace bast_stacks
