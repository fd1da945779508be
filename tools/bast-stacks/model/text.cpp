// SPDX-License-Identifier: Apache-2.0
#include "model/text.hpp"

#include <fmt/format.h>

#include <array>

namespace bast_stacks {

std::string size_text(std::uint64_t bytes, bool exact) {
  static constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (exact || bytes < 1024) return fmt::format("{} B", bytes);
  std::size_t unit = 0;
  auto size = static_cast<double>(bytes);
  // 1023.96 KiB would print as "1024.0 KiB".
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
  // Above 100 KiB a tenth of a KiB is noise, and columns are narrow.
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

std::string exact_bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return counted(bytes, "byte");
  return fmt::format("{} bytes ({})", count_text(bytes), size_text(bytes));
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
