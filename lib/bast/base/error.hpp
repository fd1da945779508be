// SPDX-License-Identifier: Apache-2.0
//
// Errors are values: `result<T>` is std::expected<T, bast::error>, and no function of this library
// throws. An error names the operation that failed, the cause, and the number that was wrong.
//
//   bast::result<bast::coro_pool> pool = bast::coro_pool::create({.max_coros = 0});
//   pool.error().message()  ->  "coro_pool.create: invalid argument: max_coros must be at least 1"
//
// Source: semantics.md X-1 .. X-5.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <system_error>
#include <type_traits>

#include "bast/base/text.hpp"

namespace bast::inline BAST_ABI {

/// What went wrong, in the library's own terms. Values are stable: they are appended to, never
/// renumbered. `cancelled`, `timed_out` and `closed` are three different things.
enum class errc : int {
  cancelled = 1,   // somebody asked for this to stop, and it did not happen
  timed_out,       // a deadline passed first
  closed,          // the other side is gone, or the object was closed
  broken_promise,  // the producer ended without a value
  deadlock,        // everybody waits and nobody can wake them
  stale_handle,    // the handle's object was released; its generation moved on
  bad_state,       // the operation is not legal in this state (table F-1)
  busy,            // the object is running, unwinding or in use
  not_owner,       // somebody else drives this object
  wrong_thread,    // the object belongs to another thread (F-5)
  not_in_fiber,    // called outside any coroutine
  finished,        // the coroutine already ran to its end
  limit,           // a named limit or budget is reached
  invalid,         // an argument or option makes no sense
  unsupported,     // this kernel, CPU or build cannot do it
  shutdown,        // the library or its owner is shutting down
  server_down,     // the actor is gone
  no_reply,        // the actor ended without answering
  lost,            // the peer or the message was lost
  forked,          // the object belongs to the process before fork
  no_memory,       // the kernel gave no memory
  io,              // the kernel reported an errno; the error code holds it
};

/// The category of `errc`. Conditions: cancelled is std::errc::operation_canceled, timed_out is
/// std::errc::timed_out, no_memory is std::errc::not_enough_memory.
const std::error_category& bast_category() noexcept;

std::error_code make_error_code(errc code) noexcept;

/// Maps an errno to the one `errc` that stands for it: no_memory, limit, invalid, ... or `io`.
/// Total: every int has an answer. Source: X-2; ECANCELED is `io`, because only the caller knows
/// whether it asked for the cancellation.
errc errc_of_errno(int error_number) noexcept;

/// An error with its context. Trivially copyable, 32 bytes, allocates nothing.
class error {
 public:
  /// `operation` and `detail` must be string literals or otherwise outlive the error.
  constexpr error(errc kind, const char* operation, const char* detail,
                  std::int64_t value = no_value) noexcept
      : kind_(kind), operation_(operation), detail_(detail), value_(value) {}

  /// A failed kernel call: keeps the errno and derives the kind from it.
  static error from_errno(int error_number, const char* operation, const char* detail,
                          std::int64_t value = no_value) noexcept;

  errc kind() const noexcept { return kind_; }
  /// The kernel's errno, or 0 when the error is the library's own.
  int error_number() const noexcept { return errno_; }
  const char* operation() const noexcept { return operation_; }
  const char* detail() const noexcept { return detail_; }

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
[[nodiscard]] constexpr std::unexpected<error> fail(errc kind, const char* operation,
                                                    const char* detail,
                                                    std::int64_t value = error::no_value) noexcept {
  return std::unexpected<error>(error(kind, operation, detail, value));
}

}  // namespace bast::inline BAST_ABI

template <>
struct std::is_error_code_enum<bast::errc> : std::true_type {};
