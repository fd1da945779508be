// SPDX-License-Identifier: Apache-2.0
//
// Parsing text piece by piece.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace bast_stacks {

/// Removes the first line from `text` and returns it, without its newline.
inline std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
  return line;
}

/// The number if all of `text` is one, in decimal digits.
template <std::integral Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [last, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || last != end) return std::nullopt;
  return value;
}

/// The number if all of `text` is one, in decimal digits and at most one point; infinite if it is
/// too large. Uses strtod, because libc++ before 20 has from_chars for integers only: requires the
/// numeric locale "C".
inline std::optional<double> decimal_in(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != text.npos) return std::nullopt;
  const std::string all(text);
  char* last = nullptr;
  const double value = std::strtod(all.c_str(), &last);
  if (last != all.c_str() + all.size()) return std::nullopt;
  return value;
}

}  // namespace bast_stacks
