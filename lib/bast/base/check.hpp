// SPDX-License-Identifier: Apache-2.0
//
// Checks. Every invariant of this library is written twice: as a sentence, and as a check.
//
// BAST_CHECK is always on. It guards against errors that would corrupt memory: a running coroutine
// when its pool is destroyed, a yielder used outside its coroutine. BAST_ASSERT is on in
// development, sanitizer, fuzz and hardened builds (BAST_ASSERTIONS) and is not evaluated
// otherwise.
//
// A failed check is a programming error. It ends the process with a diagnostic that names the
// expression, the site and the running coroutine; it never throws.
#pragma once

#include <bast/config.hpp>

#include "bast/base/text.hpp"

namespace bast::inline BAST_ABI {

/// Called with the diagnostic of a violated contract, on the thread and stack that violated it,
/// possibly inside a signal handler. It may log, but must not longjmp: when it returns, the process
/// aborts. Install it with `set_violation_handler`.
using violation_handler = void (*)(const char* diagnostic) noexcept;

/// Replaces the handler and returns the previous one (null: write to standard error and abort).
/// Thread-safe.
violation_handler set_violation_handler(violation_handler handler) noexcept;

namespace internal {

/// Appends the name of the running coroutine ("coroutine 'walker'"), or nothing. Set once, by the
/// layer that knows the name. Must be async-signal-safe.
using check_context = void (*)(text& out) noexcept;
void set_check_context(check_context context) noexcept;
void append_check_context(text& out) noexcept;

[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const char* expression, const char* file,
                                                         int line, const char* why) noexcept;
/// Ends the process with `diagnostic`, through the violation handler.
[[noreturn, gnu::cold, gnu::noinline]] void violation(const text& diagnostic) noexcept;

/// Writes `diagnostic` to standard error and aborts. Defined in layer `os`, because writing is a
/// system call: the one dependency that the linker resolves instead of an include.
[[noreturn]] void die(const char* diagnostic, std::size_t length) noexcept;

}  // namespace internal
}  // namespace bast::inline BAST_ABI

/// Always checked. `why` is a sentence for the reader of the diagnostic.
#define BAST_CHECK(expression, why)                                         \
  do {                                                                      \
    if (!(expression)) [[unlikely]]                                         \
      ::bast::internal::check_failed(#expression, __FILE__, __LINE__, why); \
  } while (false)

// Both forms of BAST_ASSERT exist in every build, so that one program can test both.
#define BAST_ASSERT_ON(expression) BAST_CHECK(expression, "an invariant of bast does not hold")
// Named but not evaluated, so that a variable used only in assertions stays used.
#define BAST_ASSERT_OFF(expression) \
  do {                              \
    (void)sizeof(!(expression));    \
  } while (false)

#if BAST_ASSERTIONS
#define BAST_ASSERT(expression) BAST_ASSERT_ON(expression)
#else
#define BAST_ASSERT(expression) BAST_ASSERT_OFF(expression)
#endif
