// SPDX-License-Identifier: Apache-2.0
//
// `abandonable`: a library object that may lie on a coroutine's stack while other objects point to
// it, for example a registered callback. Abandoning a stack runs no destructor and the next
// coroutine overwrites the stack. So abandonment first finds and ends the objects of this kind
// there (F-12). Afterwards nothing points into the abandoned stack.
//
// There is no list of them: it would slow down the hot path, and any thread may construct one on
// any stack. Instead, an object that others point to carries a mark: its own address, mixed with a
// secret of the process. Abandonment reads the stack from the suspension point to its top. A word
// that is the mark of its own address is such an object. Ended objects, copies at other addresses,
// and bytes chosen without knowing the secret do not match.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::inline BAST_ABI::internal {

class abandonable {
 public:
  /// Does what the destructor does to objects outside the stack. Called on the coroutine's thread,
  /// after the mark is removed. Runs no user code, but may wait for a callback on another thread.
  using end_function = void (*)(abandonable& self) noexcept;

  explicit abandonable(end_function end) noexcept : end_(end) {}
  abandonable(const abandonable&) = delete;
  abandonable& operator=(const abandonable&) = delete;
  ~abandonable() = default;

  /// Called before other objects point here.
  void mark() noexcept { set(mark_at(this)); }
  /// Called after the last pointer here is gone.
  void unmark() noexcept { set(0); }

  /// Ends the marked objects between `low`, the address of a word, and `high`.
  static void end_between(const std::byte* low, const std::byte* high) noexcept;
  /// Called before the first stack is created. Thread-safe.
  static void choose_secret() noexcept;

 private:
  static std::uintptr_t mark_at(const void* place) noexcept {
    return reinterpret_cast<std::uintptr_t>(place) ^ secret;
  }
  // The scan reads the object through its address alone, so all of it must be in memory.
  void set(std::uintptr_t mark) noexcept {
    mark_ = mark;
    asm volatile("" : : "r"(this) : "memory");
  }

  // The same on all threads. Needs no ordering: handing over a stack synchronises by other means.
  static constinit shared_word<std::uintptr_t> secret;

  std::uintptr_t mark_ = 0;  // first: its address is the object's
  end_function end_;
};

/// Ends the marked objects on the stack of a suspended coroutine. O(stack in use).
void end_abandonables(coro_block& suspended) noexcept;

}  // namespace bast::inline BAST_ABI::internal
