// SPDX-License-Identifier: Apache-2.0
//
// Coverage builds only. gcov writes its counters at a regular process exit. The child of a death
// test ends by _exit, abort or a signal and would lose its counters. The linker redirects those
// calls here (cmake/BastTesting.cmake).
#include <bast/config.hpp>

#if BAST_COVERAGE

#include <signal.h>

extern "C" {
void __gcov_dump(void);
void __gcov_reset(void);
[[noreturn]] void __real__exit(int status);
[[noreturn]] void __real_abort(void);
int __real_sigaction(int number, const struct sigaction* action, struct sigaction* before);
[[noreturn]] void __wrap__exit(int status);
[[noreturn]] void __wrap_abort(void);
int __wrap_sigaction(int number, const struct sigaction* action, struct sigaction* before);
}

namespace {

void save_counters() {
  __gcov_dump();
  __gcov_reset();  // Later counts are added to those written.
}

}  // namespace

void __wrap__exit(int status) {
  save_counters();
  __real__exit(status);
}

void __wrap_abort() {
  save_counters();
  __real_abort();
}

/// A handler that restores SIGSEGV's default action returns to the instruction that kills.
int __wrap_sigaction(int number, const struct sigaction* action, struct sigaction* before) {
  if (action != nullptr && action->sa_handler == SIG_DFL) save_counters();
  return __real_sigaction(number, action, before);
}

#endif
