// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/run.hpp"

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

result<run_session> run_session::create(const run_options& options) noexcept {
  if (this_worker != nullptr) {
    return fail(errc::bad_state, "run", "this thread runs a runtime already");
  }
  if (this_thread.current != nullptr) {
    return fail(errc::bad_state, "run", "a coroutine cannot run a runtime");
  }
  run_options wanted = options;
  if (!wanted.stop.can_be_cancelled()) wanted.stop = this_coro::cancellation();
  auto core = runtime_core::create(wanted);
  if (!core) return std::unexpected(core.error());
  if (auto begun = (*core)->begin(); !begun) return std::unexpected(begun.error());
  return run_session(std::move(*core));
}

run_session::~run_session() {
  if (core_ != nullptr && !is_finished_) core_->end_unused();
}

void run_session::set_main(fiber_record& f) noexcept {
  f.is_main = true;
  core_->first().submit_own(f);
}

void run_session::finish() noexcept {
  core_->finish();
  is_finished_ = true;
}

failures only(const error& why) noexcept {
  failures all;
  all.primary.why = why;
  return all;
}

failures run_session::failures_of(const error& why) noexcept {
  failures all = core_->take_failures();
  all.primary.why = why;
  all.primary.fiber = "main";
  return all;
}

#if BAST_EXCEPTIONS
failures run_session::failures_of(std::exception_ptr exception) noexcept {
  failures all = core_->take_failures();
  all.primary.exception = std::move(exception);
  all.primary.fiber = "main";
  return all;
}
#endif

const site_table* worker_sites(const char* stack_class) noexcept {
  const auto found = this_worker->core().stack_class(stack_class);
  if (!found) return nullptr;
  stack_pool& stacks = this_worker->stacks_of(*found);
  stacks.read_pending_marks();
  return &stacks.sites();
}

guest_pass::guest_pass(runtime_core& core) noexcept
    : core_(core), is_guest_(!core.owns(this_worker)) {
  if (is_guest_) core_.guests().enter();
}
guest_pass::~guest_pass() {
  if (is_guest_) core_.guests().leave();
}

result<void> guest_pass::check(static_string operation) const noexcept {
  if (is_guest_ && core_.guests().is_closed() && !BAST_MUTANT(late_guest_served)) {
    return fail(errc::closed, operation, "the runtime has ended");
  }
  return {};
}

}  // namespace internal

result<runtime_handle> runtime_handle::current() noexcept {
  internal::worker* const here = internal::this_worker;
  if (here == nullptr) {
    return fail(errc::not_in_fiber, "runtime_handle.current", "this thread runs no fibers");
  }
  return runtime_handle(here->core().shared_from_this());
}

bool runtime_handle::cancel(const cancel_reason& why) const noexcept {
  if (core_->is_forked() || core_->is_stopping()) return false;
  return core_->root().cancel(why);
}

std::size_t runtime_handle::workers() const noexcept { return core_->size(); }

namespace internal {

result<void> yield_slowly() {
  constexpr static_string operation = "yield_now";
  if (auto goes_on = check_governing(operation); !goes_on) return goes_on;
  if (this_thread.suspension_forbidden != 0) {
    return fail(errc::bad_state, operation, "this code may not suspend");
  }
  worker* const here = this_worker;
  if (here == nullptr || here->running() == nullptr) {
    os::thread::yield();
    return {};
  }
  if (here->is_forked()) {
    return fail(errc::forked, operation, "the scheduler of the parent is not in this process");
  }
#if BAST_EXCEPTIONS
  if ((this_thread.current->tag & flag_unwinding) != 0) refuse_suspension(*this_thread.current);
#endif
  here->yield_in_nest();
  return {};
}

}  // namespace internal

namespace this_fiber {

bool exists() noexcept {
  const internal::worker* const here = internal::this_worker;
  return here != nullptr && here->running() != nullptr;
}

std::size_t worker() noexcept {
  const internal::worker* const here = internal::this_worker;
  return here != nullptr ? here->index() : 0;
}

stack_pool_stats worker_stacks(const char* stack_class) noexcept {
  if (!exists()) return {};
  internal::worker& here = *internal::this_worker;
  const auto found = here.core().stack_class(stack_class);
  return found ? here.stacks_of(*found).stats() : stack_pool_stats();
}

}  // namespace this_fiber

}  // namespace bast::inline BAST_ABI
