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

/// The subset of std::atomic's interface that concurrent structures use.
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
      : atomic_cell(where), values_{initial} {}

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
    return compare_at(expected, desired, success, failure, where, false);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = seq_cst,
                               location where = location::current()) {
    return compare_at(expected, desired, order, internal::order_of_failure(order), where, false);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, location where = location::current()) {
    return compare_at(expected, desired, success, failure, where, true);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = seq_cst,
                             location where = location::current()) {
    return compare_at(expected, desired, order, internal::order_of_failure(order), where, true);
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
    const access a = {operation::load, order, where};
    begin(a);
    // A promised value is known by its bits; those of a pointer may differ in the next schedule.
    constexpr bool may_promise = sizeof(T) <= sizeof(std::uint64_t) && !std::is_pointer_v<T>;
    const source from = read(a, may_promise);
    T found = values_[from.slot];
    if constexpr (may_promise) {
      if (from.promised) std::memcpy(&found, &from.value, sizeof(T));
    }
    loaded(a, from, may_promise, internal::bits_of(found));
    return found;
  }
  void store_at(T value, std::memory_order order, const place& where) {
    const access a = {operation::store, order, where};
    begin(a);
    const slots at = write(a);
    const T before = values_[at.before];
    values_[at.after] = value;
    stored(a, at.after, internal::bits_of(before), internal::bits_of(value));
  }
  template <class F>
  T change(operation what, std::memory_order order, const place& where, F next) {
    const access a = {what, order, where};
    begin(a);
    const slots at = update(a);
    const T before = values_[at.before];
    values_[at.after] = next(before);
    stored(a, at.after, internal::bits_of(before), internal::bits_of(values_[at.after]));
    return before;
  }
  bool compare_at(T& expected, T desired, std::memory_order success, std::memory_order failure,
                  const place& where, bool weak) {
    const access change = {operation::compare_exchange, success, where};
    const access look = {operation::compare_exchange, failure, where};
    begin(change);
    std::uint32_t equal = 0;
    for (std::uint32_t slot = 0; slot < internal::slots_max; ++slot) {
      equal |= std::uint32_t{internal::same(values_[slot], expected)} << slot;
    }
    const slots at = compare(change, look, equal, weak);
    const T before = values_[at.before];
    if (!at.written) {
      expected = before;
      unchanged(look, internal::bits_of(before));
      return false;
    }
    values_[at.after] = desired;
    stored(change, at.after, internal::bits_of(before), internal::bits_of(desired));
    return true;
  }
  T add(difference by, const place& where) {
    return change(operation::fetch_add, seq_cst, where,
                  [&](T was) { return static_cast<T>(was + by); });
  }

  T values_[internal::slots_max] = {};
};

}  // namespace bast::interleave
