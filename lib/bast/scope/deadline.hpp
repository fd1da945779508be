// SPDX-License-Identifier: Apache-2.0
//
// Deadlines and shields for a part of a fiber, without fibers of its own.
//
//   fail_after(1s, [&] { return fetch(url); })     // the result, or timed_out
//   move_on_after(1s, [&] { return fetch(url); })  // the result, or nothing
//   shield([&] { return write_the_rest(); })       // not cancelled from outside
//
// Fibers that the code spawns belong to the scope around it, and are not under the deadline.
#pragma once

#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>

#include "bast/scope/scope.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// A domain for the code of the running fiber, while it exists.
class deadline_domain {
 public:
  explicit deadline_domain(time_limit limit) noexcept;
  deadline_domain(const deadline_domain&) = delete;
  deadline_domain& operator=(const deadline_domain&) = delete;
  ~deadline_domain() { leave(); }
  /// Why the code may not run.
  [[nodiscard]] const result<void>& opened() const noexcept { return opened_; }
  /// The code has ended, with this error or without one. True if that is because of its deadline.
  [[nodiscard]] bool has_ended(const error* why) noexcept;

 private:
  void leave() noexcept;
  std::optional<cancel_domain> domain_;
  result<void> opened_;
};

template <class F>
using limited_value = typename unwrapped<std::invoke_result_t<F&>>::type;

/// What `body` returned, as a result.
template <class F>
result<limited_value<F>> call_limited(F& body) {
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    body();
    return {};
  } else {
    return body();
  }
}

template <class F>
result<limited_value<F>> fail_at(time_limit limit, F& body) {
  deadline_domain within(limit);
  if (!within.opened()) return std::unexpected(within.opened().error());
  auto got = call_limited(body);
  if (within.has_ended(got ? nullptr : &got.error())) {
    return fail(errc::timed_out, "fail_after", "the deadline passed first");
  }
  return got;
}

template <class T>
using if_in_time =
    std::conditional_t<std::is_void_v<T>, bool,
                       std::optional<std::conditional_t<std::is_void_v<T>, char, T>>>;

template <class F>
result<if_in_time<limited_value<F>>> move_on_at(time_limit limit, F& body) {
  using value = limited_value<F>;
  deadline_domain within(limit);
  if (!within.opened()) return std::unexpected(within.opened().error());
  auto got = call_limited(body);
  if (within.has_ended(got ? nullptr : &got.error())) return if_in_time<value>();
  if (!got) return std::unexpected(got.error());
  if constexpr (std::is_void_v<value>) {
    return true;
  } else {
    return if_in_time<value>(std::move(*got));
  }
}

}  // namespace internal

/// Calls `body()` under a deadline: from then on its waits fail with `cancelled`. Returns what it
/// returned; timed_out instead of `cancelled`, if that comes from this deadline and not from
/// outside (C-15). A value that it returned late is kept. Lengths count from a reading of the
/// clock; a deadline that has passed lets no wait succeed. In a fiber, not in a coroutine within
/// it. Throws what `body` throws. Allocates. Errors: not_in_fiber; bad_state; forked; no_memory:
/// the body has not run; those that it returns.
template <class Rep, class Period, class F>
[[nodiscard]] auto fail_after(std::chrono::duration<Rep, Period> length, F body) {
  return internal::fail_at({internal::saturated_ns(length), true}, body);
}
template <class F>
[[nodiscard]] auto fail_at(time_point at, F body) {
  return internal::fail_at({internal::nanoseconds_of(at), false}, body);
}

/// As fail_after, but a deadline that ends the body is no error: returns an optional, which is
/// empty then; for a body without a value, true unless the deadline ended it, which it shows by
/// returning the error `cancelled`. What the body has written elsewhere by then is the partial
/// result.
template <class Rep, class Period, class F>
[[nodiscard]] auto move_on_after(std::chrono::duration<Rep, Period> length, F body) {
  return internal::move_on_at({internal::saturated_ns(length), true}, body);
}
template <class F>
[[nodiscard]] auto move_on_at(time_point at, F body) {
  return internal::move_on_at({internal::nanoseconds_of(at), false}, body);
}

/// Calls `body()`, which is not cancelled from outside meanwhile; the first checkpoint afterwards
/// sees what was requested (C-13). Returns and throws what it does. Anywhere.
template <class F>
decltype(auto) shield(F body) {
  const cancel_binding shielded{cancel_token()};
  return body();
}

}  // namespace bast::inline BAST_ABI
