// SPDX-License-Identifier: Apache-2.0
//
// Runs part of a test in its own process, with which its limits and damage end.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace bast::test {

/// Runs `body` in a forked child and returns its result as the exit status, or 128 plus the signal
/// that ended the child. The child runs no destructors and no exit handlers.
template <class Body>
int in_child(Body body) {
  (void)std::fflush(nullptr);  // or the child could write its content again
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// In such a child: mlockall. False where a limit remains, as for users other than root: what is
/// mapped later would fail for another reason than the one under test.
inline bool lock_memory(int flags) {
  const rlimit no_limit{RLIM_INFINITY, RLIM_INFINITY};
  return ::setrlimit(RLIMIT_MEMLOCK, &no_limit) == 0 && ::mlockall(flags) == 0;
}

}  // namespace bast::test
