// SPDX-License-Identifier: Apache-2.0
//
// `real_atomics`: the atomic operations of concurrent structures. Such a structure is a template
// over it, so that the interleaving checker (stress/interleave) can run the same code on its own
// atomics, where each access may switch to another thread. Production code pays nothing.
//
//   template <class Atomics>
//   class mailbox {
//     typename Atomics::template atomic<std::uint32_t> state_{0};
//     typename Atomics::template plain<letter*> first_ = nullptr;  // what the state protects
//   };
#pragma once

#include <atomic>
#include <cstdint>

#include "bast/arch.hpp"

namespace bast::inline BAST_ABI::os {

struct [[gnu::visibility("default")]] real_atomics {
  template <class T>
  using atomic = std::atomic<T>;

  /// Shared data that is not atomic: something else must order its uses. The checker reports two
  /// uses without an order.
  template <class T>
  using plain = T;

  /// Sleeps while `word` is `expected`. May return spuriously, so callers loop. Kernel: futex,
  /// private to the process.
  static void wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
  /// As wait(), at most until `deadline_ns` (CLOCK_MONOTONIC; not negative). True if that has
  /// passed, false if it may not have, or the word differs. Never true early.
  [[nodiscard]] static bool wait_until(const std::atomic<std::uint32_t>& word,
                                       std::uint32_t expected, std::int64_t deadline_ns) noexcept;
  /// Wakes all threads that sleep on `word`. It need not exist any more: the kernel uses only the
  /// address.
  static void wake_all(const std::atomic<std::uint32_t>* word) noexcept;

  /// Memory whose uses something else must order: they are told the checker, and cost nothing here.
  struct watched {
    static void write() noexcept {}
  };

  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }

  /// Identifies the calling thread among the living ones. Never 0.
  static std::uintptr_t self() noexcept {
    static constinit thread_local char mine = 0;
    return reinterpret_cast<std::uintptr_t>(&mine);
  }

  /// For a loop, between two reads of a word that another thread is about to change; `round` counts
  /// them. The first 100 spin, the next 8 yield the processor, the others sleep, first 50 us and at
  /// most 1 ms: a thread of a higher scheduling class that only yielded would starve the one it
  /// waits for.
  static void relax(unsigned round) noexcept {
    if (round >= spins_max) [[unlikely]]
      return leave_processor(round - spins_max);
    arch::relax();
  }

 private:
  static constexpr unsigned spins_max = 100;
  static void leave_processor(unsigned round) noexcept;
};

/// A lock for short critical sections without user code, 1 byte, not recursive. Unlocking is a
/// plain store. A lock that records sleepers needs an exchange there, which made cancelling a tree
/// half as fast again (bench: cancel). So a waiting thread polls.
template <class Atomics>
class basic_lock {
 public:
  basic_lock() = default;
  basic_lock(const basic_lock&) = delete;
  basic_lock& operator=(const basic_lock&) = delete;
  ~basic_lock() = default;

  void lock() noexcept {
    // Acquire: pairs with the release in unlock().
    if (taken_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      lock_slowly();
  }
  void unlock() noexcept {
    // Release: pairs with the acquire in lock(). The last access to the lock.
    taken_.store(false, std::memory_order_release);
  }

 private:
  [[gnu::noinline]] void lock_slowly() noexcept {
    unsigned round = 0;
    do {
      // Relaxed: only decides whether to try.
      do Atomics::relax(round++);
      while (taken_.load(std::memory_order_relaxed));
      // Acquire: pairs with the release in unlock().
    } while (taken_.exchange(true, std::memory_order_acquire));
  }
  typename Atomics::template atomic<bool> taken_{false};
};

using lock = basic_lock<real_atomics>;

}  // namespace bast::inline BAST_ABI::os
