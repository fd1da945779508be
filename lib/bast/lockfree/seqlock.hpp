// SPDX-License-Identifier: Apache-2.0
//
// `seqlock`: a value that one thread writes and any thread copies. A writer never waits; a reader
// that meets a write tries again.
//
//   sequence_   even: the value is whole       odd: a write is under way
//
// The words are atomic, so that a copy that is thrown away is no data race. The orders are those of
// Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?", MSPC 2012.
#pragma once

#include <array>
#include <atomic>
#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

/// `T` is trivially copyable and default-constructible.
template <class T, class Atomics = os::real_atomics>
class basic_seqlock {
  static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);

 public:
  basic_seqlock() : basic_seqlock(T{}) {}
  explicit basic_seqlock(const T& first) { copy_in(first); }
  basic_seqlock(const basic_seqlock&) = delete;
  basic_seqlock& operator=(const basic_seqlock&) = delete;
  ~basic_seqlock() = default;

  /// One thread at a time; who takes turns orders them by other means. Wait-free. Memory ordering:
  /// what came before it happens before a read that returns `value`.
  void write(const T& value) {
    // Relaxed: this thread alone writes it.
    const std::size_t before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    // Pairs with the acquire fence in try_read(): who copied a word of this write sees an odd, or
    // later, sequence.
    Atomics::fence(std::memory_order_release);
    copy_in(value);
    // Release: pairs with the acquire in try_read().
    sequence_.store(before + 2, std::memory_order_release);
  }

  /// Any thread. False if a write was under way; `value` is then of no use. Wait-free.
  [[nodiscard]] bool try_read(T& value) const {
    // Acquire: pairs with the last release in write().
    const std::size_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2 != 0) return false;
    auto* const bytes = reinterpret_cast<std::byte*>(&value);
    // A word at a time, straight to where it is read: words gathered in an array first are read
    // back by wider loads, which wait for the stores (2.5 instead of 7 ns with GCC 12).
    for (std::size_t i = 0; i < words; ++i) {
      // Relaxed: ordered by the fences.
      const std::uint64_t word = words_[i].load(std::memory_order_relaxed);
      const std::size_t left = sizeof(T) - 8 * i;
      std::memcpy(bytes + 8 * i, &word, left < 8 ? left : 8);
    }
    // Pairs with the release fence in write().
    Atomics::fence(std::memory_order_acquire);
    return sequence_.load(std::memory_order_relaxed) == before;
  }

  /// Any thread: tries until no write is under way. A writer that is stopped in a write makes
  /// readers spin, then sleep up to 1 ms at a time.
  [[nodiscard]] T read() const {
    T value{};
    for (unsigned round = 0; !try_read(value); ++round) Atomics::relax(round);
    return value;
  }

 private:
  static constexpr std::size_t words = (sizeof(T) + 7) / 8;

  void copy_in(const T& value) {
    std::array<std::uint64_t, words> copy = {};
    std::memcpy(copy.data(), &value, sizeof(T));
    // Relaxed: ordered by the fences.
    for (std::size_t i = 0; i < words; ++i) words_[i].store(copy[i], std::memory_order_relaxed);
  }

  typename Atomics::template atomic<std::size_t> sequence_{0};
  typename Atomics::template atomic<std::uint64_t> words_[words];
};

template <class T>
using seqlock = basic_seqlock<T>;

}  // namespace bast::inline BAST_ABI
