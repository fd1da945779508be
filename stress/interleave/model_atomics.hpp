// SPDX-License-Identifier: Apache-2.0
//
// `model_atomics`: what bast::os::real_atomics is to production, for the checker. A structure that
// is a template over the one runs on the other, access by access:
//
//   template <class Atomics>
//   class mailbox { typename Atomics::template atomic<std::uint32_t> state_{0}; ... };
//   mailbox<bast::interleave::model_atomics> box;   // in a test that explore() runs
//
// Nothing here is noexcept: a schedule that failed is unwound by an exception.
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

namespace internal {

/// A value as the trace shows it; larger ones as a hash, which tells them apart.
template <class T>
std::uint64_t bits_of(const T& value) noexcept {
  std::uint64_t out = 0;
  if constexpr (!std::is_trivially_copyable_v<T>) {
    (void)value;
  } else if constexpr (sizeof(T) <= sizeof out) {
    std::memcpy(&out, &value, sizeof(T));
  } else {
    unsigned char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    for (const unsigned char c : raw) out = (out ^ c) * 0x100000001b3;  // FNV-1a
  }
  return out;
}

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

struct model_atomics;

/// std::atomic's interface, as far as concurrent structures use it. compare_exchange_weak does not
/// fail for no reason.
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

  // An operator is not told where it is used, but can look up who called it.
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

/// Shared data that is not atomic. Reads as a T and is assigned from one; both are looked at.
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

struct model_atomics {
  template <class T>
  using atomic = model_atomic<T>;
  template <class T>
  using plain = model_plain<T>;

  /// A futex's: sleeps when `word` is `expected`, until woken. Never returns for no reason, and
  /// orders nothing.
  static void wait(const atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::source_location where = std::source_location::current()) {
    word.wait(word.value_, expected, where);
  }
  static void wake_all(const atomic<std::uint32_t>* word,
                       std::source_location where = std::source_location::current()) {
    internal::wake(word, operation::wake_all, where);
  }
  /// Which sleeper it is, is a choice.
  static void wake_one(const atomic<std::uint32_t>* word,
                       std::source_location where = std::source_location::current()) {
    internal::wake(word, operation::wake_one, where);
  }

  static std::uintptr_t self() noexcept { return internal::self(); }

  /// Gives the turn away until somebody has changed something since this thread began to look, or
  /// nobody else can go on.
  static void relax(std::source_location where = std::source_location::current()) {
    internal::relax(where);
  }
  static void fence(std::memory_order order,
                    std::source_location where = std::source_location::current()) {
    internal::fence(order, where);
  }
};

}  // namespace bast::interleave
