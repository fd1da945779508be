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
  /// The same before the end of the fiber, if it is the last one that the owner, a fiber of the
  /// same worker, waits for: returns the owner, which must run next. Else null: left() follows.
  [[nodiscard]] coro_block* left_to_owner(const worker& here, bool is_daemon) noexcept;
  /// Of an admitted one.
  cancel_domain& domain_of(bool is_daemon) noexcept {
    return is_daemon ? *daemons_.get() : domain_;
  }
  /// The function of a fiber has ended, or could not run: before others see the outcome.
  void look_at(fiber_record& ended) noexcept;

 protected:
  ~fiber_scope();

  /// Before fibers come. Errors: no_memory; forked.
  [[nodiscard]] result<void> open(const cancel_source_options& options) noexcept;
  /// Of the owner: waits until no fiber is left, cancels the daemons when there are no others, and
  /// admits none from then on. Is not cancelled.
  void end_fibers() noexcept;
  /// admit() fails with this.
  void refuse(const error& why) noexcept;
  /// After end_fibers().
  void close() noexcept;

  /// Also of what the layer above shares with the fibers.
  os::lock& lock() const noexcept { return lock_; }
  /// By lock(): all fibers have ended, and none comes any more.
  bool is_final() const noexcept { return is_final_; }
  cancel_domain& domain() noexcept { return domain_; }
  worker& home() const noexcept { return home_; }
  fiber_record& owner() const noexcept { return owner_; }
  std::size_t members() const noexcept;
  /// Woken when no member is left, and by the layer above.
  wait_queue& watchers() noexcept {
    // Relaxed: ordered by the lock that left() takes, or by the fences.
    is_watched_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return watchers_;
  }
  /// After a change that watchers wait for: those that have not seen it are seen.
  bool is_watched_after_change() const noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return is_watched_.load(std::memory_order_relaxed);
  }

 private:
  /// A fiber that has not ended with a value.
  virtual void failed(fiber_record& ended) noexcept = 0;
  void cancel_daemons() noexcept;
  /// By lock_: none is left, daemons or not.
  bool is_over(bool daemons_too) const noexcept {
    return members_ == 0 && leaving_ == 0 && (!daemons_too || daemons_left_ == 0);
  }
  waiter* end_await() noexcept;

  worker& home_;
  fiber_record& owner_;
  mutable os::lock lock_;
  std::atomic<bool> is_watched_{false};
  bool awaits_daemons_ = false;  // from here to refusal_ by lock_
  bool is_final_ = false;
  std::size_t members_ = 0;
  std::size_t daemons_left_ = 0;
  std::size_t leaving_ = 0;
  waiter* awaiting_ = nullptr;  // the owner
  std::uint64_t armed_ = 0;
  std::optional<error> refusal_;
  cancel_domain domain_;
  late_domain daemons_;
  wait_queue watchers_;
};

}  // namespace bast::inline BAST_ABI::internal
