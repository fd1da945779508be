// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/ready_queue.hpp"

#include <utility>

#include "bast/coro/no_suspension.hpp"
#include "bast/coro/park.hpp"

namespace bast::inline BAST_ABI {

namespace {

/// The latest queue of the thread. Its address identifies the thread while that lives.
constinit thread_local ready_queue* queue_of_thread = nullptr;

}  // namespace

/// Marks the queues of a thread when that ends, so that other threads may destroy them.
struct ready_queue::thread_lease {
  bool taken = false;
  constexpr thread_lease() = default;
  thread_lease(const thread_lease&) = delete;
  thread_lease& operator=(const thread_lease&) = delete;
  ~thread_lease() {
    for (ready_queue* each = queue_of_thread; each != nullptr; each = each->outer_) {
      // Release: pairs with the acquire in may_be_used_here.
      each->thread_ended_.store(true, std::memory_order_release);
    }
  }
};

ready_queue::ready_queue(wake_hook hook) noexcept
    : abandonable(abandoned), hook_(hook), thread_(&queue_of_thread), outer_(queue_of_thread) {
  static constinit thread_local thread_lease lease;
  lease.taken = true;  // The first access registers the destructor.
  queue_of_thread = this;
  mark();
}

ready_queue::~ready_queue() {
  unmark();
  end();
}

void ready_queue::abandoned(internal::abandonable& self) noexcept {
  static_cast<ready_queue&>(self).end();
}

void ready_queue::end() noexcept {
  BAST_CHECK(is_forked() || may_be_used_here(),
             "a ready_queue is destroyed by another thread while its own still runs");
  // Queues may end in any order. On another thread nothing is found.
  for (ready_queue** at = &queue_of_thread; *at != nullptr; at = &(*at)->outer_) {
    if (*at != this) continue;
    *at = outer_;
    break;
  }
  if (is_forked()) return;
  BAST_CHECK(waiting_ == 0, "a ready_queue was destroyed while a coroutine waits to be continued");
  BAST_CHECK(!running_, "a ready_queue was destroyed by a coroutine that it resumed");
  // Acquire: pairs with the release at the end of wake().
  for (unsigned round = 0; wakers_.load(std::memory_order_acquire) != 0;) {
    os::real_atomics::relax(round++);
  }
}

ready_queue* ready_queue::latest() noexcept { return queue_of_thread; }

ready_queue* ready_queue::of_this_thread() noexcept {
  ready_queue* at = latest();
  while (at != nullptr && at->is_forked()) at = at->outer_;
  return at;
}

bool ready_queue::is_of_this_thread() const noexcept { return thread_ == &queue_of_thread; }

bool ready_queue::has_ready() const noexcept {
  return (ready_.size() != 0 || !ready_.inbox_empty()) && !is_forked();
}

std::size_t ready_queue::run() noexcept {
  BAST_CHECK(is_of_this_thread(), "a ready_queue is run on a thread other than its own");
  if (is_forked()) return 0;
  ready_.collect();
  std::size_t continued = 0;
  const bool was_running = running_;
  for (std::size_t left = ready_.size(); left != 0; --left) {
    internal::ready_link* const next = ready_.pop();
    if (next == nullptr) break;  // A nested run() resumed it.
    if (!next->parked || !internal::is_parked(*next->coroutine)) {
      // It has not parked yet, or is being released: run again later, or forget() removes it.
      ready_.append(*next);
      continue;
    }
    next->parked = false;
    --waiting_;
    running_ = true;
    internal::continue_parked(*next->coroutine);
    running_ = was_running;
    ++continued;
  }
  return continued;
}

void ready_queue::tell() noexcept {
  if (hook_.wake == nullptr || BAST_MUTANT(loop_not_told)) return;
  const internal::no_suspension guard;
  hook_.wake(hook_.context);
}

void ready_queue::wake(internal::ready_link& who) noexcept {
  if (is_of_this_thread()) {
    if (ready_.push(who) && !attended_) tell();
    return;
  }
  // Relaxed: push() publishes it to the queue's thread before that can destroy the queue.
  wakers_.fetch_add(1, std::memory_order_relaxed);
  if (ready_.push(who)) tell();
  // Release: pairs with the acquire in end(). The last access.
  wakers_.fetch_sub(1, std::memory_order_release);
}

void ready_queue::park(internal::ready_link& who) {
  who.parked = true;
  ++waiting_;
  internal::park();
}

void ready_queue::forget(internal::ready_link& who, bool woken) noexcept {
  if (std::exchange(who.parked, false)) --waiting_;
  if (woken && !BAST_MUTANT(left_in_the_queue)) ready_.remove(who);
}

}  // namespace bast::inline BAST_ABI
