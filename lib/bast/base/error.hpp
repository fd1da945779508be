// SPDX-License-Identifier: Apache-2.0
//
// Errors are values: `result<T>` is std::expected<T, bast::error>. An error names the operation
// that failed, the cause, and the number that was wrong. The library itself throws in two places
// only: `forced_unwind` from a suspension whose coroutine is released, and what user code threw,
// where it is documented (`coro::returned` rethrows what left the coroutine). `result::value()` of
// the standard library throws `std::bad_expected_access<bast::error>`.
//
//   bast::result<bast::coro_pool> pool = bast::coro_pool::create({.max_coros = 0});
//   pool.error().message()  ->  "coro_pool.create: invalid argument: max_coros must be at least 1"
//
// Laws: X-1 .. X-5 (docs/laws.md).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>

#include "bast/base/text.hpp"

namespace bast::inline BAST_ABI {

/// What went wrong, in the library's own terms, and the layer that raises it. Values are stable:
/// new ones are appended. `cancelled`, `timed_out` and `closed` are three different things.
enum class errc : int {
  cancelled = 1,   // cancel: the governing token fired, and the operation did not happen
  timed_out,       // process, and ETIMEDOUT: a deadline passed first
  closed,          // EPIPE, ECONNRESET: the peer is gone
  broken_promise,  // (future) the producer ended without a value
  deadlock,        // EDEADLK
  stale_handle,    // coro, process: the handle's object was released
  bad_state,       // any: the operation is not legal in this state (table F-1)
  busy,            // coro, and EBUSY: the object is running or in use
  not_owner,       // coro: a scheduler or a waker runs this coroutine
  wrong_thread,    // coro, process: the object belongs to another thread (F-5)
  not_in_fiber,    // coro, process: called outside a coroutine
  finished,        // coro: the coroutine ran to its end
  limit,           // any: a named limit or budget is reached; EMFILE, ENFILE, ENOSPC, EDQUOT
  invalid,         // any, and EINVAL: an argument or option makes no sense
  unsupported,     // os, stack, and ENOSYS, EOPNOTSUPP: this kernel, CPU or build cannot do it
  shutdown,        // process: the owner is shutting down
  server_down,     // (actor) the actor is gone
  no_reply,        // (actor) the actor ended without an answer
  lost,            // process: the kernel reported the end to another waiter
  forked,          // os, coro, cancel, process: the object belongs to the process before fork
  no_memory,       // any, and ENOMEM
  io,              // any other errno; the error holds it
  would_block,     // EAGAIN: not now, and the call does not wait
  failed_exit,     // process: a program exited with a code other than 0, or a signal ended it
  concurrency_unavailable,  // sched: it cannot be promised that the function runs beside others
  stray_cancel,             // scope: a fiber ended as cancelled, and its scope was not (C-17)
  failed_scope,             // scope: an exception ended it
};

/// The category of `errc`. Conditions: cancelled is std::errc::operation_canceled, timed_out is
/// std::errc::timed_out, no_memory is std::errc::not_enough_memory, would_block is
/// std::errc::resource_unavailable_try_again.
const std::error_category& bast_category() noexcept;

std::error_code make_error_code(errc code) noexcept;

/// Maps an errno to its one `errc`: no_memory, limit, invalid, ... or `io`. Total: every int has a
/// result. Source: X-2. ECANCELED maps to `io`, because only the caller knows whether it requested
/// the cancellation.
errc errc_of_errno(int error_number) noexcept;

/// A string with static lifetime. A literal converts to it, which is checked at compile time; any
/// other string must be promised with `promise`.
class static_string {
 public:
  consteval static_string(const char* literal) noexcept : chars_(literal) {}
  /// `chars` outlives every use: of a table, say.
  static constexpr static_string promise(const char* chars) noexcept {
    static_string promised("");
    promised.chars_ = chars;
    return promised;
  }
  constexpr const char* c_str() const noexcept { return chars_; }

 private:
  const char* chars_;
};

/// An error with its context. Trivially copyable, 32 bytes, allocates nothing.
class [[gnu::visibility("default")]] error {
 public:
  constexpr error(errc kind, static_string operation, static_string detail,
                  std::int64_t value = no_value) noexcept
      : kind_(kind), operation_(operation.c_str()), detail_(detail.c_str()), value_(value) {}

  /// A failed kernel call: keeps the errno and derives the kind from it. `of_eagain` is `limit` for
  /// calls that create something: fork(2) and pthread_create(3) report a limit with EAGAIN.
  static error from_errno(int error_number, static_string operation, static_string detail,
                          std::int64_t value = no_value,
                          errc of_eagain = errc::would_block) noexcept;

  errc kind() const noexcept { return kind_; }
  /// The kernel's errno, or 0 if the library itself reports the error.
  int error_number() const noexcept { return errno_; }
  const char* operation() const noexcept { return operation_; }
  const char* detail() const noexcept { return detail_; }
  /// The number that was wrong, or that identifies the object.
  std::optional<std::int64_t> value() const noexcept {
    return value_ != no_value ? std::optional(value_) : std::nullopt;
  }

  /// system_category with the errno if there is one, else bast_category with the kind.
  std::error_code code() const noexcept;

  /// Appends "operation: kind: detail (value)" to `out`. Async-signal-safe.
  void describe(text& out) const noexcept;
  /// The same as a string. Allocates.
  std::string message() const;

  friend bool operator==(const error& e, errc kind) noexcept { return e.kind_ == kind; }

  static constexpr std::int64_t no_value = INT64_MIN;

 private:
  errc kind_;
  int errno_ = 0;
  const char* operation_;
  const char* detail_;
  std::int64_t value_;
};

static_assert(std::is_trivially_copyable_v<error>);
static_assert(sizeof(error) == 32);

template <class T>
using result = std::expected<T, error>;

/// The failing branch of a `result`: `return fail(errc::busy, "release", "the coroutine runs");`
[[nodiscard]] constexpr std::unexpected<error> fail(errc kind, static_string operation,
                                                    static_string detail,
                                                    std::int64_t value = error::no_value) noexcept {
  return std::unexpected<error>(error(kind, operation, detail, value));
}

}  // namespace bast::inline BAST_ABI

template <>
struct std::is_error_code_enum<bast::errc> : std::true_type {};
