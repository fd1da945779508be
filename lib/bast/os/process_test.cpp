// SPDX-License-Identifier: Apache-2.0
#include "bast/os/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bast/os/door.hpp"
#include "bast/os/memory.hpp"
#include "bast/os/path.hpp"
#include "bast/testing/emulation.hpp"

namespace bast::os {
namespace {

/// A child that is a copy of us and runs `body`.
template <class F>
started_process fork_child(F body) {
  started_process child;
  child.pid = ::fork();
  if (child.pid == 0) {
    ::alarm(60);  // No failed test leaves it behind.
    body();
    ::_exit(0);
  }
  child.pidfd = open_pidfd(child.pid).value();
  return child;
}

bool is_gone(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == -1 && errno == ECHILD; }

#if defined(__clang__)
#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNINSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

/// Ends at once, by raw calls only: it may run in the test's own memory.
UNINSTRUMENTED int end_at_once(void* argument) {
  *static_cast<volatile int*>(argument) = 42;
  ::syscall(SYS_exit_group, 7);
  return 0;
}

constexpr const char* no_pidfd_open = "valgrind has no pidfd_open";

class OsProcess : public ::testing::TestWithParam<process_memory> {};
INSTANTIATE_TEST_SUITE_P(Memory, OsProcess,
                         ::testing::Values(process_memory::shared, process_memory::copied),
                         [](const auto& test) {
                           return test.param == process_memory::shared ? "shared" : "copied";
                         });

TEST_P(OsProcess, P8_StartsAtItsEntry) {
  if (test::under_valgrind) GTEST_SKIP() << no_pidfd_open;
  constexpr std::size_t stack_bytes = 64 << 10;
  std::byte* const stack = map(stack_bytes).value();
  int written = 0;
  errno = EDOM;
  auto child = start_process(GetParam(), end_at_once, &written, stack + stack_bytes);
  if (test::emulated && !child && child.error() == errc::invalid) {
    release(stack, stack_bytes);
    GTEST_SKIP() << "qemu-user refuses to share memory: what the fallback is for";
  }
  ASSERT_TRUE(child) << child.error().message();
  EXPECT_EQ(errno, EDOM) << "errno is kept";
  if (GetParam() == process_memory::copied) {
    EXPECT_FALSE(child->pidfd);
    EXPECT_EQ(written, 0);
    child->pidfd = open_pidfd(child->pid).value();
  }
  const auto told = wait_process(child->pidfd.get(), WEXITED);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->pid, child->pid);
  EXPECT_EQ(told->cause, CLD_EXITED);
  EXPECT_EQ(told->status, 7);
  EXPECT_TRUE(::fcntl(child->pidfd.get(), F_GETFD) & FD_CLOEXEC);  // P-6
  release(stack, stack_bytes);
}

/// Of those who fork a child and hold its pidfd.
class OsChild : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::under_valgrind) GTEST_SKIP() << no_pidfd_open;
  }
};
using OsWait = OsChild;
using OsSignal = OsChild;

TEST_F(OsWait, P12_TellsOnceOrLeavesItToBeToldAgain) {
  const auto child = fork_child([] { ::_exit(5); });
  for (const int keep : {WNOWAIT, WNOWAIT, 0}) {
    rusage used{};
    const auto told = wait_process(child.pidfd.get(), WEXITED | keep, &used);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->status, 5);
    EXPECT_GT(used.ru_maxrss, 0);
  }
  EXPECT_EQ(wait_process(child.pidfd.get(), WEXITED).error().error_number(), ECHILD);
}

TEST_F(OsWait, P12_WithoutAnythingToTellThePidIsZero) {
  const auto child = fork_child([] { ::pause(); });
  const auto told = wait_process(child.pidfd.get(), WEXITED | WNOHANG);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->pid, 0);
  destroy_process(child);
  EXPECT_TRUE(is_gone(child.pid));
}

TEST_F(OsWait, AnInterruptedWaitIsTriedAgain) {
  const auto child = fork_child([] {});
  const fault_scope fault({.kind = call::wait, .nth = 1, .error_number = EINTR});
  EXPECT_TRUE(wait_process(child.pidfd.get(), WEXITED));
  EXPECT_EQ(fault.injected(), 1U);
}

TEST_F(OsSignal, P10_GoesThroughThePidfdAndNoFurther) {
  const auto child = fork_child([] { ::pause(); });
  ASSERT_TRUE(signal_process(child.pidfd.get(), SIGTERM));
  const auto told = wait_process(child.pidfd.get(), WEXITED);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->cause, CLD_KILLED);
  EXPECT_EQ(told->status, SIGTERM);
  EXPECT_EQ(signal_process(child.pidfd.get(), SIGTERM).error().error_number(), ESRCH);
}

TEST_F(OsSignal, P11_ReachesAGroup) {
  const auto child = fork_child([] { ::pause(); });
  ASSERT_EQ(::setpgid(child.pid, child.pid), 0);
  ASSERT_TRUE(signal_group(child.pid, SIGKILL));
  EXPECT_EQ(wait_process(child.pidfd.get(), WEXITED)->status, SIGKILL);
  EXPECT_EQ(signal_group(child.pid, SIGKILL).error().error_number(), ESRCH);
}

TEST(OsSignalDeathTest, P11_NoGroupIsNotEverybody) {
  EXPECT_DEATH((void)signal_group(0, SIGKILL), "group > 1");
}

TEST_F(OsChild, P9_DestroyNeedsNoPidfd) {
  started_process child = fork_child([] { ::pause(); });
  child.pidfd.reset();
  destroy_process(child);
  EXPECT_TRUE(is_gone(child.pid));
}

TEST(OsProcessFailure, ErrorsKeepTheErrno) {
  EXPECT_FALSE(open_pidfd(-1));
  const fault_scope fault({.kind = call::spawn, .nth = 1, .error_number = EAGAIN});
  EXPECT_EQ(start_process(process_memory::shared, end_at_once, nullptr, nullptr).error(),
            errc::limit);
}

TEST(SignalsBlocked, P7_AllOfThemAndOnlyForAWhile) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const signals_blocked blocked;
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    for (const int number : {SIGINT, SIGSEGV, SIGCHLD, SIGRTMIN}) {
      EXPECT_TRUE(sigismember(&now, number)) << number;
    }
  }
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int number = 1; number < SIGRTMAX; ++number) {
    EXPECT_EQ(sigismember(&after, number), sigismember(&before, number)) << number;
  }
}

TEST(Path, P1_OnlyRegularFilesThatMayBeExecuted) {
  EXPECT_TRUE(check_executable("/bin/sh"));
  EXPECT_EQ(check_executable("/bin").error().error_number(), EACCES);
  EXPECT_EQ(check_executable("/etc/passwd").error().error_number(), EACCES);
  EXPECT_EQ(check_executable("/nonexistent").error().error_number(), ENOENT);
}

TEST(Path, P2_TheWorkingDirectoryOrAnError) {
  char space[4096];
  ASSERT_TRUE(working_directory(space));
  EXPECT_EQ(space[0], '/');
  char small[1];
  EXPECT_EQ(working_directory(small).error().error_number(), ERANGE);
}

}  // namespace
}  // namespace bast::os
