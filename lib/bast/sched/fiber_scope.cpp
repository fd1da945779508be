// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/fiber_scope.hpp"

#include "bast/sched/core.hpp"
#include "bast/sched/join.hpp"

namespace bast::inline BAST_ABI::internal {

fiber_scope::fiber_scope() noexcept
    : home_(*this_worker), owner_(*home_.running()), domain_(this, home_), daemons_(*this, home_) {}

fiber_scope::~fiber_scope() { BAST_ASSERT(!domain_.is_open()); }

result<void> fiber_scope::open(const cancel_source_options& options) noexcept {
  return domain_.open(options);
}

result<void> fiber_scope::admit(bool is_daemon) noexcept {
  if (this_worker == nullptr || &this_worker->core() != &home_.core()) {
    return fail(errc::wrong_thread, "spawn", "the scope belongs to another runtime");
  }
  if (is_daemon) {
    if (auto ready = daemons_.reserve(&domain_, "spawn"); !ready) return ready;
  }
  lock_.lock();
  if (!is_final_ && !refusal_) [[likely]] {
    ++(is_daemon ? daemons_left_ : members_);
    lock_.unlock();
    return {};
  }
  const error why = refusal_.value_or(error{errc::closed, "spawn", "the scope is finalizing"});
  lock_.unlock();
  return std::unexpected(why);
}

// By lock_: of the owner, if what it waits for is over. Nothing else ends that wait.
waiter* fiber_scope::end_await() noexcept {
  if (awaiting_ == nullptr || !is_over(awaits_daemons_)) return nullptr;
  waiter* const woken = std::exchange(awaiting_, nullptr);
  const bool committed = woken->commit(armed_, arm_first);
  BAST_CHECK(committed, "the wait of a scope's owner has ended twice");
  return woken;
}

void fiber_scope::left(bool is_daemon) noexcept {
  lock_.lock();
  --(is_daemon ? daemons_left_ : members_);
  // Relaxed: under the lock, which those that watch for this take.
  if (members_ == 0 && !is_daemon && is_watched_.load(std::memory_order_relaxed)) [[unlikely]] {
    ++leaving_;
    lock_.unlock();
    watchers_.wake_all();
    lock_.lock();
    --leaving_;
  }
  waiter* const woken = end_await();
  lock_.unlock();  // I2
  if (woken != nullptr) woken->wake();
}

coro_block* fiber_scope::left_to_owner(const worker& here, bool is_daemon) noexcept {
  if (&here != &home_) return nullptr;
  coro_block* owner = nullptr;
  lock_.lock();
  std::size_t& count = is_daemon ? daemons_left_ : members_;
  // Relaxed: as in left().
  if (count == 1 && !is_watched_.load(std::memory_order_relaxed)) {
    count = 0;
    if (waiter* const woken = end_await()) {
      owner = woken->link().chosen;
    } else {
      count = 1;
    }
  }
  lock_.unlock();
  return owner;
}

void fiber_scope::look_at(fiber_record& ended) noexcept {
  if (ended.end == fiber_end::value && error_of(ended) == nullptr) return;
  failed(ended);
}

void fiber_scope::end_fibers() noexcept {
  bool daemons_are_cancelled = false;
  lock_.lock();
  while (!is_over(true)) {
    if ((is_over(false) || BAST_MUTANT(daemons_cancelled_first)) && !daemons_are_cancelled) {
      lock_.unlock();
      cancel_daemons();
      daemons_are_cancelled = true;
    } else {
      BAST_CHECK(!home_.is_forked(),
                 "a scope waits for its fibers in a forked child: leave it by _exit or exec");
      waiter who(&home_);
      armed_ = who.arm();
      awaiting_ = &who;
      awaits_daemons_ = daemons_are_cancelled;
      lock_.unlock();
      (void)who.wait();
    }
    lock_.lock();
  }
  is_final_ = true;
  lock_.unlock();
}

// There is one; those that come later are born cancelled.
void fiber_scope::cancel_daemons() noexcept {
  domain_of(true).cancels().cancel(
      {.code = cancel_code::shutdown, .text = "only daemons are left"});
}

void fiber_scope::refuse(const error& why) noexcept {
  lock_.lock();
  if (!refusal_ && !BAST_MUTANT(closed_scope_admits)) refusal_ = why;
  lock_.unlock();
}

void fiber_scope::close() noexcept {
  BAST_ASSERT(is_over(true));
  domain_.close();
}

std::size_t fiber_scope::members() const noexcept {
  lock_.lock();
  const std::size_t count = members_;
  lock_.unlock();
  return count;
}

}  // namespace bast::inline BAST_ABI::internal
