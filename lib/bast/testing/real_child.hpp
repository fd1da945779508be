// SPDX-License-Identifier: Apache-2.0
//
// `real_child`: a child process for tests of supervision: bast_test_child with some steps
// (lib/bast/testing/child.cpp), its pidfd and our ends of its pipes. Makes its system calls itself,
// so that a fault loop does not fail calls of the test.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bast/process.hpp"

namespace bast::test {

struct real_child {
  pid_t pid = -1;
  int pidfd = -1;
  int output = -1;
  int errors = -1;
};

/// Starts one in its own process group, with both streams in pipes. Ends the test program if that
/// is impossible.
inline real_child start_real_child(const char* program, const std::vector<std::string>& steps) {
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  int output[2];
  int errors[2];
  require(::pipe2(output, O_CLOEXEC) == 0 && ::pipe2(errors, O_CLOEXEC) == 0);
  // Only our ends: the other ends are different descriptions.
  require(::fcntl(output[0], F_SETFL, O_NONBLOCK) == 0);
  require(::fcntl(errors[0], F_SETFL, O_NONBLOCK) == 0);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  require(::posix_spawn_file_actions_init(&actions) == 0);
  require(::posix_spawnattr_init(&attributes) == 0);
  require(::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0);
  require(::posix_spawn_file_actions_adddup2(&actions, output[1], 1) == 0);
  require(::posix_spawn_file_actions_adddup2(&actions, errors[1], 2) == 0);
  sigset_t all;
  ::sigfillset(&all);
  require(::posix_spawnattr_setsigdefault(&attributes, &all) == 0);
  require(::posix_spawnattr_setpgroup(&attributes, 0) == 0);
  require(::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF) ==
          0);

  std::vector<char*> arguments;
  arguments.push_back(const_cast<char*>(program));
  for (const std::string& step : steps) arguments.push_back(const_cast<char*>(step.c_str()));
  arguments.push_back(nullptr);
  real_child out;
  require(::posix_spawn(&out.pid, program, &actions, &attributes, arguments.data(), environ) == 0);
  out.pidfd = static_cast<int>(::syscall(SYS_pidfd_open, out.pid, 0));
  require(out.pidfd >= 0);
  out.output = output[0];
  out.errors = errors[0];
  ::close(output[1]);
  ::close(errors[1]);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return out;
}

/// What the child writes: "abc..z" over and over.
inline std::string pattern(std::size_t size) {
  std::string out(size, ' ');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + i % 26);
  return out;
}

inline real_child child_of(const std::vector<std::string>& steps) {
  return start_real_child(BAST_TEST_CHILD, steps);
}

inline process_start start_of(const real_child& child) {
  process_start out;
  out.pid = child.pid;
  out.pidfd = child.pidfd;
  out.output_pipe = child.output;
  out.errors_pipe = child.errors;
  out.own_group = true;
  return out;
}

}  // namespace bast::test
