// SPDX-License-Identifier: Apache-2.0
//
// The numbers on a command line.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace bast::stress {

/// All of `text` as a nonnegative number, or nothing.
template <class Number>
std::optional<Number> number(std::string_view text) {
  if constexpr (std::floating_point<Number>) {
    // libc++ before 20 has from_chars for integers only.
    if (text.empty() || text.find_first_of("0123456789.") != 0) return std::nullopt;
    if (text.find_first_not_of("0123456789.e+-") != text.npos) return std::nullopt;
    const std::string all(text);
    char* rest = nullptr;
    const double value = std::strtod(all.c_str(), &rest);
    if (rest != all.c_str() + all.size()) return std::nullopt;
    return static_cast<Number>(value);
  } else {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc{} || rest != end || !(value >= Number{})) return std::nullopt;
    return value;
  }
}

}  // namespace bast::stress
