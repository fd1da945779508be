// SPDX-License-Identifier: Apache-2.0
//
// `model_atomic`: std::atomic in which each access may switch to another thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>
#include <utility>

#include "interleave/cell.hpp"

namespace bast::interleave {

struct model_atomics;

namespace internal {

template <class T>
bool same(const T& a, const T& b) noexcept {
  return std::memcmp(&a, &b, sizeof(T)) == 0;  // As the hardware compares.
}

/// A failed compare-exchange loads with this: [atomics.types.operations].
constexpr std::memory_order order_of_failure(std::memory_order order) noexcept {
  using enum std::memory_order;
  if (order == acq_rel) return acquire;
  return order == release ? relaxed : order;
}

}  // namespace internal

/// The subset of std::atomic's interface that concurrent structures use. compare_exchange_weak has
/// no spurious failures.
template <class T>
class model_atomic : public internal::atomic_cell {
  static_assert(std::is_trivially_copyable_v<T>);
  using location = std::source_location;
  using difference = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;
  static constexpr auto seq_cst = std::memory_order::seq_cst;

 public:
  using value_type = T;

  model_atomic(location where = location::current()) : atomic_cell(where) {}
  model_atomic(T initial, location where = location::current())
      : atomic_cell(where), value_(initial) {}

  T load(std::memory_order order = seq_cst, location where = location::current()) const {
    return load_at(order, where);
  }
  void store(T value, std::memory_order order = seq_cst, location where = location::current()) {
    store_at(value, order, where);
  }
  T exchange(T value, std::memory_order order = seq_cst, location where = location::current()) {
    return change(operation::exchange, order, where, [&](T) { return value; });
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, location where = location::current()) {
    begin({operation::compare_exchange, success, where});
    const T before = value_;
    if (!internal::same(before, expected)) {
      loaded({operation::compare_exchange, failure, where}, internal::bits_of(before));
      expected = before;
      return false;
    }
    value_ = desired;
    exchanged({operation::compare_exchange, success, where}, internal::bits_of(before),
              internal::bits_of(desired));
    return true;
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = seq_cst,
                               location where = location::current()) {
    return compare_exchange_strong(expected, desired, order, internal::order_of_failure(order),
                                   where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, location where = location::current()) {
    return compare_exchange_strong(expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = seq_cst,
                             location where = location::current()) {
    return compare_exchange_strong(expected, desired, order, where);
  }

  T fetch_add(difference by, std::memory_order order = seq_cst,
              location where = location::current()) {
    return change(operation::fetch_add, order, where,
                  [&](T was) { return static_cast<T>(was + by); });
  }
  T fetch_sub(difference by, std::memory_order order = seq_cst,
              location where = location::current()) {
    return change(operation::fetch_sub, order, where,
                  [&](T was) { return static_cast<T>(was - by); });
  }
  T fetch_and(T with, std::memory_order order = seq_cst, location where = location::current()) {
    return change(operation::fetch_and, order, where,
                  [&](T was) { return static_cast<T>(was & with); });
  }
  T fetch_or(T with, std::memory_order order = seq_cst, location where = location::current()) {
    return change(operation::fetch_or, order, where,
                  [&](T was) { return static_cast<T>(was | with); });
  }
  T fetch_xor(T with, std::memory_order order = seq_cst, location where = location::current()) {
    return change(operation::fetch_xor, order, where,
                  [&](T was) { return static_cast<T>(was ^ with); });
  }

  // An operator does not receive its place of use, but can look up its caller.
  [[gnu::noinline]] operator T() const {
    return load_at(seq_cst, place(__builtin_return_address(0)));
  }
  [[gnu::noinline]] T operator=(T value) {
    store_at(value, seq_cst, place(__builtin_return_address(0)));
    return value;
  }
  [[gnu::noinline]] T operator+=(difference by) {
    return static_cast<T>(add(by, place(__builtin_return_address(0))) + by);
  }
  [[gnu::noinline]] T operator-=(difference by) {
    return static_cast<T>(add(-by, place(__builtin_return_address(0))) - by);
  }
  [[gnu::noinline]] T operator++() {
    return static_cast<T>(add(1, place(__builtin_return_address(0))) + 1);
  }
  [[gnu::noinline]] T operator--() {
    return static_cast<T>(add(difference(-1), place(__builtin_return_address(0))) - 1);
  }
  [[gnu::noinline]] T operator++(int) { return add(1, place(__builtin_return_address(0))); }
  [[gnu::noinline]] T operator--(int) {
    return add(difference(-1), place(__builtin_return_address(0)));
  }

 private:
  friend model_atomics;

  T load_at(std::memory_order order, const place& where) const {
    begin({operation::load, order, where});
    const T found = value_;
    loaded({operation::load, order, where}, internal::bits_of(found));
    return found;
  }
  void store_at(T value, std::memory_order order, const place& where) {
    begin({operation::store, order, where});
    const T before = std::exchange(value_, value);
    stored({operation::store, order, where}, internal::bits_of(before), internal::bits_of(value));
  }
  template <class F>
  T change(operation what, std::memory_order order, const place& where, F next) {
    begin({what, order, where});
    const T before = value_;
    value_ = next(before);
    exchanged({what, order, where}, internal::bits_of(before), internal::bits_of(value_));
    return before;
  }
  T add(difference by, const place& where) {
    return change(operation::fetch_add, seq_cst, where,
                  [&](T was) { return static_cast<T>(was + by); });
  }

  T value_{};
};

}  // namespace bast::interleave
