// SPDX-License-Identifier: Apache-2.0
//
// Direct switches between scheduled coroutines: one that waits or ends switches to the next without
// returning to their common resumer (docs/context-switch.md). The thread runs the first one with
// `run`, which returns when one of them calls `park_for_resumer` or `finish_for_resumer`.
//
//   thread           A                B                C
//   run(A) ------->  ...
//                    switch_to(B) ->  ...
//                                     finish_to(C) ->  first_arrival(): takes the stack of B back
//                    (ready again)                     ...
//                    ...  <--------------------------- switch_to(A)
//                    park_for_resumer()
//   ...  <---------
//
//   I1  A scheduled coroutine suspends by these functions only, and its entry function begins with
//       first_arrival: the target of a switch completes what its predecessor could not do on its
//       own stack.
//   I2  The stack of a finished coroutine is in use until the next one runs. So the next one
//       returns it, by thread_state::recycle, which may settle or scrub it.
//   I3  A raw coroutine that a scheduled one resumed runs nested and may wait too. It is then the
//       one to be continued and counts as scheduled. Everything below it in the nest stays running
//       for every handle. The outermost coroutine of a nest is a scheduled one.
#pragma once

#include "bast/coro/transfer.hpp"

namespace bast::inline BAST_ABI::internal {

/// Prepares `block` to run `entry` at its first switch or run, on `stack` below `top`; the caller
/// owns what is above. Gives the block no thread: the thread that runs it sets its own
/// (running_here).
inline void bind(coro_block& block, slot& stack, std::byte* top,
                 arch::entry_function entry) noexcept {
  block.stack = &stack;
  attachment_of(block) = nullptr;
  arch::prepare(block.context, top - reinterpret_cast<std::uintptr_t>(top) % arch::stack_alignment,
                entry);
}

/// The tag of a coroutine that the calling thread is about to run, started or not.
inline coro_tag running_here(coro_tag tag) noexcept {
  constexpr coro_tag kept = ~(tag_thread_mask | tag_state_mask | flag_parked);
  return (tag & kept) | this_thread.tag | static_cast<coro_tag>(coro_state::running);
}

/// The arriving coroutine's work for the one that left.
[[gnu::always_inline]] inline void complete_arrival(thread_state& thread) noexcept {
  thread.resuming = nullptr;
  if (coro_block* const gone = thread.ended) [[unlikely]] {
    thread.ended = nullptr;
    thread.recycle(*gone);
  }
}

/// Must be the first call of a scheduled coroutine's entry function.
[[gnu::always_inline]] inline void first_arrival(coro_block& block) noexcept {
  block.hooks.arrive(&block);
  complete_arrival(this_thread);
}

/// The unusual cases. `to` is null: switches to the resumer of the first coroutine.
[[gnu::noinline]] void leave_slowly(coro_block* to, coro_tag running) noexcept;

/// Parks the running coroutine and runs `to`; returns when it is continued, at once if `to` is the
/// running one. `running` is running_here() of the tag of `to`. Ends the process in code that may
/// not suspend (thread_state::suspension_forbidden). The caller checks whether the running
/// coroutine is being unwound.
[[gnu::always_inline]] inline void switch_to(coro_block& to, coro_tag running) noexcept {
  thread_state& thread = this_thread;
  coro_block& from = *thread.current;
  BAST_ASSERT(thread.suspension_forbidden == 0);
  if (thread.resuming != nullptr || &to == &from ||
      !set_aside::unnecessary(thread, from.tag | running)) [[unlikely]] {
    return leave_slowly(&to, running);
  }
  from.tag = with_state(from.tag, coro_state::suspended) | flag_parked;
  to.tag = running;
  thread.resuming = &from;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // as in run_plainly
  thread.current = &to;
  from.hooks.leave(to.hooks, stack_pool::bounds_of(*to.stack), &to);
  arch::switch_context(from.context, to.context);
  from.hooks.arrive(&from);
  complete_arrival(thread);
}

/// Parks the running coroutine and continues the resumer of the first.
inline void park_for_resumer() noexcept { leave_slowly(nullptr, 0); }

/// Own control words end with a coroutine that leaves and begin with one that arrives.
[[gnu::always_inline]] inline void hand_float_control_over(thread_state& thread,
                                                           bool next_is_own) noexcept {
  if (thread.float_is_own) [[unlikely]] {
    thread.shared_float->write();
  } else if (next_is_own) [[unlikely]] {
    thread.share_float();
  }
  thread.float_is_own = next_is_own;
}

/// Ends the running coroutine, which is not nested, and runs `to`: never returns. `flags` as for
/// finish(). Its entry function has stored the outcome; its stack is not used again.
[[noreturn, gnu::always_inline]] inline void finish_to(coro_block& to, coro_tag running,
                                                       coro_tag flags = 0) noexcept {
  thread_state& thread = this_thread;
  coro_block& from = *thread.current;
  BAST_ASSERT(thread.resuming == nullptr);
  hand_float_control_over(thread, (running & flag_own_float) != 0);
  from.tag = with_state(from.tag, coro_state::finished) | flags;
  thread.ended = &from;
  to.tag = running;
  thread.resuming = &from;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread.current = &to;
  from.hooks.leave_for_good(to.hooks, stack_pool::bounds_of(*to.stack), &to);
  arch::leave_for(to.context);
}

/// The same, to the resumer of the first, which returns the stack.
[[noreturn, gnu::always_inline]] inline void finish_for_resumer(coro_tag flags = 0) noexcept {
  thread_state& thread = this_thread;
  BAST_ASSERT(thread.resuming == nullptr);
  hand_float_control_over(thread, false);
  finish(*thread.current, flags);
}

}  // namespace bast::inline BAST_ABI::internal
