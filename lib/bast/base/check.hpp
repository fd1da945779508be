// SPDX-License-Identifier: Apache-2.0
//
// Checks: every invariant of this library is written twice, once as a sentence and once here.
//
// BAST_CHECK is always on. It guards what would otherwise corrupt memory: a running coroutine at
// the death of its pool, a yielder used outside its coroutine. BAST_ASSERT is on in development,
// sanitizer, fuzz and hardened builds (BAST_ASSERTIONS) and is not evaluated otherwise.
//
// A failed check is a programmer's error. It ends the process with a diagnostic that names the
// expression, the site and the running coroutine; it never throws.
#pragma once

#include <bast/config.hpp>

#include "bast/base/text.hpp"

namespace bast::inline BAST_ABI {

/// Called with the diagnostic of a violated contract, on the thread and stack that violated it,
/// possibly inside a signal handler. It may log or longjmp nowhere: when it returns, the process
/// aborts. Install with `set_violation_handler`.
using violation_handler = void (*)(const char* diagnostic) noexcept;

/// Replaces the handler and returns the one before (null: write to standard error and abort).
/// Thread-safe.
violation_handler set_violation_handler(violation_handler handler) noexcept;

namespace internal {

/// Appends who is running here ("coroutine 'walker'"), or nothing. Set once by the layer that
/// knows; async-signal-safe by contract.
using check_context = void (*)(text& out) noexcept;
void set_check_context(check_context context) noexcept;
void append_check_context(text& out) noexcept;

[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const char* expression, const char* file,
                                                         int line, const char* why) noexcept;
/// Ends the process with `diagnostic`, through the violation handler.
[[noreturn, gnu::cold, gnu::noinline]] void violation(const text& diagnostic) noexcept;

/// The end of the process: writes `diagnostic` to standard error and aborts. Declared here and
/// defined in layer `os`, because writing is a kernel call: the one arrow that the linker, not the
/// include graph, resolves.
[[noreturn]] void die(const char* diagnostic, std::size_t length) noexcept;

}  // namespace internal
}  // namespace bast::inline BAST_ABI

/// Always checked. `why` is a sentence for whoever reads the diagnostic.
#define BAST_CHECK(expression, why)                                         \
  do {                                                                      \
    if (!(expression)) [[unlikely]]                                         \
      ::bast::internal::check_failed(#expression, __FILE__, __LINE__, why); \
  } while (false)

// The two forms of BAST_ASSERT. Both exist in every build, so that one program can test both.
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
