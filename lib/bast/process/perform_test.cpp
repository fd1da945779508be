// SPDX-License-Identifier: Apache-2.0
#include "bast/process/perform.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <string_view>

#include "bast/os.hpp"
#include "bast/process/machine_options.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/real_child.hpp"

namespace bast {
namespace {

machine_operation immediate(operation_kind kind, int fd, child_exit* exit = nullptr) {
  machine_operation out;
  out.kind = kind;
  out.fd = fd;
  out.exit = exit;
  return out;
}

machine_operation signal_to(int pidfd, int signal, pid_t group) {
  machine_operation out = immediate(operation_kind::signal, pidfd);
  out.signal = signal;
  out.group = group;
  return out;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

/// A real child whose descriptors are closed, and which is reaped, at the end.
class Perform : public testing::Test {
 protected:
  void SetUp() override {
    if (test::emulated) GTEST_SKIP() << "qemu-user starts no foreign program by itself";
  }
  void TearDown() override {
    if (child_.pid < 0) return;
    ::kill(-child_.pid, SIGKILL);
    ::waitpid(child_.pid, nullptr, 0);
    for (const int fd : {child_.pidfd, child_.output, child_.errors}) ::close(fd);
  }
  void start(const std::vector<std::string>& steps) {
    child_ = test::start_real_child(BAST_TEST_CHILD, steps);
  }
  void await_exit() const {
    pollfd wait{.fd = child_.pidfd, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
  }
  void await_ready() const {
    pollfd wait{.fd = child_.output, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
  }
  machine_operation observe() { return immediate(operation_kind::observe, child_.pidfd, &seen_); }
  machine_operation reap() { return immediate(operation_kind::reap, child_.pidfd, &seen_); }

  test::real_child child_;
  child_exit seen_ = {.code = -7, .status = -7, .usage = {}};
};

TEST_F(Perform, P12_AChildThatRunsTellsNothing) {
  start({"hang"});
  EXPECT_EQ(perform(observe()), 0);
  EXPECT_EQ(perform(reap()), 0);
  EXPECT_EQ(seen_.code, -7) << "nothing is stored";
}

TEST_F(Perform, P12_AnExitIsObservedAsOftenAsOneLikesAndReapedOnce) {
  start({"exit", "42"});
  await_exit();
  for (const auto& look : {observe(), observe(), reap()}) {
    seen_ = {.code = -7, .status = -7, .usage = {}};
    EXPECT_EQ(perform(look), 1);
    EXPECT_EQ(seen_.code, CLD_EXITED);
    EXPECT_EQ(seen_.status, 42);
    EXPECT_GT(seen_.usage.ru_maxrss, 0);
  }
  seen_.code = -7;
  EXPECT_EQ(perform(observe()), -ECHILD);
  EXPECT_EQ(perform(reap()), -ECHILD);
  EXPECT_EQ(seen_.code, -7);
}

TEST_F(Perform, P10_ASignalReachesTheLeaderAndIsItsEnd) {
  start({"hang"});
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGUSR1, 0)), 0);
  await_exit();
  EXPECT_EQ(perform(reap()), 1);
  EXPECT_EQ(seen_.code, CLD_KILLED);
  EXPECT_EQ(seen_.status, SIGUSR1);
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGUSR1, 0)), -ESRCH);
}

TEST_F(Perform, P11_AGroupIsSignalledWithItsLeader) {
  // The grandchild keeps the pipe open: it ends only when that is gone as well.
  start({"grandchild", "ready", "hang"});
  await_ready();
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGTERM, child_.pid)), 0);
  await_exit();
  char byte;
  pollfd wait{.fd = child_.output, .events = POLLIN, .revents = 0};
  for (ssize_t size = 1; size != 0;) {
    ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
    size = ::read(child_.output, &byte, 1);
  }
}

TEST_F(Perform, P11_WithoutAGroupOnlyTheLeaderIsSignalled) {
  start({"grandchild", "ready", "hang"});
  await_ready();
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGTERM, 0)), 0);
  await_exit();
  EXPECT_EQ(::kill(-child_.pid, 0), 0);
}

TEST_F(Perform, P11_TheGroupOfAReapedLeaderIsLeftAlone) {
  start({"hang"});
  ::kill(child_.pid, SIGKILL);
  await_exit();
  EXPECT_EQ(perform(reap()), 1);
  const os::fault_scope counted({.kind = os::call::signal});
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGTERM, child_.pid)), -ESRCH);
  EXPECT_EQ(counted.seen(), 1U) << "the number may belong to another process";
}

