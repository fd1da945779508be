// SPDX-License-Identifier: Apache-2.0
//
// Runs part of a test in its own process, with which its limits and damage end.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "bast/testing/emulation.hpp"

namespace bast::test {

/// Runs `body` in a forked child and returns its result as the exit status, or 128 plus the signal
/// that ended the child. The child runs no destructors and no exit handlers. A child that hangs is
/// killed. Under qemu-user it is tried again: there a fork hangs, rarely, if a thread of the test
/// ended just before, because the emulator's own thread for it still holds a lock of the emulator.
template <class Body>
int in_child(Body body) {
  constexpr int looks_per_second = 2000;
  constexpr int seconds_max = 100;
  for (int attempts = emulated ? 3 : 1;; --attempts) {
    (void)std::fflush(nullptr);  // or the child could write its content again
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < looks_per_second * seconds_max && ended == 0; ++i) {
      ended = ::waitpid(child, &status, WNOHANG);
      if (ended == 0) ::usleep(1'000'000 / looks_per_second);
    }
    if (ended == 0) {
      ::kill(child, SIGKILL);
      ended = ::waitpid(child, &status, 0);
      if (attempts > 1) continue;
      ADD_FAILURE() << "the child hangs";
    }
    EXPECT_EQ(ended, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

/// In such a child: mlockall. False where a limit remains, as for users other than root: what is
/// mapped later would fail for another reason than the one under test.
inline bool lock_memory(int flags) {
  const rlimit no_limit{RLIM_INFINITY, RLIM_INFINITY};
  return ::setrlimit(RLIMIT_MEMLOCK, &no_limit) == 0 && ::mlockall(flags) == 0;
}

}  // namespace bast::test
