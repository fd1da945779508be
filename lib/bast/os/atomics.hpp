// SPDX-License-Identifier: Apache-2.0
//
// `real_atomics`: what concurrent structures are built of. Such a structure is a template over it,
// so that the interleaving checker (stress/interleave) can run the very same code on atomics of its
// own, where each access is a place to switch to another thread; production pays nothing.
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

namespace bast::os {

struct real_atomics {
  template <class T>
  using atomic = std::atomic<T>;

  /// Data that is shared and not atomic: something else must order its uses. The checker reports
  /// two uses that nothing orders.
  template <class T>
  using plain = T;

  /// Sleeps while `word` is `expected`; may return for no reason, so callers loop. Kernel: futex,
  /// private to the process.
  static void wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
  /// Wakes everybody who sleeps on `word`, which may have ceased to exist: the kernel looks only at
  /// the address.
  static void wake_all(const std::atomic<std::uint32_t>* word) noexcept;

  /// The calling thread, among those that are alive. Never 0.
  static std::uintptr_t self() noexcept {
    static constinit thread_local char mine = 0;
    return reinterpret_cast<std::uintptr_t>(&mine);
  }

  /// Between two looks at a word that another thread is about to change; `round` counts them. The
  /// first 100 spin, the next 8 yield the processor, the others sleep, 50 us at first and 1 ms at
  /// most: a thread of a higher scheduling class that only yielded would keep out the one it waits
  /// for.
  static void relax(unsigned round) noexcept {
    if (round >= spins_max) [[unlikely]]
      return leave_processor(round - spins_max);
    arch::relax();
  }

 private:
  static constexpr unsigned spins_max = 100;
  static void leave_processor(unsigned round) noexcept;
};

/// A lock for short critical sections that no user code runs in, 1 byte, not recursive. Unlocking
/// is a store, which costs nothing beside the exchange of a lock that knows who sleeps: such a lock
/// made cancelling a tree half as fast again (bench: cancel). So a thread that finds it taken looks
/// again by itself.
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
      // Relaxed: it is only worth a try then.
      do Atomics::relax(round++);
      while (taken_.load(std::memory_order_relaxed));
      // Acquire: pairs with the release in unlock().
    } while (taken_.exchange(true, std::memory_order_acquire));
  }
  typename Atomics::template atomic<bool> taken_{false};
};

using lock = basic_lock<real_atomics>;

}  // namespace bast::os
