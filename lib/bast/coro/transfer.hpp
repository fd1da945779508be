// SPDX-License-Identifier: Apache-2.0
//
// The two halves of a switch as the coroutine layer sees it: everything that must be exchanged
// besides the registers, on each side, in the order in which it must happen. Inlined into the
// caller, because that is what makes the switch cheap; see docs/context-switch.md.
#pragma once

#include "bast/coro/thread.hpp"

namespace bast::internal {

/// Sets aside what belongs to this flow of control but lives in the thread: the exception state,
/// and, for a coroutine that asked for it, the floating-point control words. Puts it back when
/// control returns (F-7).
class set_aside {
 public:
  [[gnu::always_inline]] set_aside(thread_state& thread, coro_tag tag) noexcept
      : exceptions_(*thread.exceptions), own_float_((tag & flag_own_float) != 0) {
    if (!exceptions_.empty()) [[unlikely]]
      *thread.exceptions = {};
    if (own_float_) [[unlikely]]
      float_ = arch::float_control::read();
  }
  [[gnu::always_inline]] void restore(thread_state& thread) const noexcept {
    if (!exceptions_.empty()) [[unlikely]]
      *thread.exceptions = exceptions_;
    if (own_float_) [[unlikely]]
      float_.write();
  }

 private:
  arch::exception_state exceptions_;
  bool own_float_;
  arch::float_control float_;
};

/// Runs `block` until it suspends or finishes. Its tag is ready or suspended.
[[gnu::always_inline]] inline void run(coro_block& block, thread_state& thread) noexcept {
  const set_aside mine(thread, block.tag);
  coro_block* const resumer = thread.current;
  thread.current = &block;
  block.tag = with_state(block.tag, coro_state::running);
  block.hooks.before_resume(stack_pool::bounds_of(*block.stack));
  arch::exchange(block.context);
  block.hooks.after_resume();
  thread.current = resumer;
  mine.restore(thread);
}

/// Suspends the running `block` and returns when it is resumed. Its tag is still running.
[[gnu::always_inline]] inline void suspend(coro_block& block, thread_state& thread) noexcept {
  const set_aside mine(thread, block.tag);
  block.tag = with_state(block.tag, coro_state::suspended);
  block.hooks.before_suspend();
  arch::exchange(block.context);
  block.hooks.after_suspend();
  mine.restore(thread);
}

/// Ends the running `block`: never returns. `outcome` stays where it is until it is taken.
[[noreturn, gnu::always_inline]] inline void finish(coro_block& block, void* outcome,
                                                    coro_tag flags) noexcept {
  block.transfer = outcome;
  block.tag = with_state(block.tag, coro_state::finished) | flags;
  block.hooks.before_exit();
  arch::exchange(block.context);
  __builtin_unreachable();
}

}  // namespace bast::internal
