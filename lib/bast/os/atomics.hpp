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
  /// The same for one of them.
  static void wake_one(const std::atomic<std::uint32_t>* word) noexcept;

  /// The calling thread, among those that are alive. Never 0.
  static std::uintptr_t self() noexcept {
    static constinit thread_local char mine = 0;
    return reinterpret_cast<std::uintptr_t>(&mine);
  }

  /// Between two looks at a word that is about to change.
  static void relax() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
};

/// A lock for short critical sections that no user code runs in. 4 bytes, not recursive. Drepper,
/// "Futexes Are Tricky" (2011), the second mutex: 0 free, 1 taken, 2 taken and somebody may sleep.
template <class Atomics>
class basic_lock {
 public:
  basic_lock() = default;
  basic_lock(const basic_lock&) = delete;
  basic_lock& operator=(const basic_lock&) = delete;
  ~basic_lock() = default;

  void lock() noexcept {
    std::uint32_t found = 0;
    // Acquire: pairs with the release in unlock().
    if (state_.compare_exchange_strong(found, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) [[likely]]
      return;
    lock_slowly();
  }
  void unlock() noexcept {
    // Release: pairs with the acquire in lock().
    if (state_.exchange(0, std::memory_order_release) == 2) [[unlikely]]
      Atomics::wake_one(&state_);
  }

 private:
  [[gnu::noinline]] void lock_slowly() noexcept {
    // Acquire: pairs with the release in unlock().
    while (state_.exchange(2, std::memory_order_acquire) != 0) Atomics::wait(state_, 2);
  }
  typename Atomics::template atomic<std::uint32_t> state_{0};
};

using lock = basic_lock<real_atomics>;

}  // namespace bast::os
