// SPDX-License-Identifier: Apache-2.0
//
// Forced unwinding: releasing a suspended coroutine destroys its locals. The coroutine is resumed
// and its suspension throws `forced_unwind`, an ordinary C++ throw (F-8: _Unwind_ForcedUnwind
// miscounts uncaught exceptions and dies in noexcept frames).
#pragma once

#include <bast/config.hpp>

namespace bast {

#if BAST_EXCEPTIONS

namespace internal {
[[noreturn]] void throw_forced_unwind();
}

/// What travels through a coroutine that is being unwound. Not a std::exception: a handler for
/// errors must not mistake it for one. Catching it and going on is harmless: every later suspension
/// throws it again (F-10).
class forced_unwind {
 private:
  forced_unwind() = default;
  friend void internal::throw_forced_unwind();
};

#endif

/// Passed to `release` to free a suspended coroutine's stack without running the destructors of
/// what lives on it. The only way in a build without exceptions (F-12).
struct abandon_t {
  explicit abandon_t() = default;
};
inline constexpr abandon_t abandon{};

}  // namespace bast
