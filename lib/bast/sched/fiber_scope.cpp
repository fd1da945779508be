// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/fiber_scope.hpp"

#include "bast/sched/core.hpp"
#include "bast/sched/join.hpp"

namespace bast::inline BAST_ABI::internal {

fiber_scope::fiber_scope() noexcept
    : home_(*this_worker), owner_(*home_.running()), domain_(this, home_) {}

fiber_scope::~fiber_scope() { BAST_ASSERT(!domain_.is_open()); }

result<void> fiber_scope::open(const cancel_source_options& options) noexcept {
  return domain_.open(options);
}

result<void> fiber_scope::admit(bool is_daemon) noexcept {
  if (this_worker == nullptr || &this_worker->core() != &home_.core()) {
    return fail(errc::wrong_thread, "spawn", "the scope belongs to another runtime");
  }
  // Acquire: pairs with the release below.
  if (is_daemon && daemons_.load(std::memory_order_acquire) == nullptr) {
    auto* const made = os::make<cancel_domain>(this, home_);
    if (made == nullptr) return fail(errc::no_memory, "spawn", "no memory for the scope's daemons");
    if (auto opened = made->open_below(domain_); !opened) {
      os::destroy(made);
      return opened;
    }
    cancel_domain* expected = nullptr;
    // Release: pairs with the acquire in domain_of().
    if (!daemons_.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) {
      made->close();
      os::destroy(made);
    }
  }
  std::optional<error> refused;
  bool is_late = false;
  lock_.lock();
  if (refusal_) {
    refused = refusal_;
  } else {
    ++(is_daemon ? daemons_left_ : members_);
    is_late = is_daemon && are_daemons_cancelled_;
  }
  lock_.unlock();
  if (refused) return std::unexpected(*refused);
  if (is_late) cancel_daemons();  // Their domain may be newer than that.
  return {};
}

void fiber_scope::left(bool is_daemon) noexcept {
  lock_.lock();
  --(is_daemon ? daemons_left_ : members_);
  if (members_ == 0 && !is_daemon && is_watched()) [[unlikely]] {
    ++leaving_;
    lock_.unlock();
    watchers_.wake_all();
    lock_.lock();
    --leaving_;
  }
  waiter* woken = nullptr;
  if (awaiting_ != nullptr && is_over(awaits_daemons_)) {
    woken = std::exchange(awaiting_, nullptr);
    const bool committed = woken->commit(armed_, arm_first);
    BAST_ASSERT(committed);  // Nothing else ends that wait.
  }
  lock_.unlock();  // I2
  if (woken != nullptr) woken->wake();
}

void fiber_scope::look_at(fiber_record& ended) noexcept {
  if (ended.end == fiber_end::value && error_of(ended) == nullptr) return;
  failed(ended);
}

// Between the end of the last one and this fiber's turn, a daemon may spawn another (S-4).
void fiber_scope::await_fibers(bool daemons_too) noexcept {
  while (true) {
    waiter who(&home_);
    lock_.lock();
    if (is_over(daemons_too)) return lock_.unlock();
    armed_ = who.arm();
    awaiting_ = &who;
    awaits_daemons_ = daemons_too;
    lock_.unlock();
    (void)who.wait();
    if (BAST_MUTANT(owner_looks_once)) return;
  }
}

// Whoever makes their domain later finds the flag; or this finds the domain, which admit() makes
// before it takes the lock.
void fiber_scope::cancel_daemons() noexcept {
  lock_.lock();
  are_daemons_cancelled_ = true;
  lock_.unlock();
  // Acquire: pairs with the release in admit().
  cancel_domain* const made = daemons_.load(std::memory_order_acquire);
  if (made == nullptr) return;
  made->cancels().cancel({.code = cancel_code::shutdown, .text = "only daemons are left"});
}

void fiber_scope::refuse(const error& why) noexcept {
  lock_.lock();
  if (!refusal_) refusal_ = why;
  lock_.unlock();
}

void fiber_scope::close() noexcept {
  BAST_ASSERT(is_over(true));
  // Acquire: pairs with the release in admit().
  if (cancel_domain* const made = daemons_.exchange(nullptr, std::memory_order_acquire)) {
    made->close();
    os::destroy(made);
  }
  domain_.close();
}

std::size_t fiber_scope::members() const noexcept {
  lock_.lock();
  const std::size_t count = members_;
  lock_.unlock();
  return count;
}

}  // namespace bast::inline BAST_ABI::internal
