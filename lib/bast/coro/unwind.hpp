// SPDX-License-Identifier: Apache-2.0
//
// Forced unwinding: releasing a suspended coroutine destroys its locals. The coroutine is resumed
// and its suspension throws `forced_unwind`, an ordinary C++ throw (F-8: _Unwind_ForcedUnwind
// miscounts uncaught exceptions and dies in noexcept frames).
#pragma once

#include <bast/config.hpp>

namespace bast::inline BAST_ABI {

#if BAST_EXCEPTIONS

namespace internal {
struct coro_block;
[[noreturn]] void throw_forced_unwind();
/// The same for a suspension that is refused because its coroutine is being unwound. Code that
/// swallows each of them and tries again would never end, so the process ends after `refusals_max`
/// of them: far more than what swallows the unwinding and comes to its end.
[[noreturn]] void refuse_suspension(coro_block& unwinding);
inline constexpr unsigned refusals_max = 10'000;
}  // namespace internal

/// What travels through a coroutine that is being unwound. Not a std::exception: a handler for
/// errors must not mistake it for one. The streams of libstdc++ let it pass; those of libc++, as of
/// every exception, set `badbit` and swallow it. Catching it and going on is harmless: every later
/// suspension throws it again (F-10). A loop that does so for ever ends the process after 10,000
/// refused suspensions; see docs/stacks.md.
class forced_unwind {
 private:
  forced_unwind() = default;
  friend void internal::throw_forced_unwind();
};

#endif

/// Passed to `release` to free a suspended coroutine's stack without running the destructors of
/// what lives on it. What the library has linked there ends all the same: cancel_callbacks and
/// cancel_bindings are unregistered, which may wait for a callback that runs on another thread;
/// tickets are done; whoever waits is taken out of what it waits for, and a process that is waited
/// for is told to end; a ready_queue or an adapter is taken from its thread. Whatever else leads
/// there must be gone before. Costs time in proportion to the stack in use. The only way in a build
/// without exceptions (F-12).
struct abandon_t {
  explicit abandon_t() = default;
};
inline constexpr abandon_t abandon{};

}  // namespace bast::inline BAST_ABI
