// SPDX-License-Identifier: Apache-2.0
#include "bast/io/blocking.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::uint32_t number_of(job_state state) noexcept {
  return static_cast<std::uint32_t>(state);
}

}  // namespace

/// Commits when the pool has finished a job.
struct blocking_job::done_op {
  using value_type = void;
  blocking_job* of;

  template <class>
  struct plan : leaf_plan<basic_once_event<real_traits>::leaf> {
    explicit plan(done_op op) : leaf_plan(op.of->done_) {}
    [[nodiscard]] result<void> take(const leaf* /*leaf*/) { return {}; }
  };
};

blocking_job::blocking_job(call_function call, destroy_function destroy) noexcept
    : pool_task(run_it, drop_it), call_(call), destroy_(destroy) {}

void blocking_job::run_it(pool_task& self) noexcept {
  auto& mine = static_cast<blocking_job&>(self);
  mine.call_(mine, true);
  mine.finish();
}

void blocking_job::drop_it(pool_task& self) noexcept {
  auto& mine = static_cast<blocking_job&>(self);
  mine.call_(mine, false);
  mine.was_dropped_ = true;
  mine.finish();
}

/// By the pool, which still holds it.
void blocking_job::finish() noexcept {
  // Acquire and release: pairs with the exchanges of a caller that leaves or sleeps.
  const std::uint32_t before =
      state_.exchange(number_of(job_state::finished), std::memory_order_acq_rel);
  if (before == number_of(job_state::awaited)) os::real_atomics::wake_all(&state_);
  if (before == number_of(job_state::abandoned)) pool_->end_abandoned();
  done_.fire();
  release();
}

/// By the caller. False if it has finished.
bool blocking_job::abandon() noexcept {
  pool_->begin_abandoned();  // Before the pool can end it.
  std::uint32_t found = number_of(job_state::pending);
  // Acquire and release: pairs with the exchange in finish().
  if (state_.compare_exchange_strong(found, number_of(job_state::abandoned),
                                     std::memory_order_acq_rel, std::memory_order_acquire)) {
    return true;
  }
  pool_->end_abandoned();
  return false;
}

/// By the caller, where it may not suspend: as an OS thread.
void blocking_job::sleep_until_finished() noexcept {
  std::uint32_t found = number_of(job_state::pending);
  // Acquire and release: pairs with the exchange in finish().
  if (!state_.compare_exchange_strong(found, number_of(job_state::awaited),
                                      std::memory_order_acq_rel, std::memory_order_acquire)) {
    return;
  }
  // Acquire: pairs with the exchange in finish().
  while (state_.load(std::memory_order_acquire) == number_of(job_state::awaited)) {
    os::real_atomics::wait(state_, number_of(job_state::awaited));
  }
}

void blocking_job::release() noexcept {
  // Acquire and release: pairs with the other holder's; the last one destroys it (I1).
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  thread_pool_core* const pool = pool_;
  destroy_(*this);
  if (pool != nullptr) pool->drop();
}

// --- the caller ----------------------------------------------------------------------------------

result<void> blocking_caller::submit() noexcept {
  constexpr const char* operation = "blocking";
  if (auto may = waiter::check(operation); !may) return may;
  if (auto goes_on = this_coro::cancellation().check(operation); !goes_on) return goes_on;
  event_loop* const loop = event_loop::here();
  thread_pool* pool = options_.pool;
  if (pool == nullptr && loop != nullptr) pool = loop->pool();
  if (pool == nullptr) {
    return fail(errc::invalid, operation,
                "no thread_pool: only the workers of a runtime have one of their own");
  }
  job_.pool_ = &pool->core();
  job_.pool_->keep();
  // Relaxed: submit() publishes it.
  job_.holders_.store(2, std::memory_order_relaxed);
  auto queued = job_.pool_->submit(job_, operation);
  submitted_ = queued.has_value();
  if (!queued) job_.holders_.store(1, std::memory_order_relaxed);
  return queued;
}

/// Before it has begun: the caller is its only holder then.
bool blocking_caller::withdraw() noexcept {
  if (BAST_MUTANT(call_not_withdrawn) || !job_.pool_->withdraw(job_)) return false;
  submitted_ = false;
  // Relaxed: the lock of the pool orders it.
  job_.holders_.store(1, std::memory_order_relaxed);
  return true;
}

result<void> blocking_caller::call() {
  if (auto queued = submit(); !queued) return queued;
  auto ended = perform(blocking_job::done_op{&job_});
  if (!ended) {
    if (withdraw()) return ended;
    if (options_.abandon_on_cancel && job_.abandon()) {
      submitted_ = false;
      return ended;
    }
    // It has begun, and takes effect (C-12).
    const cancel_binding shielded{cancel_token()};
    ended = perform(blocking_job::done_op{&job_});
  }
  submitted_ = false;
  if (ended && job_.was_dropped_) {
    return fail(errc::closed, "blocking", "the thread_pool was shut down before it began");
  }
  return ended;
}

void blocking_caller::leave() noexcept {
  if (submitted_) {
    // A forked child has no thread that would finish it; the job is left.
    if (job_.pool_->is_forked()) return;
    if (!withdraw() && !(options_.abandon_on_cancel && job_.abandon())) {
      job_.sleep_until_finished();
    }
    // The objects of an abandoned stack end in any order: a wait that still goes on there is
    // committed and unlinked, so that it does not touch the job any more.
    job_.done_.fire();
  }
  job_.release();
}

}  // namespace bast::inline BAST_ABI::internal
