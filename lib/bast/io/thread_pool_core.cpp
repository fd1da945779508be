// SPDX-License-Identifier: Apache-2.0
#include "bast/io/thread_pool_core.hpp"

#include <new>

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::size_t threads_limit = 32'768;
/// The pool whose task the calling thread runs.
constinit thread_local const thread_pool_core* pool_of_thread = nullptr;

}  // namespace

result<thread_pool_core*> thread_pool_core::create(const thread_pool_options& options) noexcept {
  constexpr const char* operation = "thread_pool.create";
  if (options.threads_max == 0 || options.threads_max > threads_limit) {
    return fail(errc::invalid, operation, "threads_max must be between 1 and 32,768",
                static_cast<std::int64_t>(options.threads_max));
  }
  if (options.queue_max == 0) {
    return fail(errc::invalid, operation, "queue_max must be at least 1", 0);
  }
  void* const workers = os::allocate(options.threads_max * sizeof(worker));
  void* const place = workers != nullptr ? os::allocate(sizeof(thread_pool_core)) : nullptr;
  if (place == nullptr) {
    os::deallocate(workers);
    return fail(errc::no_memory, operation, "no memory for the pool");
  }
  return ::new (place) thread_pool_core(options, static_cast<worker*>(workers));
}

thread_pool_core::thread_pool_core(const thread_pool_options& options, worker* workers) noexcept
    : options_(options), workers_(workers) {
  // From the last: the first starts first.
  for (std::size_t i = options_.threads_max; i-- != 0;) {
    worker& made = *::new (static_cast<void*>(workers_ + i)) worker;
    made.pool = this;
    push(spare_, made);
  }
}

thread_pool_core::~thread_pool_core() {
  BAST_CHECK(closed_ || is_forked(), "a thread_pool ends that was not shut down");
  for (std::size_t i = 0; i < options_.threads_max; ++i) {
    if (is_forked()) workers_[i].thread.forget();
    workers_[i].~worker();
  }
  os::deallocate(workers_);
}

void thread_pool_core::drop() noexcept {
  // Acquire and release: pairs with the drops of the other holders.
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~thread_pool_core();
  os::deallocate(this);
}

thread_pool_core::worker* thread_pool_core::pop(worker*& list) noexcept {
  worker* const first = list;
  if (first != nullptr) list = first->next;
  return first;
}

void thread_pool_core::push(worker*& list, worker& member) noexcept {
  member.next = list;
  list = &member;
}

void thread_pool_core::ring(worker& sleeper) noexcept {
  // Release: pairs with the acquire in work(). The record lives until its thread is joined.
  sleeper.bell.store(1, std::memory_order_release);
  os::real_atomics::wake_all(&sleeper.bell);
}

result<void> thread_pool_core::submit(pool_task& task, static_string operation) noexcept {
  // Without the lock, which a thread of the parent may have held.
  if (is_forked()) return fail(errc::forked, operation, "the threads are those of the parent");
  lock_.lock();
  // While the first thread is being started no other task is queued: it might not come (I5).
  for (unsigned round = 0; live_ == 0 && starting_ != 0;) {
    lock_.unlock();
    os::real_atomics::relax(round++);
    lock_.lock();
  }
  if (closed_) {
    lock_.unlock();
    return fail(errc::closed, operation, "the thread_pool was shut down");
  }
  if (queue_.size() >= options_.queue_max) {
    lock_.unlock();
    return fail(errc::limit, operation, "queue_max tasks wait for a thread of the pool",
                static_cast<std::int64_t>(options_.queue_max));
  }
  task.queued = true;
  queue_.append(task);
  worker* const sleeper = pop(idle_);
  worker* const fresh = sleeper == nullptr ? pop(spare_) : nullptr;
  starting_ += fresh != nullptr ? 1 : 0;
  lock_.unlock();
  if (sleeper != nullptr) ring(*sleeper);
  return fresh != nullptr ? start_thread(*fresh, task) : result<void>();
}

/// I2. The caller is counted in starting_. A failure matters only if no thread will take the task.
result<void> thread_pool_core::start_thread(worker& fresh, pool_task& task) noexcept {
  auto made = os::thread::start(
      [](void* self) -> void* {
        auto& mine = *static_cast<worker*>(self);
        mine.pool->work(mine);
        return nullptr;
      },
      &fresh);
  result<void> outcome;
  lock_.lock();
  if (made) {
    fresh.thread = *std::move(made);
    ++live_;
  } else {
    push(spare_, fresh);
    if (live_ == 0 && task.queued) {
      queue_.remove(task);
      task.queued = false;
      outcome = std::unexpected(made.error());
    }
  }
  --starting_;
  lock_.unlock();  // The last access to the pool.
  return outcome;
}

void thread_pool_core::work(worker& self) noexcept {
  pool_of_thread = this;
  lock_.lock();
  while (true) {
    if (pool_task* const task = queue_.pop()) {
      task->queued = false;
      ++running_;
      lock_.unlock();
      task->run(*task);
      lock_.lock();
      --running_;
      continue;
    }
    if (closed_) break;
    // Relaxed: the lock orders it before the ring().
    self.bell.store(0, std::memory_order_relaxed);
    push(idle_, self);
    lock_.unlock();
    // Acquire: pairs with the release in ring().
    while (self.bell.load(std::memory_order_acquire) == 0) os::real_atomics::wait(self.bell, 0);
    lock_.lock();
  }
  lock_.unlock();
}

bool thread_pool_core::withdraw(pool_task& task) noexcept {
  if (is_forked()) return false;
  lock_.lock();
  const bool is_mine = task.queued;
  if (is_mine) {
    queue_.remove(task);
    task.queued = false;
  }
  lock_.unlock();
  return is_mine;
}

result<void> thread_pool_core::shut_down(pool_task_list& rest) noexcept {
  if (is_forked()) return {};
  if (pool_of_thread == this) {
    return fail(errc::deadlock, "thread_pool.shut_down",
                "a task of the pool would wait for itself");
  }
  lock_.lock();
  if (closed_) {
    lock_.unlock();
    return {};
  }
  closed_ = true;
  while (pool_task* const task = queue_.pop()) {
    task->queued = false;
    rest.append(*task);
  }
  worker* sleeping = std::exchange(idle_, nullptr);
  for (unsigned round = 0; starting_ != 0;) {
    lock_.unlock();
    os::real_atomics::relax(round++);
    lock_.lock();
  }
  lock_.unlock();
  while (worker* const sleeper = pop(sleeping)) ring(*sleeper);
  for (std::size_t i = 0; i < options_.threads_max; ++i) {
    if (workers_[i].thread.joinable()) workers_[i].thread.join();
  }
  return {};
}

thread_pool_stats thread_pool_core::stats() const noexcept {
  if (is_forked()) return {};
  lock_.lock();
  const thread_pool_stats now{.threads = closed_ ? 0 : live_,
                              .running = running_,
                              .queued = queue_.size(),
                              .abandoned = abandoned_.load(std::memory_order_relaxed)};
  lock_.unlock();
  return now;
}

}  // namespace bast::inline BAST_ABI::internal
