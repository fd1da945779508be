// SPDX-License-Identifier: Apache-2.0
#include "bast/scope/scope_op.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

// --- its life ------------------------------------------------------------------------------------

result<void> scope_core::check_fiber(static_string operation) noexcept {
  const worker* const here = this_worker;
  if (here == nullptr || here->running() == nullptr) {
    return fail(errc::not_in_fiber, operation, "a scope belongs to a fiber: call bast::run");
  }
  if (coroutine_here() != here->chosen()) {
    return fail(errc::not_in_fiber, operation,
                "a coroutine cannot own a scope: it may be suspended while the scope is open");
  }
  if (here->is_forked()) {
    return fail(errc::forked, operation, "the workers of the parent are not in this process");
  }
  return {};
}

result<void> scope_core::check(static_string operation) noexcept {
  if (auto may = check_fiber(operation); !may) return may;
  return waiter::check(operation);
}

scope_core::~scope_core() {
  BAST_ASSERT(newest_ == nullptr);
  if (has_failed()) failures_here().~failures();
}

result<void> scope_core::begin() noexcept {
  if (auto begun = begin_beside(); !begun) return begun;
  domain().enter();
  is_entered_ = true;
  return {};
}

result<void> scope_core::begin_beside() noexcept {
  if (options_.grace.count() < 0) {
    return fail(errc::invalid, "run_scope", "scope_options::grace is negative");
  }
  parent_ = static_cast<scope_core*>(scope_here());
  if (parent_ != nullptr && parent_->is_closed_to_scopes()) {
    return fail(errc::closed, "run_scope", "the scope around it was closed");
  }
  report_ = options_.report;
  if (report_ != nullptr) {
    *report_ = {};  // It may be that of an earlier scope.
  } else if (parent_ != nullptr && parent_->reports()) {
    report_ = &report_here_.emplace();
  }
  if (auto opened = open({.shielded = options_.shielded, .deadline = options_.deadline}); !opened) {
    return opened;
  }
  return {};
}

void scope_core::finish() noexcept {
  end_fibers();
  if (is_entered_) domain().leave();
  run_defers();
  is_absorbed_ = domain().has_cancelled_itself();
  reason_ = domain().token.reason();
  report();
  close();
}

scope_status scope_core::status() const noexcept {
  if (has_failed()) return scope_status::failed;
  // Relaxed: after the end of all fibers.
  return saw_cancelled_.load(std::memory_order_relaxed) ? scope_status::cancelled
                                                        : scope_status::ok;
}

scope_failure scope_core::take_failure() noexcept {
  scope_failure all;
  if (has_failed()) static_cast<failures&>(all) = std::move(failures_here());
  all.status = status();
  all.reason = reason_;
  all.absorbed = is_absorbed_;
  if (!has_failed() && reason_) {
    all.primary.why = reason_->as_error("run_scope");
    all.primary.fiber = options_.name;
  }
  return all;
}

result<void> scope_core::check_owner(static_string operation) const noexcept {
  if (this_worker == &home() && this_worker->running() == &owner()) return {};
  return fail(errc::wrong_thread, operation, "only the fiber that opened the scope may do this");
}

// Its defers may open scopes, which end before they do.
bool scope_core::is_closed_to_scopes() const noexcept {
  if (!is_closed()) return false;
  lock().lock();
  const bool takes_none = !is_final();
  lock().unlock();
  return takes_none;
}

void scope_core::close_to(const error& why) noexcept {
  is_closed_.store(true, std::memory_order_relaxed);
  refuse(why);
}

// --- failures ------------------------------------------------------------------------------------

void scope_core::failed(fiber_record& ended) noexcept {
  failure why{.fiber = ended.name};
#if BAST_EXCEPTIONS
  if (ended.end == fiber_end::exception) why.exception = ended.exception();
#endif
  if (ended.end == fiber_end::failed) why.why = ended.failure();
  if (error* const returned = error_of(ended)) {
    if (*returned == errc::cancelled) {
      if (ended.block.attachment->token.is_cancelled() || BAST_MUTANT(stray_cancel_taken)) {
        // Relaxed: read after the end of all fibers.
        if (!ended.is_daemon) saw_cancelled_.store(true, std::memory_order_relaxed);
        return;
      }
      // The outcome itself: a joiner takes the same failure (S-3), or else on_unhandled (S-5).
      *returned = {errc::stray_cancel, "run_scope",
                   "a fiber ended as cancelled, and its scope was not"};
    }
    why.why = *returned;
  }
  if (options_.supervise && !BAST_MUTANT(supervision_ignored)) return;
  ended.is_taken = true;
  add_failure(std::move(why));
}

