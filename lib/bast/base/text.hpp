// SPDX-License-Identifier: Apache-2.0
//
// `text`: a diagnostic line composed in a fixed buffer. Async-signal-safe: no allocation, no
// locale, no stdio. The overflow report and failed checks use it inside signal handlers.
#pragma once

#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bast::inline BAST_ABI {

/// A bounded text. Excess characters are dropped, and the cut is marked with "...".
/// Not thread-safe; allocates nothing; never fails.
class text {
 public:
  static constexpr std::size_t capacity = 1024;

  text& operator<<(std::string_view s);
  text& operator<<(const char* s) { return *this << std::string_view(s == nullptr ? "?" : s); }
  text& operator<<(char c) { return *this << std::string_view(&c, 1); }
  text& operator<<(std::uint64_t n);
  text& operator<<(std::int64_t n);
  text& operator<<(std::uint32_t n) { return *this << std::uint64_t{n}; }
  text& operator<<(std::int32_t n) { return *this << std::int64_t{n}; }

  /// Appends `address` as 0x and lower-case hexadecimal digits.
  text& hex(std::uintptr_t address);
  /// Appends a human-readable size: "17 B", "32 KiB", "1.5 MiB".
  text& size(std::size_t byte_count);

  std::string_view view() const { return {buffer_, used_}; }
  const char* c_str() const { return buffer_; }

 private:
  std::size_t used_ = 0;
  char buffer_[capacity + 1] = {};
};

}  // namespace bast::inline BAST_ABI
