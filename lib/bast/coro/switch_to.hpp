// SPDX-License-Identifier: Apache-2.0
//
// Switching straight on, for whoever schedules coroutines: one that waits or ends goes to the next,
// and not by way of whoever resumed the first (docs/context-switch.md). The thread runs the first
// with `run`, which comes back when one of them calls `park_for_resumer` or `finish_for_resumer`.
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
//   I1  A coroutine that is scheduled suspends by these functions only, and its entry function
//       begins with first_arrival: whoever is switched to completes what its predecessor could not
//       do on its own stack.
//   I2  The stack of one that ended is in use until the next one runs. So it is taken back there,
//       by thread_state::recycle, which may settle or scrub it.
//   I3  What runs nested, a raw coroutine that a scheduled one resumed, may wait as well. It is
//       what is continued then, and counts as scheduled meanwhile; everything below it stays as it
//       is: running, for every handle. The outermost of a nest is a scheduled one.
#pragma once

#include "bast/coro/transfer.hpp"

namespace bast::internal {

/// Prepares `block` to run `entry` at its first switch or run, on `stack` below `top`: what is
/// above is the caller's. Gives the block no thread: whoever runs it stamps its own (running_here).
inline void bind(coro_block& block, slot& stack, std::byte* top,
                 arch::entry_function entry) noexcept {
  block.stack = &stack;
  attachment_of(block) = nullptr;
  arch::prepare(block.context, top - reinterpret_cast<std::uintptr_t>(top) % arch::stack_alignment,
                entry);
}

/// The tag of a coroutine that the calling thread is about to run, whether it ran before or not.
inline coro_tag running_here(coro_tag tag) noexcept {
  constexpr coro_tag kept = ~(tag_thread_mask | tag_state_mask | flag_parked);
  return (tag & kept) | this_thread.tag | static_cast<coro_tag>(coro_state::running);
}

/// What an arriving coroutine does for the one that left.
[[gnu::always_inline]] inline void complete_arrival(thread_state& thread) noexcept {
  thread.resuming = nullptr;
  if (coro_block* const gone = thread.ended) [[unlikely]] {
    thread.ended = nullptr;
    thread.recycle(*gone);
  }
}

/// The first thing that the entry function of a scheduled coroutine does.
[[gnu::always_inline]] inline void first_arrival(coro_block& block) noexcept {
  block.hooks.arrive(&block);
  complete_arrival(this_thread);
}

/// Everything that is not the usual case. `to` is null: to whoever resumed the first.
[[gnu::noinline]] void leave_slowly(coro_block* to, coro_tag running) noexcept;

/// Parks what runs and runs `to`; returns when it is continued, at once where `to` is what runs.
/// `running` is running_here() of the tag of `to`. In code that may not suspend it ends the process
/// (thread_state::suspension_forbidden); whether what runs is being unwound the caller looks.
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

/// Parks what runs and continues whoever resumed the first.
inline void park_for_resumer() noexcept { leave_slowly(nullptr, 0); }

/// Control words of its own end with a coroutine that leaves, and begin with one that comes.
[[gnu::always_inline]] inline void hand_float_control_over(thread_state& thread,
                                                           bool next_is_own) noexcept {
  if (thread.float_is_own) [[unlikely]] {
    thread.shared_float->write();
  } else if (next_is_own) [[unlikely]] {
    thread.share_float();
  }
  thread.float_is_own = next_is_own;
}

/// Ends what runs, which is not nested, and runs `to`: never returns. `flags` as of finish(). Its
/// outcome is wherever its entry function put it; nothing of its stack is used again.
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

/// The same, to whoever resumed the first; that takes the stack back.
[[noreturn, gnu::always_inline]] inline void finish_for_resumer(coro_tag flags = 0) noexcept {
  thread_state& thread = this_thread;
  BAST_ASSERT(thread.resuming == nullptr);
  hand_float_control_over(thread, false);
  finish(*thread.current, nullptr, flags);
}

}  // namespace bast::internal
