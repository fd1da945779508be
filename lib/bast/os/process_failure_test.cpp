// SPDX-License-Identifier: Apache-2.0
//
// Processes that cannot be started, and the blocking of signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "bast/os/fault_injection.hpp"
#include "bast/os/memory.hpp"
#include "bast/os/process.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

int never_run(void*) { ::_exit(99); }

TEST(OsProcessFailure, P9_ARefusedCloneIsOneErrorAndNoChild) {
  const std::size_t size = 4 * page_bytes();
  std::byte* const stack = map(size).value();
  const test::leak_baseline before;
  for (const process_memory memory : {process_memory::shared, process_memory::copied}) {
    for (const int error_number : {EAGAIN, ENOMEM, EINVAL, ENOSYS, EPERM}) {
      const fault_scope fault({.kind = call::spawn, .nth = 1, .error_number = error_number});
      const auto refused = start_process(memory, never_run, nullptr, stack + size);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().message(),
                error::from_errno(error_number, "os.start_process", "clone refused",
                                  error::no_value, errc::limit)
                    .message());
      EXPECT_EQ(fault.seen(), 1U) << "not tried again";
    }
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child";
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(before.differences(), "");
  release(stack, size);
}

TEST(OsProcessFailure, APidfdThatIsRefusedNamesTheProcess) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind has no pidfd_open";
  EXPECT_EQ(open_pidfd(-1).error().message(),
            "os.open_pidfd: invalid argument: pidfd_open refused (-1) [errno 22]");
  for (const int error_number : {EMFILE, ESRCH, ENOSYS, EPERM}) {
    const fault_scope fault({.kind = call::pidfd_open, .nth = 1, .error_number = error_number});
    EXPECT_EQ(open_pidfd(::getpid()).error().message(),
              error::from_errno(error_number, "os.open_pidfd", "pidfd_open refused", ::getpid())
                  .message());
  }
  const descriptor ours = open_pidfd(::getpid()).value();
  EXPECT_TRUE(::fcntl(ours.get(), F_GETFD) & FD_CLOEXEC);  // P-6
}

TEST(OsProcess, AThreadHasTheKernelsNumber) {
  const std::uint32_t mine = thread_id();
  EXPECT_EQ(mine, static_cast<std::uint32_t>(::syscall(SYS_gettid)));
  std::uint32_t theirs = 0;
  std::thread([&] { theirs = thread_id(); }).join();
  EXPECT_NE(theirs, mine);
}

/// The kernel's mask of this thread: bit 0 is signal 1. glibc hides the signals that it uses.
std::uint64_t kernel_mask() {
  std::uint64_t mask = 0;
  EXPECT_EQ(::syscall(SYS_rt_sigprocmask, SIG_SETMASK, nullptr, &mask, sizeof mask), 0);
  return mask;
}

constexpr std::uint64_t bit_of(int signal_number) {
  return std::uint64_t{1} << (signal_number - 1);
}

TEST(SignalsBlocked, P7_AllOfThemAndOnlyForAWhile) {
  // Signals that were blocked before stay blocked: one of the first, and the last.
  sigset_t some;
  sigset_t theirs;
  sigemptyset(&some);
  sigaddset(&some, SIGHUP);
  // qemu-user reserves the last ones.
  const int last = test::emulated ? SIGTERM : SIGRTMAX;
  ASSERT_TRUE(test::emulated || last == 64);
  sigaddset(&some, last);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &some, &theirs), 0);
  const std::uint64_t before = kernel_mask();
  EXPECT_EQ(before & (bit_of(SIGHUP) | bit_of(last)), bit_of(SIGHUP) | bit_of(last));
  // These two cannot be blocked; qemu-user and valgrind reserve some.
  const std::uint64_t all = ~(bit_of(SIGKILL) | bit_of(SIGSTOP));
  const bool exact = !test::emulated && !test::under_valgrind;
  {
    const signals_blocked blocked;
    if (exact) {
      EXPECT_EQ(kernel_mask(), all) << "all 64, including the C library's";
    }
    for (const int number : {SIGINT, SIGSEGV, SIGCHLD, 32, last}) {
      if (exact || number != 32) {
        EXPECT_TRUE(kernel_mask() & bit_of(number)) << number;
      }
    }
    {
      const signals_blocked again;
      if (exact) {
        EXPECT_EQ(kernel_mask(), all);
      }
    }
    if (exact) {
      EXPECT_EQ(kernel_mask(), all) << "the inner one restores the mask that it found";
    }
  }
  EXPECT_EQ(kernel_mask(), before);
  ::pthread_sigmask(SIG_SETMASK, &theirs, nullptr);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
