// SPDX-License-Identifier: Apache-2.0
//
// Formats sizes with units, counts and times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bast_stacks {

/// "512 B", "9.1 KiB", "3 GiB": one decimal, none when it is 0. `exact`: "9318 B".
std::string size_text(std::uint64_t bytes, bool exact = false);
/// The number alone, in KiB, or in bytes if `exact`: for columns whose head names the unit. One
/// decimal below 100 KiB.
std::string size_number(std::uint64_t bytes, bool exact);
/// "96.4 %".
std::string percent_text(double fraction);
/// "41203" as "41,203": for sentences.
std::string count_text(std::uint64_t count);
/// "1 site", "3 sites".
std::string counted(std::uint64_t count, std::string_view noun);
/// "9,318 bytes (9.1 KiB)": exact and readable.
std::string exact_bytes_text(std::uint64_t bytes);
/// "45 s", "3 h 12 min".
std::string duration_text(std::uint64_t nanoseconds);

}  // namespace bast_stacks
