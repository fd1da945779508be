// SPDX-License-Identifier: Apache-2.0
//
// `fiber_scope`: the part of a scope that the scheduler knows: which fibers are in it, and that its
// owner waits for their end. Layer scope adds what a scope is for.
//
//   I1  A fiber is counted in before it is made, and out after the last access to its record and
//       to the scope's domains. So when the owner finds none, nothing of them is left.
//   I2  Unlocking `lock_` is the last access of who counts out (Y-14); what has yet to wake others
//       is counted in `leaving_` meanwhile.
#pragma once

#include <cstddef>

#include "bast/sched/domain.hpp"
#include "bast/sched/failure.hpp"

namespace bast::inline BAST_ABI::internal {

class fiber_scope {
 public:
  /// On a worker, in a fiber: its home and owner.
  fiber_scope() noexcept;
  fiber_scope(const fiber_scope&) = delete;
  fiber_scope& operator=(const fiber_scope&) = delete;

  /// Counts in a fiber that is about to be made. On a worker. Errors: closed; wrong_thread (of
  /// another runtime); no_memory.
  [[nodiscard]] result<void> admit(bool is_daemon) noexcept;
  /// Counts it out: the fiber has ended, or was not made.
  void left(bool is_daemon) noexcept;
  /// Of an admitted one.
  cancel_domain& domain_of(bool is_daemon) noexcept {
    // Acquire: pairs with the release in admit().
    return is_daemon ? *daemons_.load(std::memory_order_acquire) : domain_;
  }
  /// The function of a fiber has ended, or could not run: before others see the outcome.
  void look_at(fiber_record& ended) noexcept;

 protected:
  ~fiber_scope();

  /// Before fibers come. Errors: no_memory; forked.
  [[nodiscard]] result<void> open(const cancel_source_options& options) noexcept;
  /// Of the owner: waits until no fiber is left, daemons or not. Is not cancelled.
  void await_fibers(bool daemons_too) noexcept;
  /// Also those that come later.
  void cancel_daemons() noexcept;
  /// No fiber comes any more: admit() fails with this. The first one counts.
  void refuse(const error& why) noexcept;
  /// After the last await_fibers().
  void close() noexcept;

  cancel_domain& domain() noexcept { return domain_; }
  worker& home() const noexcept { return home_; }
  fiber_record& owner() const noexcept { return owner_; }
  std::size_t members() const noexcept;
  /// Woken when no member is left, and by the layer above.
  wait_queue& watchers() noexcept {
    // Relaxed: ordered by the lock that left() takes.
    is_watched_.store(true, std::memory_order_relaxed);
    return watchers_;
  }
  bool is_watched() const noexcept { return is_watched_.load(std::memory_order_relaxed); }

 private:
  /// A fiber that has not ended with a value.
  virtual void failed(fiber_record& ended) noexcept = 0;
  bool is_over(bool daemons_too) const noexcept {
    return members_ == 0 && leaving_ == 0 && (!daemons_too || daemons_left_ == 0);
  }

  worker& home_;
  fiber_record& owner_;
  mutable os::lock lock_;
  bool awaits_daemons_ = false;
  std::atomic<bool> is_watched_{false};
  std::size_t members_ = 0;  // from here to refusal_ by lock_
  std::size_t daemons_left_ = 0;
  std::size_t leaving_ = 0;
  waiter* awaiting_ = nullptr;  // the owner
  std::uint64_t armed_ = 0;
  bool are_daemons_cancelled_ = false;
  std::optional<error> refusal_;
  cancel_domain domain_;
  std::atomic<cancel_domain*> daemons_{nullptr};  // made for the first one
  wait_queue watchers_;
};

}  // namespace bast::inline BAST_ABI::internal
