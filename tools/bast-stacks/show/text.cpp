// SPDX-License-Identifier: Apache-2.0
#include "show/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

/// The length of the UTF-8 sequence that `text` begins with; 0 when it is none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond Unicode.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) >= 0xa0) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;
  return length;
}

/// Control characters of ASCII, of Latin-1 (some terminals obey U+0080 to U+009F), and the marks
/// that turn the direction of text around.
bool is_control(std::string_view sequence) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1 && BAST_STACKS_MUTANT(escapes_obeyed) && byte(0) == 0x1b) return false;
  if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  if (sequence.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
  if (sequence.size() == 3 && byte(0) == 0xe2) {
    if (byte(1) == 0x80) return byte(2) >= 0x8b && byte(2) <= 0xae;  // U+200B to U+202E
    if (byte(1) == 0x81) return byte(2) >= 0xa6 && byte(2) <= 0xa9;  // U+2066 to U+2069
  }
  return false;
}

bool continues(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0 || is_control(text.substr(0, length))) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string cut_left(std::string_view text, std::size_t width) {
  std::size_t rest = width_of(text);
  if (rest <= width) return std::string(text);
  const std::size_t keep = width - std::min<std::size_t>(width, 3);
  while (rest > keep) {
    text.remove_prefix(1);
    while (!text.empty() && continues(text.front())) text.remove_prefix(1);
    --rest;
  }
  return "..." + std::string(text);
}

std::string cut_right(std::string_view text, std::size_t width) {
  std::size_t rest = width_of(text);
  if (rest <= width) return std::string(text);
  const std::size_t keep = width - std::min<std::size_t>(width, 3);
  while (rest > keep) {
    while (continues(text.back())) text.remove_suffix(1);
    text.remove_suffix(1);
    --rest;
  }
  return std::string(text) + "...";
}

std::string size_text(std::uint64_t bytes, bool exact) {
  static constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (exact || bytes < 1024) return fmt::format("{} B", bytes);
  std::size_t unit = 0;
  auto size = static_cast<double>(bytes);
  // 1023.96 KiB would be written "1024.0 KiB".
  while (size >= 1023.95 && unit + 1 < units.size()) {
    size /= 1024;
    ++unit;
  }
  std::string number = fmt::format("{:.1f}", size);
  if (number.ends_with(".0")) number.resize(number.size() - 2);
  return fmt::format("{} {}", number, units[unit]);
}

std::string size_number(std::uint64_t bytes, bool exact) {
  if (exact) return fmt::format("{}", bytes);
  // A tenth of a KiB is noise beside a hundred of them, and columns are narrow.
  const int decimals = bytes < (100 << 10) ? 1 : 0;
  return fmt::format("{:.{}f}", static_cast<double>(bytes) / 1024, decimals);
}

std::string percent_text(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string count_text(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count_text(count), noun, count == 1 ? "" : "s");
}

std::string duration_text(std::uint64_t nanoseconds) {
  const std::uint64_t seconds = nanoseconds / 1'000'000'000;
  if (seconds == 0) {
    if (nanoseconds < 1'000'000) return fmt::format("{} us", nanoseconds / 1000);
    return fmt::format("{:.1f} ms", static_cast<double>(nanoseconds) / 1e6);
  }
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

}  // namespace bast_stacks
