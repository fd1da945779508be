// SPDX-License-Identifier: Apache-2.0
//
// Time for those who wait:
//
//   perform(bast::sleep_for(10ms));
//   auto got = perform(bast::timeout(numbers.receive(), 100ms));   // or errc::timed_out
//   perform(choice(numbers.receive(), wrap(bast::sleep_until(tomorrow), [] { return 0; })));
//
// Times are of CLOCK_MONOTONIC, at 1 ns; nothing ends early, and equal deadlines end in the order
// in which they were performed (IO-5). A duration begins when the op is performed, at a reading of
// the clock. Where a wait ends otherwise, nothing is left of its timer (IO-6).
//
// A fiber uses the timers of its worker. An OS thread uses those of its own wait: no thread stands
// behind it (O-16). A coroutine that a plain ready_queue runs has no clock: to wait there for a
// time fails with `unsupported`, unless its thread is in an event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <ratio>
#include <utility>

#include "bast/cancel.hpp"
#include "bast/io/event_loop.hpp"
#include "bast/op.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// No deadline, and a duration without end.
inline constexpr std::int64_t no_timeout_ns = nanoseconds_of(never);

/// Rounded up, so that nothing is early; what nanoseconds do not hold is without end, or past.
template <class Rep, class Period>
constexpr std::int64_t saturated_ns(std::chrono::duration<Rep, Period> length) noexcept {
  using given = std::chrono::duration<Rep, Period>;
  using std::chrono::nanoseconds;
  if constexpr (std::ratio_greater_v<Period, std::nano> || std::is_floating_point_v<Rep>) {
    // Floating point rounds the limit to 2^63: hence the second comparison includes it.
    if (length >= std::chrono::duration_cast<given>(nanoseconds::max())) return no_timeout_ns;
    if (length <= std::chrono::duration_cast<given>(nanoseconds::min())) return INT64_MIN;
    if (!(length < given::max()) && !(length >= given::zero())) return no_timeout_ns;  // NaN
  }
  return std::chrono::ceil<nanoseconds>(length).count();
}
constexpr std::int64_t saturated_sum(std::int64_t now_ns, std::int64_t length_ns) noexcept {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(now_ns, length_ns, &sum)) return sum;
  return length_ns > 0 ? no_timeout_ns : INT64_MIN;
}

/// A deadline, or a length of time from when it is performed.
struct time_limit {
  std::int64_t ns = no_timeout_ns;
  bool is_length = false;
};

/// Commits once its time has passed.
class time_leaf final : public basic_leaf<real_traits> {
 public:
  using performer = basic_performer<real_traits>;
  time_leaf(time_limit at, bool last_resort) noexcept : at_(at) {
    is_last_resort = last_resort;
    timer_.of = this;
  }

  bool looks_ready() const noexcept override { return at_.is_length ? at_.ns <= 0 : !is_never(); }
  progress attempt(performer& who) override;
  progress enlist(performer& who) override;
  void delist() noexcept override;

 private:
  struct own_timer : loop_timer {
    time_leaf* of = nullptr;
  };
  bool is_never() const noexcept { return at_.ns == no_timeout_ns; }
  std::int64_t read_clock(const performer& who) noexcept;
  progress commit(performer& who) noexcept;

  time_limit at_;
  event_loop* loop_ = nullptr;  // of a coroutine
  own_timer timer_;
};

}  // namespace internal

/// Commits at a time.
class [[nodiscard]] sleep_op {
 public:
  using value_type = void;
  explicit sleep_op(internal::time_limit at) noexcept : at_(at) {}

  template <class>
  class plan : public internal::leaf_plan<internal::time_leaf> {
   public:
    explicit plan(sleep_op op) : leaf_plan(op.at_, false) {}
    [[nodiscard]] result<void> take(const internal::leaf* /*leaf*/) { return {}; }
  };

 private:
  internal::time_limit at_;
};

/// Another op, until a time.
template <performable Op>
class [[nodiscard]] timeout_op {
 public:
  using value_type = value_of<Op>;
  timeout_op(Op op, internal::time_limit at) : op_(std::move(op)), at_(at) {}

  template <class Traits>
  class plan {
   public:
    explicit plan(timeout_op op) : inner_(std::move(op.op_)), limit_(op.at_, true) {}
    /// Not a group: its arms count among those of an outer choice (O-13).
    void gather(internal::branch_list& list) {
      inner_.gather(list);
      list.append(limit_);
    }
    bool has(const internal::leaf* leaf) const { return leaf == &limit_ || inner_.has(leaf); }
    [[nodiscard]] result<value_type> take(const internal::leaf* leaf) {
      if (leaf == &limit_) return fail(errc::timed_out, "timeout", "the time limit passed first");
      return inner_.take(leaf);
    }

   private:
    typename Op::template plan<Traits> inner_;
    internal::time_leaf limit_;
  };

 private:
  Op op_;
  internal::time_limit at_;
};

/// Commits once `length` has passed since it was performed; at once if it is not positive. One that
/// nanoseconds do not hold has no end.
template <class Rep, class Period>
sleep_op sleep_for(std::chrono::duration<Rep, Period> length) noexcept {
  return sleep_op({internal::saturated_ns(length), true});
}
/// Commits at `at`, at once if that has passed; never at `never`.
inline sleep_op sleep_until(time_point at) noexcept {
  return sleep_op({internal::nanoseconds_of(at), false});
}

/// `op`, unless `length` passes first: then it fails with timed_out, and `op` did not happen. An op
/// that is ready beats a limit that has passed: with 0, or less, this is a check for cancellation
/// and a poll; with a length without end it is the op itself (O-14).
template <performable Op, class Rep, class Period>
timeout_op<Op> timeout(Op op, std::chrono::duration<Rep, Period> length) {
  return {std::move(op), {internal::saturated_ns(length), true}};
}
/// As timeout, until `at`; with `never` it is the op itself.
template <performable Op>
timeout_op<Op> timeout_at(Op op, time_point at) {
  return {std::move(op), {internal::nanoseconds_of(at), false}};
}

}  // namespace bast::inline BAST_ABI
