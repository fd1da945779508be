// SPDX-License-Identifier: Apache-2.0
//
// `timed_call`: a function that the event loop of this thread calls at a time.
//
//   bast::timed_call beat([&](auto& self) noexcept {
//     send_heartbeat();
//     (void)self.call_after(1s);   // again
//   });
//   if (auto begun = beat.call_after(1s); !begun) return begun;
#pragma once

#include <type_traits>
#include <utility>

#include "bast/io/time.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// What does not depend on the function. On an abandoned stack it ends (F-12).
class timed_call_base : private loop_timer, private abandonable {
 public:
  timed_call_base(const timed_call_base&) = delete;
  timed_call_base& operator=(const timed_call_base&) = delete;

  /// Calls the function once, in a turn of this thread's loop after `at`; in the next if that has
  /// passed. Replaces an earlier time; `never` is cancel(). Errors: unsupported (this thread has no
  /// event loop), wrong_thread (it is pending on another).
  [[nodiscard]] result<void> call_at(time_point at) noexcept {
    return arm({nanoseconds_of(at), false});
  }
  /// As call_at, `length` after a reading of the clock.
  template <class Rep, class Period>
  [[nodiscard]] result<void> call_after(std::chrono::duration<Rep, Period> length) noexcept {
    return arm({saturated_ns(length), true});
  }
  /// Afterwards it is not called. True if it would have been. On the thread of its loop.
  bool cancel() noexcept;
  bool is_pending() const noexcept { return wheel::armed(*this); }

 protected:
  using function = void (*)(timed_call_base& self) noexcept;
  explicit timed_call_base(function call) noexcept;
  ~timed_call_base();

 private:
  [[nodiscard]] result<void> arm(time_limit at) noexcept;
  static void expire(loop_timer& self) noexcept;
  static void abandoned(abandonable& self) noexcept;

  function call_;
  event_loop* loop_ = nullptr;
};

}  // namespace internal

/// Owns a function, noexcept, of no argument or of a reference to this object. It runs on the loop
/// of the thread that asked for a time, between fibers: it must be short, and may not wait
/// (bad_state). It may ask for another time, cancel, and end the object. Neither copyable nor
/// movable; allocates nothing; of one thread. It ends before the loop does.
template <class F>
class [[nodiscard]] timed_call : public internal::timed_call_base {
  static constexpr bool takes_self = std::is_nothrow_invocable_v<F&, internal::timed_call_base&>;
  static_assert(
      takes_self || std::is_nothrow_invocable_v<F&>,
      "the function of a timed_call must be noexcept, and take nothing or the timed_call");

 public:
  template <class G>
    requires(!std::is_same_v<std::remove_cvref_t<G>, timed_call>)
  explicit timed_call(G&& called) noexcept(std::is_nothrow_constructible_v<F, G>)
      : timed_call_base([](timed_call_base& self) noexcept {
          auto& mine = static_cast<timed_call&>(self);
          if constexpr (takes_self) {
            mine.function_(self);
          } else {
            mine.function_();
          }
        }),
        function_(std::forward<G>(called)) {}

 private:
  F function_;
};

template <class F>
timed_call(F) -> timed_call<F>;

}  // namespace bast::inline BAST_ABI
