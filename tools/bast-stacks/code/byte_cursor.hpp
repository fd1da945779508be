// SPDX-License-Identifier: Apache-2.0
//
// `byte_cursor`: reads numbers from untrusted bytes. It never leaves its span: a read beyond the
// end returns 0 and is remembered, so a parser reads a whole record and checks once.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace bast_stacks {

class byte_cursor {
 public:
  explicit byte_cursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  /// A number in its memory layout: little-endian, as both CPUs and their files are.
  template <class Number>
  Number read() {
    static_assert(std::is_integral_v<Number>);
    if (sizeof(Number) > left()) {
      fail();
      return 0;
    }
    Number value{};
    std::memcpy(&value, bytes_.data() + at_, sizeof(Number));
    at_ += sizeof(Number);
    return value;
  }

  /// LEB128. Bits beyond 64 are dropped.
  std::uint64_t read_unsigned() { return read_leb(false); }
  std::int64_t read_signed() { return static_cast<std::int64_t>(read_leb(true)); }

  /// Up to a zero, which is skipped. Fails if there is none.
  std::span<const std::uint8_t> read_text() {
    const auto start = at_;
    while (at_ < bytes_.size()) {
      if (bytes_[at_++] == 0) return bytes_.subspan(start, at_ - start - 1);
    }
    fail();
    return {};
  }

  std::span<const std::uint8_t> take(std::uint64_t count) {
    if (count > left()) {
      fail();
      return {};
    }
    const auto taken = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return taken;
  }

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  bool done() const { return left() == 0; }
  bool failed() const { return failed_; }
  /// Ends all reads.
  void fail() {
    failed_ = true;
    at_ = bytes_.size();
  }

 private:
  std::uint64_t read_leb(bool is_signed) {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (at_ == bytes_.size()) {
        fail();
        return 0;
      }
      const std::uint64_t byte = bytes_[at_++];
      if (shift < 64) value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) != 0) continue;
      if (is_signed && shift + 7 < 64 && (byte & 0x40) != 0)
        value |= ~std::uint64_t{0} << (shift + 7);
      return value;
    }
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace bast_stacks
