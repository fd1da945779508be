// SPDX-License-Identifier: Apache-2.0
//
// handle_fault with signals that a test cannot cause: it is called like a handler, with an invented
// siginfo. And the output about a fault. In children, because all of this is process state.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "bast/os/fault_injection.hpp"
#include "bast/os/process.hpp"
#include "bast/os/signal.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/fault.hpp"
#include "bast/testing/in_child.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

bool is_never_mine(siginfo_t*, void*) noexcept { return false; }

siginfo_t siginfo_with(int code) {
  siginfo_t info{};
  info.si_signo = SIGSEGV;
  info.si_code = code;
  return info;
}

/// 1 when SIGSEGV has its default action, 2 when it has a handler of ours.
int action_now() {
  struct sigaction now{};
  ::sigaction(SIGSEGV, nullptr, &now);
  return now.sa_handler == SIG_DFL ? 1 : 2;
}

constexpr int killed_by_segv = 128 + SIGSEGV;

/// The end of a process that had no handler and receives a signal with this code.
int end_of_default(int code) {
  return test::in_child([=] {
    test::start_from_default_action();
    if (!install_fault_filter(is_never_mine)) return 90;
    siginfo_t info = siginfo_with(code);
    handle_fault(SIGSEGV, &info, nullptr);
    return action_now();
  });
}

TEST(FaultForwarding, WhatRepeatsItselfIsLeftToRepeatAndWhatDoesNotIsRaised) {
  EXPECT_EQ(end_of_default(SEGV_MAPERR), 1) << "the instruction runs again, and kills";
  EXPECT_EQ(end_of_default(SEGV_ACCERR), 1);
  EXPECT_EQ(end_of_default(SI_USER), killed_by_segv);
  EXPECT_EQ(end_of_default(SI_QUEUE), killed_by_segv);
  EXPECT_EQ(end_of_default(SI_TKILL), killed_by_segv);
  EXPECT_EQ(end_of_default(SI_KERNEL), killed_by_segv);
}

/// The same, if the signal was ignored.
int end_of_ignored(int code) {
  return test::in_child([=] {
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    test::install_application_handler(ignored);
    if (!install_fault_filter(is_never_mine)) return 90;
    siginfo_t info = siginfo_with(code);
    handle_fault(SIGSEGV, &info, nullptr);
    return action_now();
  });
}

TEST(FaultForwarding, OnlyWhatWasSentCanBeIgnored) {
  for (const int code : {SI_USER, SI_QUEUE, SI_TKILL}) {
    EXPECT_EQ(end_of_ignored(code), 2) << "no effect, also the second time";
  }
  EXPECT_EQ(end_of_ignored(SEGV_MAPERR), 1) << "the fault recurs, and kills";
  EXPECT_EQ(end_of_ignored(SEGV_ACCERR), 1);
  EXPECT_EQ(end_of_ignored(SI_KERNEL), killed_by_segv);
}

TEST(FaultForwarding, WithoutAFilterEverythingIsPassedOn) {
  EXPECT_EQ(test::in_child([] {
              test::start_from_default_action();
              siginfo_t info = siginfo_with(SEGV_MAPERR);
              errno = E2BIG;
              handle_fault(SIGSEGV, &info, nullptr);
              return errno == E2BIG ? action_now() : 91;
            }),
            1);
}

constinit std::atomic<int> theirs_called{0};
constinit bool mask_as_asked = false;

bool is_blocked_now(int number) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, number) == 1;
}

void look_under_their_mask(int) {
  ++theirs_called;
  mask_as_asked = is_blocked_now(SIGSEGV) && is_blocked_now(SIGUSR2) && !is_blocked_now(SIGUSR1);
  errno = ENXIO;
}

/// The number of calls, by three faults, of an application's handler with these flags.
int calls_of_three(int flags, int expected_action) {
  return test::in_child([=] {
    struct sigaction theirs{};
    theirs.sa_handler = look_under_their_mask;
    theirs.sa_flags = flags;
    sigaddset(&theirs.sa_mask, SIGUSR2);
    test::install_application_handler(theirs);
    if (!install_fault_filter(is_never_mine)) return 90;
    // As in a handler that the kernel calls: with its own signal blocked.
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGSEGV);
    ::pthread_sigmask(SIG_SETMASK, &own, nullptr);
    siginfo_t info = siginfo_with(SEGV_ACCERR);
    errno = E2BIG;
    for (int i = 0; i < 3; ++i) {
      handle_fault(SIGSEGV, &info, nullptr);
      ::pthread_sigmask(SIG_SETMASK, &own, nullptr);
    }
    if (errno != E2BIG) return 91;
    if (!mask_as_asked) return 92;
    return action_now() == expected_action ? theirs_called.load() : 93;
  });
}