TEST_F(Perform, P10_WhatTheSignalOfALeaderOrAGroupFailsWithIsTold) {
  start({"hang"});
  for (const int error_number : {EPERM, ESRCH, ENOSYS, ENOMEM, EINTR}) {
    const os::fault_scope leader(
        {.kind = os::call::signal, .nth = 1, .error_number = error_number});
    EXPECT_EQ(perform(signal_to(child_.pidfd, SIGCONT, child_.pid)), -error_number);
  }
  for (const int error_number : {EPERM, ENOSYS, EINVAL}) {
    const os::fault_scope group({.kind = os::call::signal, .nth = 2, .error_number = error_number});
    EXPECT_EQ(perform(signal_to(child_.pidfd, SIGCONT, child_.pid)), -error_number);
    EXPECT_EQ(group.injected(), 1U);
  }
  // A leader without a group, or not yet with one, was signalled all the same.
  const os::fault_scope gone({.kind = os::call::signal, .nth = 2, .error_number = ESRCH});
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGCONT, child_.pid)), 0);
  EXPECT_EQ(gone.injected(), 1U);
}

TEST_F(Perform, P11_AGroupHearsWhatItsLeaderIsRefused) {
  start({"grandchild", "ready", "hang"});
  await_ready();
  {
    const os::fault_scope refused({.kind = os::call::signal, .nth = 1, .error_number = EPERM});
    EXPECT_EQ(perform(signal_to(child_.pidfd, SIGKILL, child_.pid)), -EPERM);
    EXPECT_EQ(refused.seen(), 2U);
  }
  await_exit();
  // Once it is reaped the number may be reused, whatever error the leader's signal had.
  EXPECT_EQ(perform(reap()), 1);
  const os::fault_scope refused({.kind = os::call::signal, .nth = 1, .error_number = EPERM});
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGKILL, child_.pid)), -EPERM);
  EXPECT_EQ(refused.seen(), 1U);
}

TEST_F(Perform, P14_WhatIsStoppedIsContinuedToHearSIGTERM) {
  start({"signal", "19"});
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child_.pid), &info, WSTOPPED), 0);
  EXPECT_EQ(perform(signal_to(child_.pidfd, SIGTERM, child_.pid)), 0);
  await_exit();
  EXPECT_EQ(perform(reap()), 1);
  EXPECT_EQ(seen_.status, SIGTERM);
}

TEST_F(Perform, P14_AGroupIsLookedAtForWhoIsLeft) {
  machine_operation look = immediate(operation_kind::members, -1);
  start({"grandchild", "ready", "hang"});
  await_ready();
  look.group = child_.pid;
  ::kill(child_.pid, SIGKILL);
  await_exit();
  EXPECT_EQ(perform(look), 1);
  ::kill(-child_.pid, SIGKILL);
  char byte;
  pollfd wait{.fd = child_.output, .events = POLLIN, .revents = 0};
  for (ssize_t size = 1; size != 0;) {
    ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
    size = ::read(child_.output, &byte, 1);
  }
  // Its descriptors are closed a moment before it is a zombie.
  while (perform(look) != 0) ::sched_yield();
  for (const int error_number : {EMFILE, ENOENT}) {
    const os::fault_scope fault({.kind = os::call::open, .nth = 1, .error_number = error_number});
    EXPECT_EQ(perform(look), -error_number);
  }
}

TEST_F(Perform, P12_WhatWaitingFailsWithIsTold) {
  start({"hang"});
  for (const int error_number : {ECHILD, ENOSYS, ENOMEM, EINVAL}) {
    for (const auto& look : {observe(), reap()}) {
      const os::fault_scope fault({.kind = os::call::wait, .nth = 1, .error_number = error_number});
      EXPECT_EQ(perform(look), -error_number);
    }
  }
}

TEST_F(Perform, P21_AReadTellsItsBytesTheEndAndWhyNot) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  std::byte space[8] = {};
  machine_operation read = immediate(operation_kind::read, pipe[0]);
  read.buffer = space;
  read.length = 3;
  EXPECT_EQ(perform(read), -EAGAIN);
  ASSERT_EQ(::write(pipe[1], "abcde", 5), 5);
  EXPECT_EQ(perform(read), 3);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(space)), "abc");
  EXPECT_EQ(perform(read), 2);
  for (const int error_number : {EIO, ENOMEM, EISDIR}) {
    const os::fault_scope fault({.kind = os::call::read, .nth = 1, .error_number = error_number});
    EXPECT_EQ(perform(read), -error_number);
  }
  ::close(pipe[1]);
  EXPECT_EQ(perform(read), 0);
  ::close(pipe[0]);
  EXPECT_EQ(perform(read), -EBADF);
}

TEST_F(Perform, I2_ADescriptorIsClosed) {
  const int fd = ::dup(2);
  ASSERT_TRUE(is_open(fd));
  EXPECT_EQ(perform(immediate(operation_kind::close, fd)), 0);
  EXPECT_FALSE(is_open(fd));
}

TEST_F(Perform, P21_WhatWaitsIsNotDoneOnTheSpot) {
  for (const auto kind : {operation_kind::poll, operation_kind::timeout, operation_kind::cancel}) {
    EXPECT_EQ(perform(immediate(kind, 0)), -EINVAL);
  }
}

}  // namespace
}  // namespace bast
