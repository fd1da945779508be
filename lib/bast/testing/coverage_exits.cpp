// SPDX-License-Identifier: Apache-2.0
//
// Coverage builds only. gcov writes its counters when a process ends in the ordinary way; a death
// test's child ends by _exit, by abort or by a signal, and would take with it what it covered. The
// linker leads those calls here (cmake/BastTesting.cmake).
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
  __gcov_reset();  // What follows is added to what was written.
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

/// A handler that gives SIGSEGV its default action back returns to the instruction that kills.
int __wrap_sigaction(int number, const struct sigaction* action, struct sigaction* before) {
  if (action != nullptr && action->sa_handler == SIG_DFL) save_counters();
  return __real_sigaction(number, action, before);
}

#endif
