// SPDX-License-Identifier: Apache-2.0
//
// Part of a test in a process of its own: what it limits, closes or breaks ends with it.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace bast::test {

/// The exit status of a forked child that runs `body`, whose result it is; 128 and the number of
/// the signal when one ended it. The child runs no destructors and no handlers of exit.
template <class Body>
int in_child(Body body) {
  (void)std::fflush(nullptr);  // or the child could write it again
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace bast::test
