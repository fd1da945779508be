// SPDX-License-Identifier: Apache-2.0
//
// `model_plain`: shared non-atomic data, each use of which is checked.
//
//   model_plain<letter*> first = nullptr;   // used like the letter* of production code
#pragma once

#include <cstddef>
#include <source_location>
#include <type_traits>
#include <utility>

#include "interleave/cell.hpp"

namespace bast::interleave {

/// Shared non-atomic data. Reads as a T and is assigned from one; both are checked.
template <class T>
class model_plain : public internal::plain_cell {
  using location = std::source_location;
  using difference = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

 public:
  model_plain(location where = location::current()) : plain_cell(where) {}
  model_plain(T initial, location where = location::current())
      : plain_cell(where), value_(std::move(initial)) {}
  model_plain(const model_plain& other, location where = location::current())
      : plain_cell(where), value_(other.read(where)) {}

  [[gnu::noinline]] model_plain& operator=(T value) {
    write(std::move(value), place(__builtin_return_address(0)));
    return *this;
  }
  [[gnu::noinline]] model_plain& operator=(const model_plain& other) {
    const place where(__builtin_return_address(0));
    write(other.read(where), where);
    return *this;
  }

  [[gnu::noinline]] operator T() const { return read(place(__builtin_return_address(0))); }
  [[gnu::noinline]] T operator->() const
    requires(std::is_pointer_v<T>)
  {
    return read(place(__builtin_return_address(0)));
  }

  [[gnu::noinline]] model_plain& operator+=(difference by) {
    const place where(__builtin_return_address(0));
    write(static_cast<T>(read(where) + by), where);
    return *this;
  }
  [[gnu::noinline]] model_plain& operator-=(difference by) {
    const place where(__builtin_return_address(0));
    write(static_cast<T>(read(where) - by), where);
    return *this;
  }
  [[gnu::noinline]] model_plain& operator|=(T with) {
    const place where(__builtin_return_address(0));
    write(static_cast<T>(read(where) | with), where);
    return *this;
  }
  [[gnu::noinline]] model_plain& operator&=(T with) {
    const place where(__builtin_return_address(0));
    write(static_cast<T>(read(where) & with), where);
    return *this;
  }
  [[gnu::noinline]] model_plain& operator++() {
    const place where(__builtin_return_address(0));
    write(static_cast<T>(read(where) + 1), where);
    return *this;
  }
  [[gnu::noinline]] model_plain& operator--() {
    const place where(__builtin_return_address(0));
    write(static_cast<T>(read(where) - 1), where);
    return *this;
  }
  [[gnu::noinline]] T operator++(int) {
    const place where(__builtin_return_address(0));
    T before = read(where);
    write(static_cast<T>(before + 1), where);
    return before;
  }
  [[gnu::noinline]] T operator--(int) {
    const place where(__builtin_return_address(0));
    T before = read(where);
    write(static_cast<T>(before - 1), where);
    return before;
  }

 private:
  T read(const place& where) const {
    did_read(where, internal::bits_of(value_));
    return value_;
  }
  void write(T value, const place& where) {
    will_write(where, internal::bits_of(value_), internal::bits_of(value));
    value_ = std::move(value);
  }

  T value_{};
};

}  // namespace bast::interleave
