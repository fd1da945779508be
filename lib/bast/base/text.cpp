// SPDX-License-Identifier: Apache-2.0
#include "bast/base/text.hpp"

#include <cstring>

namespace bast::inline BAST_ABI {

text& text::operator<<(std::string_view s) {
  static constexpr std::string_view cut = "...";
  const std::size_t room = capacity - used_;
  const std::size_t take = s.size() < room ? s.size() : room;
  if (take != 0) std::memcpy(buffer_ + used_, s.data(), take);  // An empty view may hold null.
  used_ += take;
  if (take < s.size()) std::memcpy(buffer_ + capacity - cut.size(), cut.data(), cut.size());
  buffer_[used_] = '\0';
  return *this;
}

text& text::operator<<(std::uint64_t n) {
  char digits[20];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + n % 10);
    n /= 10;
  } while (n != 0);
  return *this << std::string_view(digits + at, sizeof digits - at);
}

text& text::operator<<(std::int64_t n) {
  if (n >= 0) return *this << static_cast<std::uint64_t>(n);
  // Negated as unsigned: the most negative value has no positive twin.
  return *this << '-' << (std::uint64_t{0} - static_cast<std::uint64_t>(n));
}

text& text::hex(std::uintptr_t address) {
  char digits[2 * sizeof address];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = "0123456789abcdef"[address % 16];
    address /= 16;
  } while (address != 0);
  return *this << "0x" << std::string_view(digits + at, sizeof digits - at);
}

text& text::size(std::size_t byte_count) {
  static constexpr const char* units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  std::size_t tenths = 0;
  std::size_t whole = byte_count;
  while (whole >= 1024 && unit + 1 < sizeof units / sizeof *units) {
    tenths = whole % 1024 * 10 / 1024;
    whole /= 1024;
    ++unit;
  }
  *this << std::uint64_t{whole};
  if (tenths != 0) *this << '.' << std::uint64_t{tenths};
  return *this << units[unit];
}

}  // namespace bast::inline BAST_ABI
