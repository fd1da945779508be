// SPDX-License-Identifier: Apache-2.0
//
// The end of a fiber, seen by others: the leaf that waits for it, and what becomes of the outcome.
#pragma once

#include "bast/sched/failure.hpp"
#include "bast/sched/record.hpp"

namespace bast::inline BAST_ABI::internal {

/// A failure that no joiner took, of a fiber of this slab: goes to the on_unhandled of its runtime,
/// and when that has ended, to standard error. Any thread.
void report_untaken(const record_slab& home, failure&& untaken) noexcept;
/// Frees a finished record whose outcome was taken, or has no value. Any thread.
void give_back(fiber_record& unused) noexcept;
/// As give_back(), of one that never ran and has no callable. The caller's thread.
void give_back_unstarted(fiber_record& f) noexcept;
/// Destroys the outcome of a finished fiber, reports a failure as untaken, and frees the record.
/// Any thread.
void dispose(fiber_record& finished) noexcept;
/// The handle is gone: disposes of the record now, or when the fiber ends. Any thread.
void drop_handle(fiber_record& f) noexcept;
/// The error that a finished fiber has returned, or null.
error* error_of(fiber_record& finished) noexcept;
/// Frees the block outside the record, if there is one.
void free_storage(fiber_record& f) noexcept;

/// Takes a joiner out of the list of `f`, unless the end of the fiber has.
void unlink_joiner(fiber_record& f, wait_node_of<real_traits>& mine) noexcept;

/// Waits until a fiber has ended. Null: the handle is empty.
class join_leaf final : public basic_leaf<real_traits> {
 public:
  using performer = basic_performer<real_traits>;
  explicit join_leaf(fiber_record* of) noexcept : record_(of) {}
  static constexpr bool tries_when_enlisted = true;

  bool looks_ready() const noexcept override {
    // Acquire: pairs with the release in publish(). A null handle is an error, which is ready.
    return record_ == nullptr || record_->finished.load(std::memory_order_acquire);
  }
  progress attempt(performer& who) override { return look(who, false); }
  progress enlist(performer& who) override {
    return who.number(*this) ? look(who, true) : progress::failed;
  }
  void delist() noexcept override;
  /// The performer links through this: a record has no room for a list.
  void append(wait_node_of<real_traits>& mine) noexcept;

 private:
  progress look(performer& who, bool links);
  fiber_record* record_;
};

}  // namespace bast::inline BAST_ABI::internal
