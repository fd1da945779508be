// SPDX-License-Identifier: Apache-2.0
#include "bast/os/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "bast/os/fault_injection.hpp"
#include "bast/os/memory.hpp"
#include "bast/testing/emulation.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

/// A child that is a copy of this process and runs `body`.
template <class F>
started_process fork_child(F body) {
  started_process child;
  child.pid = ::fork();
  if (child.pid == 0) {
    ::alarm(60);  // Ends it if the test fails.
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

/// Ends soon, by raw calls only, because it may run in the test's memory. It yields first, so that
/// a parent that does not wait for it reads too early.
UNINSTRUMENTED int end_at_once(void* argument) {
  timespec while_others_run{.tv_sec = 0, .tv_nsec = 5'000'000};
  ::syscall(SYS_nanosleep, &while_others_run, nullptr);
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
  } else {
    EXPECT_TRUE(child->pidfd);
    EXPECT_EQ(written, 42) << "shared memory, and the parent waited";
  }
  EXPECT_FALSE(child->leads_group);
  const auto told = wait_process(child->pidfd.get(), WEXITED);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->pid, child->pid);
  EXPECT_EQ(told->cause, CLD_EXITED);
  EXPECT_EQ(told->status, 7);
  EXPECT_TRUE(::fcntl(child->pidfd.get(), F_GETFD) & FD_CLOEXEC);  // P-6
  release(stack, stack_bytes);
}

/// For tests that fork a child and hold its pidfd.
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
    EXPECT_EQ(told->pid, child.pid);
    EXPECT_EQ(told->cause, CLD_EXITED);
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
  EXPECT_EQ(told->cause, 0);
  EXPECT_EQ(told->status, 0);
  destroy_process(child);
  EXPECT_TRUE(is_gone(child.pid));
}

TEST_F(OsWait, AnInterruptedWaitIsTriedAgainAndARefusedOneIsNot) {
  const auto child = fork_child([] {});
  for (const int error_number : {ECHILD, EINVAL, EAGAIN, ENOSYS}) {
    const fault_scope fault({.kind = call::wait, .nth = 1, .error_number = error_number});
    const auto refused = wait_process(child.pidfd.get(), WEXITED);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(),
              error::from_errno(error_number, "os.wait_process", "waitid refused the pidfd",
                                child.pidfd.get())
                  .message());
    EXPECT_EQ(fault.seen(), 1U);
  }
  const fault_scope fault({.kind = call::wait, .nth = 1, .also_nth = 2, .error_number = EINTR});
  EXPECT_EQ(wait_process(child.pidfd.get(), WEXITED)->pid, child.pid);
  EXPECT_EQ(fault.seen(), 3U);
}

TEST_F(OsSignal, P10_GoesThroughThePidfdAndNoFurther) {
  const auto child = fork_child([] { ::pause(); });
  ASSERT_TRUE(signal_process(child.pidfd.get(), SIGTERM));
  const auto told = wait_process(child.pidfd.get(), WEXITED);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->cause, CLD_KILLED);
  EXPECT_EQ(told->status, SIGTERM);
  EXPECT_EQ(signal_process(child.pidfd.get(), SIGTERM).error().message(),
            "os.signal_process: system error: pidfd_send_signal refused the signal (15) [errno 3]");
}

TEST_F(OsSignal, P11_ReachesAGroup) {
  const auto child = fork_child([] { ::pause(); });
  ASSERT_EQ(::setpgid(child.pid, child.pid), 0);
  ASSERT_TRUE(signal_group(child.pid, SIGKILL));
  EXPECT_EQ(wait_process(child.pidfd.get(), WEXITED)->status, SIGKILL);
  EXPECT_EQ(signal_group(child.pid, SIGKILL).error().message(),
            "os.signal_group: system error: kill refused the group (" + std::to_string(child.pid) +
                ") [errno 3]");
}