TEST(FaultForwarding, AHandlerIsCalledEachTimeUnlessItAskedForOneSignal) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "its handlers run under a mask of its own";
  EXPECT_EQ(calls_of_three(0, 2), 3);
  EXPECT_EQ(calls_of_three(static_cast<int>(SA_RESETHAND), 1), 1);
}

TEST(FaultFilter, EachErrnoOfSigactionIsKeptAndALaterAttemptSucceeds) {
  EXPECT_EQ(test::in_child([] {
              test::start_from_default_action();
              for (const int error_number : {EPERM, EINVAL, ENOSYS}) {
                const fault_scope fault(
                    {.kind = call::sigaction, .nth = 1, .error_number = error_number});
                const auto refused = install_fault_filter(is_never_mine);
                if (refused || fault.injected() != 1) return 1;
                if (refused.error().error_number() != error_number) return 2;
                if (std::string(refused.error().operation()) != "os.install_fault_filter") return 3;
                if (action_now() != 1) return 4;
              }
              return install_fault_filter(is_never_mine) && action_now() == 2 ? 0 : 5;
            }),
            0);
}

TEST(FaultFilter, RunsOnTheAlternateStackWithTheWholeSiginfo) {
  EXPECT_EQ(
      test::in_child([] {
        test::start_from_default_action();
        if (!install_fault_filter(is_never_mine)) return 90;
        struct sigaction ours{};
        ::sigaction(SIGSEGV, nullptr, &ours);
        if ((ours.sa_flags & (SA_SIGINFO | SA_ONSTACK | SA_NODEFER)) != (SA_SIGINFO | SA_ONSTACK)) {
          return 1;
        }
        return sigismember(&ours.sa_mask, SIGUSR1) == 0 ? 0 : 2;
      }),
      0);
}

void interrupt_only(int) {}

TEST(Diagnostic, IsWholeWhereAWriteIsCutShort) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  // A signal interrupts a write that has filled the pipe; the next write continues.
  EXPECT_EQ(test::in_child([] {
              int ends[2];
              if (::pipe(ends) != 0 || ::dup2(ends[1], STDERR_FILENO) < 0) return 1;
              struct sigaction action{};
              action.sa_handler = interrupt_only;  // without SA_RESTART
              ::sigaction(SIGUSR1, &action, nullptr);
              std::string all(200'000, '?');
              for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>('a' + i % 23);
              std::atomic<std::uint32_t> id{0};
              std::thread writer([&] {
                id.store(thread_id());
                write_diagnostic(all.data(), all.size());
                ::close(STDERR_FILENO);
              });
              while (id.load() == 0) ::sched_yield();
              test::wait_until_asleep(id.load());
              ::pthread_kill(writer.native_handle(), SIGUSR1);
              ::close(ends[1]);
              std::string read;
              char part[4096];
              for (ssize_t size = 1; size > 0;) {
                size = ::read(ends[0], part, sizeof part);
                if (size > 0) read.append(part, static_cast<std::size_t>(size));
              }
              writer.join();
              return read == all ? 0 : 2;
            }),
            0);
}

TEST(Diagnostic, EndsWhereNothingMoreCanBeWritten) {
  EXPECT_EQ(test::in_child([] {
              int ends[2];
              if (::pipe2(ends, O_NONBLOCK) != 0 || ::dup2(ends[1], STDERR_FILENO) < 0) return 1;
              const std::string all(200'000, 'x');
              write_diagnostic(all.data(), all.size());  // Must return.
              return 0;
            }),
            0);
}

[[gnu::noinline]] void backtrace_below(int depth) {
  if (depth == 0) {
    write_backtrace();
  } else {
    backtrace_below(depth - 1);
  }
  asm volatile("" : : : "memory");  // After the call: prevents a tail call.
}

TEST(Backtrace, OfADeepStackHasFortyEightFrames) {
  EXPECT_EQ(test::in_child([] {
              if (!install_fault_filter(is_never_mine)) return 90;
              const int file = ::memfd_create("bast-test", 0);
              if (file < 0 || ::dup2(file, STDERR_FILENO) < 0) return 91;
              backtrace_below(100);
              std::string all(1 << 20, '\0');
              all.resize(static_cast<std::size_t>(::pread(file, all.data(), all.size(), 0)));
              return static_cast<int>(std::count(all.begin(), all.end(), '\n'));
            }),
            48);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
