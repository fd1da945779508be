// SPDX-License-Identifier: Apache-2.0
//
// The numbers on a command line.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace bast::stress {

/// The whole of `text` as a number that is not negative, or nothing.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || rest != end || !(value >= Number{})) return std::nullopt;
  return value;
}

}  // namespace bast::stress
