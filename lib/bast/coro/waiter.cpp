// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/waiter.hpp"

#include "bast/coro/no_suspension.hpp"
#include "bast/coro/ready_queue.hpp"

namespace bast::inline BAST_ABI::internal {

result<void> waiter::check(static_string operation, const executor* home) noexcept {
  const coro_block* const running = this_thread.current;
  if (running == nullptr && this_thread.suspension_forbidden != 0) {
    return fail(errc::bad_state, operation, "what an event loop calls may not wait");
  }
  if (running == nullptr) {
    if (this_thread.scheduler == nullptr) return {};
    return fail(errc::deadlock, operation,
                "the thread of a worker would wait outside a fiber: spawn one");
  }
  if (is_stand_in(*running)) {
    return fail(errc::bad_state, operation, "a cancellation callback may not suspend");
  }
  if (home == nullptr) {
    return fail(errc::not_in_fiber, operation,
                "no executor would resume this coroutine: create a ready_queue, an epoll_adapter "
                "or a uring_adapter on its thread");
  }
  if (home->is_forked()) {
    return fail(errc::forked, operation, "the scheduler of the parent is not in this process");
  }
  // A scheduler would suspend those that have resumed it, too.
  if (home == this_thread.scheduler &&
      (this_thread.suspension_forbidden != 0 || !home->runs_one())) {
    return fail(errc::bad_state, operation, "what has resumed this coroutine may not suspend");
  }
  return {};
}

executor* waiter::executor_here() noexcept {
  if (this_thread.current == nullptr) return nullptr;
  if (this_thread.scheduler != nullptr) return this_thread.scheduler;
  return ready_queue::of_this_thread();
}

}  // namespace bast::inline BAST_ABI::internal
