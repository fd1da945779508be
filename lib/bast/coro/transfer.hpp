// SPDX-License-Identifier: Apache-2.0
//
// The two halves of a switch in the coroutine layer: all state besides the registers that each side
// must exchange, in the required order. Inlined into the caller for speed; see
// docs/context-switch.md.
#pragma once

#include "bast/coro/thread.hpp"

namespace bast::inline BAST_ABI::internal {

/// Runs `block` until it suspends or finishes. `running` is its tag in state running: passed in
/// rather than computed from the block's, so that a switch does not wait for the previous switch's
/// store of the tag.
[[gnu::always_inline]] inline void run_plainly(coro_block& block, thread_state& thread,
                                               coro_tag running) noexcept {
  block.tag = running;
  coro_block* const resumer = thread.current;
  if (resumer == nullptr) [[likely]] {
    thread.current = &block;
    thread.resumer.hooks.leave(block.hooks, stack_pool::bounds_of(*block.stack), &block);
    arch::switch_context(thread.resumer.context, block.context);
    thread.resumer.hooks.arrive(&thread);
    thread.current = nullptr;
  } else {                                 // A coroutine resumes another: nested.
    resumer_state outer = thread.resumer;  // leave_slowly may replace it meanwhile
    coro_block* const outer_resuming = thread.resuming;
    if (outer_resuming == nullptr) thread.outermost = &outer;
    thread.resuming = resumer;
    resumer->links = {.newest = &thread.resumer.context, .outer = &outer.context};
    // Only after `resuming` is set: writes to this stack up to here may have grown it.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    thread.current = &block;
    thread.resumer.hooks.leave(block.hooks, stack_pool::bounds_of(*block.stack), &block);
    arch::switch_context(thread.resumer.context, block.context);
    thread.resumer.hooks.arrive(&thread);
    if (!BAST_MUTANT(nested_resumer_forgotten)) thread.resumer = outer;
    thread.current = resumer;
    thread.resuming = outer_resuming;
  }
}

/// Suspends the running `block`, whose tag is `tag`, and returns when it is resumed.
[[gnu::always_inline]] inline void suspend_plainly(coro_block& block, thread_state& thread,
                                                   coro_tag tag) noexcept {
  block.tag = with_state(tag, coro_state::suspended);
  block.hooks.leave(thread.resumer.hooks, {}, &thread);
  arch::switch_context(block.context, thread.resumer.context);
  block.hooks.arrive(&block);
}

/// State that belongs to a flow of control but lives in the thread: the exception state and, for a
/// coroutine that requested it, the floating-point control words. Each side saves its own before it
/// leaves, leaves the thread's empty, and restores its own when it returns (F-7).
class set_aside {
 public:
  set_aside(thread_state& thread, coro_tag tag) noexcept
      : exceptions_(*thread.exceptions), own_float_((tag & flag_own_float) != 0) {
    *thread.exceptions = {};
    if (own_float_) float_ = arch::float_control::read();
  }
  void restore(thread_state& thread) const noexcept {
    *thread.exceptions = exceptions_;
    if (own_float_ && !BAST_MUTANT(float_control_not_restored)) float_.write();
  }
  const arch::float_control& float_words() const noexcept { return float_; }
  /// Returns true if there is nothing to set aside and no coroutine is being unwound: the usual
  /// case, two loads and two branches.
  [[gnu::always_inline]] static bool unnecessary(const thread_state& thread,
                                                 coro_tag tag) noexcept {
    const bool nothing_in_flight = thread.exceptions->empty();
    return (nothing_in_flight || BAST_MUTANT(exceptions_not_set_aside)) &&
           (tag & (flag_own_float | flag_unwinding)) == 0;
  }

 private:
  arch::exception_state exceptions_;
  bool own_float_;
  arch::float_control float_;
};

/// run_plainly() and suspend_plainly() inside a set_aside: for handlers, destructors and
/// own_float_control.
[[gnu::noinline]] void run_setting_aside(coro_block& block, thread_state& thread,
                                         coro_tag running) noexcept;
[[gnu::noinline]] void suspend_setting_aside(coro_block& block, thread_state& thread) noexcept;

/// run() for a coroutine whose tag has none of the flags that `unnecessary` checks.
[[gnu::always_inline]] inline void run_usual(coro_block& block, thread_state& thread,
                                             coro_tag running) noexcept {
  if (thread.exceptions->empty() || BAST_MUTANT(exceptions_not_set_aside)) [[likely]] {
    run_plainly(block, thread, running);
  } else {
    run_setting_aside(block, thread, running);
  }
}

[[gnu::always_inline]] inline void run(coro_block& block, thread_state& thread,
                                       coro_tag running) noexcept {
  if (set_aside::unnecessary(thread, running)) [[likely]] {
    run_plainly(block, thread, running);
  } else {
    run_setting_aside(block, thread, running);
  }
}

/// Ends the running `block`, whose outcome is stored: never returns.
[[noreturn, gnu::always_inline]] inline void finish(coro_block& block, coro_tag flags) noexcept {
  block.tag = with_state(block.tag, coro_state::finished) | flags;
  thread_state& thread = this_thread;
  block.hooks.leave_for_good(thread.resumer.hooks, {}, &thread);
  arch::leave_for(thread.resumer.context);
}

}  // namespace bast::inline BAST_ABI::internal