void scope_core::fail_body(const error& why) noexcept {
  if (why == errc::cancelled && domain().token.is_cancelled()) {
    saw_cancelled_.store(true, std::memory_order_relaxed);
    return;
  }
  failure body{.why = why, .fiber = owner().name};
  if (why == errc::cancelled) {
    body.why = {errc::stray_cancel, "run_scope",
                "its body ended as cancelled, and the scope was not"};
  }
  add_failure(std::move(body));
}

#if BAST_EXCEPTIONS
void scope_core::fail_body(std::exception_ptr thrown) noexcept {
  add_failure({.exception = std::move(thrown), .fiber = owner().name});
}
#endif

// I1
void scope_core::add_failure(failure&& why) noexcept {
  const std::error_code code = why.why ? why.why->code() : std::error_code();
  lock().lock();
  // Relaxed: under the lock.
  const bool is_first = !has_failed_.load(std::memory_order_relaxed);
  if (is_first || BAST_MUTANT(latest_failure_primary)) {
    ::new (static_cast<void*>(room_)) failures{.primary = std::move(why)};
    // Release: pairs with the acquire in has_failed().
    has_failed_.store(true, std::memory_order_release);
  } else {
    failures_here().add(std::move(why));
  }
  lock().unlock();
  if (!is_first || BAST_MUTANT(siblings_not_cancelled)) return;
  domain().cancels().cancel({.code = cancel_code::sibling_failed, .error = code});
  if (is_watched_after_change()) watchers().wake_all();
}

// --- defers --------------------------------------------------------------------------------------

result<std::uint64_t> scope_core::push(defer_node& newest) noexcept {
  lock().lock();
  const bool may = !is_final();
  if (may) {
    newest.number = ++defers_;
    if (newest_ != nullptr && BAST_MUTANT(oldest_defer_first)) {
      newest.older = std::exchange(newest_->older, &newest);
      lock().unlock();
      return newest.number;
    }
    newest.older = newest_;
    newest_ = &newest;
  }
  const std::uint64_t number = defers_;
  lock().unlock();
  if (!may) return fail(errc::closed, "defer", "the scope is finalizing");
  return number;
}

defer_node* scope_core::remove(std::uint64_t number) noexcept {
  lock().lock();
  defer_node** at = &newest_;
  while (*at != nullptr && (*at)->number > number) at = &(*at)->older;
  defer_node* const found = *at != nullptr && (*at)->number == number ? *at : nullptr;
  if (found != nullptr) *at = found->older;
  lock().unlock();
  return found;
}

// S-6, S-7. On the owner, when it is final: no defer comes any more.
void scope_core::run_defers() noexcept {
  if (newest_ == nullptr) return;
  cancel_domain& grace = *grace_.get();
  grace.enter();
  if (options_.grace.count() == 0) {
    grace.cancels().cancel({.code = cancel_code::grace_expired});
  } else if (options_.grace != std::chrono::nanoseconds::max() &&
             !BAST_MUTANT(grace_without_deadline)) {
    const auto now_ns = static_cast<std::int64_t>(home().events().now_ns());
    grace.set_deadline(time_of(saturated_sum(now_ns, options_.grace.count())),
                       cancel_code::grace_expired);
  }
  while (newest_ != nullptr) {
    defer_node& newest = *newest_;
    newest_ = newest.older;
    run_defer(newest);
    newest.free(newest);
  }
  grace.leave();
}

void scope_core::run_defer(defer_node& one) noexcept {
  const scope_end how{.status = status(), .why = has_failed() ? &failures_here() : nullptr};
#if BAST_EXCEPTIONS
  try {
#endif
    if (auto done = one.call(one, how); !done)
      add_failure({.why = done.error(), .fiber = owner().name});
#if BAST_EXCEPTIONS
  } catch (...) {
    add_failure({.exception = std::current_exception(), .fiber = owner().name});
  }
#endif
}

}  // namespace internal

result<void> internal::arm_scope::finish(bool has_lost) noexcept {
  if (has_lost) handle_.cancel({.text = "another arm was chosen"});
  core_.finish();
  if (core_.status() == scope_status::ok) return {};
  return std::unexpected(core_.take_failure().as_error());
}

scope_failure internal::not_opened(const error& why, const char* name) noexcept {
  scope_failure all;
  all.primary.why = why;
  all.primary.fiber = name;
  return all;
}

}  // namespace bast::inline BAST_ABI
