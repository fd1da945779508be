// SPDX-License-Identifier: Apache-2.0
//
// `abandonable`: an object of the library's that something else points to, a registered callback,
// say, and that may lie on a coroutine's stack. When that stack is abandoned no destructor runs,
// and the next coroutine writes over it; so objects of this kind are looked for there and ended
// first (F-12). Nothing outside leads into an abandoned stack.
//
// There is no list of them, because the hot path would pay for it, and because anyone may make one
// on anyone's stack, on any thread. Instead an object that others point to carries a mark: its own
// address, mixed with a secret of the process. Abandoning reads the stack from where the coroutine
// is suspended to its top; a word that is the mark of its own address is one. Nothing else is:
// neither what was ended, nor a copy elsewhere, nor bytes that somebody chose who does not know the
// secret.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::internal {

class abandonable {
 public:
  /// Does what its destructor does for the sake of others. Called on the thread of the coroutine,
  /// unmarked. Runs no code of the user's, but may wait while a callback runs on another thread.
  using end_function = void (*)(abandonable& self) noexcept;

  explicit abandonable(end_function end) noexcept : end_(end) {}
  abandonable(const abandonable&) = delete;
  abandonable& operator=(const abandonable&) = delete;
  ~abandonable() = default;

  /// From before others point here ...
  void mark() noexcept { set(mark_at(this)); }
  /// ... to when they do no longer.
  void unmark() noexcept { set(0); }

  /// Ends what is marked between `low`, the address of a word, and `high`.
  static void end_between(const std::byte* low, const std::byte* high) noexcept;
  /// Before the first stack. Thread-safe.
  static void choose_secret() noexcept;

 private:
  static std::uintptr_t mark_at(const void* place) noexcept {
    return reinterpret_cast<std::uintptr_t>(place) ^ secret;
  }
  // The object is read through its address alone, later and elsewhere: all of it must be in memory.
  void set(std::uintptr_t mark) noexcept {
    mark_ = mark;
    asm volatile("" : : "r"(this) : "memory");
  }

  // The same for all threads; no order is needed, because a stack was handed over by other means.
  static constinit shared_word<std::uintptr_t> secret;

  std::uintptr_t mark_ = 0;  // first: its address is the object's
  end_function end_;
};

/// Ends what is marked on the stack of a suspended coroutine. O(stack in use).
void end_abandonables(coro_block& suspended) noexcept;

}  // namespace bast::internal
