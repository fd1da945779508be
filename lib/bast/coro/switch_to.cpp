// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/switch_to.hpp"

namespace bast::inline BAST_ABI::internal {

void leave_slowly(coro_block* to, coro_tag running) noexcept {
  thread_state& thread = this_thread;
  coro_block& from = *thread.current;
  BAST_CHECK(thread.suspension_forbidden == 0, "a coroutine waits in code that may not suspend");
  if (to == &from) return;
  const arch::exception_state exceptions = *thread.exceptions;
  *thread.exceptions = {};

  const bool float_is_own = thread.float_is_own;
  arch::float_control own_float;
  if (float_is_own) own_float = arch::float_control::read();
  hand_float_control_over(thread, (running & flag_own_float) != 0);

  // I3: the nest continues here; the next coroutine finds the thread as it was before.
  const resumer_state nest = thread.resumer;
  resumer_state* const outermost = thread.outermost;
  coro_block* const resumer = thread.resuming;
  if (resumer != nullptr) {
    resumer->links.newest = &nest.context;
    thread.resumer = *outermost;
  }

  // I3: no handle may run or end a coroutine that waits for its scheduler.
  const coro_tag was_scheduled = from.tag & flag_scheduled;
  from.tag = with_state(from.tag, coro_state::suspended) | flag_parked |
             (resumer != nullptr ? flag_scheduled : 0);
  if (to != nullptr) {
    to->tag = running;
    thread.resuming = &from;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // as in run_plainly
    thread.current = to;
    from.hooks.leave(to->hooks, stack_pool::bounds_of(*to->stack), to);
    arch::switch_context(from.context, to->context);
  } else {
    thread.resuming = nullptr;
    from.hooks.leave(thread.resumer.hooks, {}, &thread);
    arch::switch_context(from.context, thread.resumer.context);
  }
  from.hooks.arrive(&from);
  complete_arrival(thread);

  if (resumer != nullptr) {
    // The thread may have entered `run` by another call, and the nest must end there.
    *outermost = thread.resumer;
    thread.resumer = nest;
    thread.outermost = outermost;
    thread.resuming = resumer;
    resumer->links.newest = &thread.resumer.context;
    from.tag = (from.tag & ~flag_scheduled) | was_scheduled;
  }
  if (float_is_own) {
    // It has no control words of its own, but a coroutine below it in the nest has.
    if (!thread.float_is_own) thread.share_float();
    own_float.write();
  }
  thread.float_is_own = float_is_own;
  *thread.exceptions = exceptions;
}

}  // namespace bast::inline BAST_ABI::internal
