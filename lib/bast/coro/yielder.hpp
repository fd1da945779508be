// SPDX-License-Identifier: Apache-2.0
//
// `yielder`: suspends its coroutine. Each coroutine's function receives its own.
#pragma once

#include <type_traits>
#include <utility>

#include "bast/coro/transfer.hpp"
#include "bast/coro/unwind.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// Suspends the calling coroutine, which must be `block`: anything else would suspend another
/// coroutine's frames and ends the process. During unwinding it throws and never switches
/// (F-10, F-11). `value` is passed to the resumer if Crosses.
template <bool Crosses = false>
[[gnu::always_inline]] inline void suspend_self(coro_block& block, void* value = nullptr) {
  thread_state& thread = this_thread;
  BAST_CHECK(thread.current == &block, "a yielder was used outside its coroutine");
  const coro_tag tag = block.tag;
  if (set_aside::unnecessary(thread, tag)) [[likely]] {
    if constexpr (Crosses) block.transfer = value;
    suspend_plainly(block, thread, tag);
  } else {
#if BAST_EXCEPTIONS
    if ((tag & flag_unwinding) != 0 && !BAST_MUTANT(suspends_while_unwinding))
      refuse_suspension(block);
#endif
    if constexpr (Crosses) block.transfer = value;
    suspend_setting_aside(block, thread);
  }
#if BAST_EXCEPTIONS
  if ((block.tag & flag_unwinding) != 0) [[unlikely]]
    throw_forced_unwind();
#endif
}

/// A value crosses a switch by one move, from one side's frame to the other's.
template <class T>
inline constexpr bool can_cross =
    std::is_void_v<T> || (std::is_object_v<T> && std::is_nothrow_move_constructible_v<T>);

}  // namespace internal

/// Yields values of type `Yield` and receives values of type `Resume`; either may be void. Belongs
/// to one coroutine: use anywhere else ends the process. Throws `forced_unwind` if the coroutine is
/// released while suspended.
template <class Yield = void, class Resume = void>
class yielder {
  static_assert(internal::can_cross<Yield>, "values that are yielded must be nothrow movable");
  static_assert(internal::can_cross<Resume>, "values that resume must be nothrow movable");

 public:
  explicit yielder(internal::coro_block& block) noexcept : block_(block) {}
  yielder(const yielder&) = delete;
  yielder& operator=(const yielder&) = delete;
  ~yielder() = default;

  /// Suspends and passes `value` to the resumer; returns the value of the next resume.
  template <class V = Yield>
    requires(!std::is_void_v<Yield> && std::is_convertible_v<V, Yield>)
  [[gnu::always_inline]] Resume yield(V&& value) {
    Yield crossing(std::forward<V>(value));
    internal::suspend_self<true>(block_, &crossing);
    return answer();
  }
  [[gnu::always_inline]] Resume yield()
    requires(std::is_void_v<Yield>)
  {
    internal::suspend_self(block_);
    return answer();
  }

 private:
  [[gnu::always_inline]] Resume answer() noexcept {
    if constexpr (!std::is_void_v<Resume>) {
      return std::move(*static_cast<Resume*>(block_.transfer));
    }
  }
  internal::coro_block& block_;
};

}  // namespace bast::inline BAST_ABI