TEST_F(OsSignal, P10_TheLastNumberIsSentAndNoFurtherOne) {
  if (test::emulated) GTEST_SKIP() << "qemu-user reserves the last signals";
  const int last = SIGRTMAX;
  ASSERT_EQ(last, 64);
  const auto child = fork_child([] { ::pause(); });
  EXPECT_TRUE(signal_process(child.pidfd.get(), 0)) << "only checks";
  EXPECT_EQ(signal_process(child.pidfd.get(), last + 1).error(), errc::invalid);
  ASSERT_TRUE(signal_process(child.pidfd.get(), last));
  EXPECT_EQ(wait_process(child.pidfd.get(), WEXITED)->status, last);
}

TEST_F(OsSignal, P10_ARefusedOneKeepsItsErrno) {
  const auto child = fork_child([] { ::pause(); });
  for (const int error_number : {EPERM, EAGAIN, ENOSYS, ESRCH}) {
    const fault_scope fault(
        {.kind = call::signal, .nth = 1, .persistent = true, .error_number = error_number});
    EXPECT_EQ(signal_process(child.pidfd.get(), SIGTERM).error().error_number(), error_number);
    EXPECT_EQ(signal_group(child.pid, SIGTERM).error().error_number(), error_number);
    EXPECT_EQ(fault.seen(), 2U) << "one call each";
  }
  destroy_process(child);
}

TEST(OsSignalDeathTest, P11_NoGroupIsNotEverybody) {
  for (const pid_t group : {-1, 0, 1}) {
    EXPECT_DEATH((void)signal_group(group, 0), "group > 1") << group;
  }
}

/// A child that leads a group, its own child in the same group, and a pipe that both hold open.
struct family {
  started_process leader;
  int pipe_end = -1;

  explicit family(bool with_pidfd) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    leader = fork_child([&] {
      ::close(ends[0]);
      ::setpgid(0, 0);
      if (::fork() == 0) ::alarm(60);
      (void)!::write(ends[1], "r", 1);
      ::pause();
    });
    ::close(ends[1]);
    pipe_end = ends[0];
    char ready;
    for (int i = 0; i < 2; ++i) EXPECT_EQ(::read(pipe_end, &ready, 1), 1);
    if (!with_pidfd) leader.pidfd.reset();
  }
  ~family() { ::close(pipe_end); }
  family(const family&) = delete;
  family& operator=(const family&) = delete;

  /// Waits until no process holds the pipe.
  bool all_gone() const {
    char byte;
    return ::read(pipe_end, &byte, 1) == 0;
  }
};

TEST_F(OsChild, P9_DestroyTakesTheGroupThatTheChildLeads) {
  for (const bool with_pidfd : {true, false}) {
    family all(with_pidfd);
    all.leader.leads_group = true;
    destroy_process(all.leader);
    EXPECT_TRUE(is_gone(all.leader.pid));
    EXPECT_TRUE(all.all_gone()) << with_pidfd;
  }
}

TEST_F(OsChild, P9_DestroySparesAGroupThatIsNotTheChilds) {
  for (const bool with_pidfd : {true, false}) {
    const family all(with_pidfd);
    destroy_process(all.leader);
    EXPECT_TRUE(is_gone(all.leader.pid));
    EXPECT_EQ(::kill(-all.leader.pid, 0), 0) << "the other one lives";
    EXPECT_EQ(::kill(-all.leader.pid, SIGKILL), 0);
    EXPECT_TRUE(all.all_gone());
  }
}

TEST_F(OsChild, P9_DestroyEndsAChildWhoseGroupIsNotMadeYet) {
  for (const bool with_pidfd : {true, false}) {
    started_process child = fork_child([] { ::pause(); });
    if (!with_pidfd) child.pidfd.reset();
    child.leads_group = true;
    destroy_process(child);
    EXPECT_TRUE(is_gone(child.pid));
  }
}

TEST_F(OsChild, P9_DestroyReapsOneThatHasEnded) {
  const auto child = fork_child([] {});
  ASSERT_TRUE(wait_process(child.pidfd.get(), WEXITED | WNOWAIT));
  destroy_process(child);
  EXPECT_TRUE(is_gone(child.pid));
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
