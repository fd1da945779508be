// SPDX-License-Identifier: Apache-2.0
//
// How things are spelled: sizes with their unit, and nothing from a process that a terminal would
// obey.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bast_stacks {

/// The widest line of a report, in characters.
inline constexpr std::size_t line_width = 100;

/// `text` with every control character, and every byte that is not UTF-8, replaced by '?': names
/// come from a process that nobody trusts.
std::string printable(std::string_view text);
/// Characters of UTF-8 text, each taken as one column wide.
std::size_t width_of(std::string_view text) noexcept;
/// At most `width` characters, the beginning replaced by "...": the end of a path says most.
std::string cut_left(std::string_view text, std::size_t width);
/// At most `width` characters, the end replaced by "...".
std::string cut_right(std::string_view text, std::size_t width);

/// "512 B", "9.1 KiB", "3 GiB": one decimal, none when it is 0. `exact`: "9318 B".
std::string size_text(std::uint64_t bytes, bool exact = false);
/// The number alone, in KiB, or in bytes when `exact`: for columns whose head names the unit. One
/// decimal below 100 KiB.
std::string size_number(std::uint64_t bytes, bool exact);
/// "96.4 %".
std::string percent_text(double fraction);
/// "41203" as "41,203": for sentences.
std::string count_text(std::uint64_t count);
/// "1 site", "3 sites".
std::string counted(std::uint64_t count, std::string_view noun);
/// "45 s", "3 h 12 min".
std::string duration_text(std::uint64_t nanoseconds);

}  // namespace bast_stacks
