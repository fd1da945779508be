// SPDX-License-Identifier: Apache-2.0
//
// `fiber<T>`: the handle of a spawned fiber, which owns its outcome.
//
//   bast::fiber<int> answer = bast::spawn([] { return 42; }).value();
//   int n = answer.join().value();
//
// A fiber runs on, and its runtime waits for it, whether or not there is a handle. Without one its
// value is destroyed at its end, where destructors may not wait (bad_state), and its failure goes
// to run_options::unhandled (S-3).
#pragma once

#include <type_traits>
#include <utility>

#include "bast/sched/outcome.hpp"
#include "bast/sched/turns.hpp"

namespace bast::inline BAST_ABI {

template <class T>
class join_op;
class done_op;

/// Moves like a unique_ptr. One thread or fiber uses it at a time; it may be passed to others, and
/// may outlive the runtime. `T`: what the function returns, where result<T> is T.
template <class T>
class [[nodiscard]] fiber {
 public:
  using value_type = T;

  fiber() = default;
  fiber(fiber&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  fiber& operator=(fiber&& other) noexcept {
    fiber taken(std::move(other));
    std::swap(record_, taken.record_);
    return *this;
  }
  fiber(const fiber&) = delete;
  fiber& operator=(const fiber&) = delete;
  /// Leaves the fiber to its runtime. Never waits.
  ~fiber() {
    if (record_ != nullptr) internal::drop_handle(*record_);
  }

  /// Waits until the fiber has ended, and takes its outcome: returns the value, or rethrows the
  /// exception. From a fiber, or any OS thread. The handle is empty afterwards, and the fiber's
  /// memory is free. If the wait is cancelled, nothing is taken. Errors: cancelled; bad_state (the
  /// handle is empty); deadlock (the calling fiber itself); no_memory or `limit`: there was no
  /// stack for it, and its function has not run; those that the function returned.
  [[nodiscard]] result<T> join();
  /// The same as an op.
  [[nodiscard]] join_op<T> joined() noexcept;
  /// An op that commits when the fiber has ended, and takes nothing.
  [[nodiscard]] done_op done() const noexcept;

  /// True once it has ended. Memory ordering: what the fiber did happens before.
  [[nodiscard]] bool is_done() const noexcept {
    // Acquire: pairs with the release of the end.
    return record_ != nullptr && record_->finished.load(std::memory_order_acquire);
  }
  /// True if it has something to join.
  [[nodiscard]] explicit operator bool() const noexcept { return record_ != nullptr; }

 private:
  friend class join_op<T>;
  friend struct internal::fiber_access;
  explicit fiber(internal::fiber_record& record) noexcept : record_(&record) {}
  internal::fiber_record* record_ = nullptr;
};

/// Commits when the fiber has ended, and takes the outcome. The handle must outlive the perform.
template <class T>
class join_op {
 public:
  using value_type = T;
  explicit join_op(fiber<T>& of) noexcept : of_(&of) {}

  template <class>
  class plan : public internal::leaf_plan<internal::join_leaf> {
   public:
    explicit plan(join_op op) : leaf_plan(op.of_->record_), of_(op.of_) {}
    [[nodiscard]] result<T> take(const internal::leaf* /*chosen*/) {
      return internal::take_outcome<T>(*std::exchange(of_->record_, nullptr));
    }

   private:
    fiber<T>* of_;
  };

 private:
  fiber<T>* of_;
};

class done_op {
 public:
  using value_type = void;
  explicit done_op(internal::fiber_record* of) noexcept : of_(of) {}

  template <class>
  class plan : public internal::leaf_plan<internal::join_leaf> {
   public:
    explicit plan(done_op op) : leaf_plan(op.of_) {}
    [[nodiscard]] result<void> take(const internal::leaf* /*chosen*/) { return {}; }
  };

 private:
  internal::fiber_record* of_;
};

template <class T>
join_op<T> fiber<T>::joined() noexcept {
  return join_op<T>(*this);
}
template <class T>
done_op fiber<T>::done() const noexcept {
  return done_op(record_);
}
template <class T>
[[gnu::always_inline]] inline result<T> fiber<T>::join() {
  // The usual one, without a perform.
  internal::worker* const here = internal::this_worker;
  if (record_ != nullptr && here != nullptr && here->may_join_own(*record_) &&
      here->join_own(*record_)) [[likely]] {
    return internal::take_outcome<T>(*std::exchange(record_, nullptr));
  }
  return perform(joined());
}

}  // namespace bast::inline BAST_ABI
