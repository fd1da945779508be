// SPDX-License-Identifier: Apache-2.0
//
// The filter and its handler. Each test runs in the child of a death test, because a process
// installs its handler once. signal_forward_test.cpp covers faults that are passed on.
#include "bast/os/signal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "bast/arch.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/fault.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using test::forbidden_page;
using test::load_from;
using test::require;

constinit std::atomic<int> first_calls{0};
constinit std::atomic<int> second_calls{0};
constinit const forbidden_page* page_to_open = nullptr;

bool open_the_page(siginfo_t* info, void*) noexcept {
  ++first_calls;
  const bool ours = info->si_addr == page_to_open->address();
  errno = ENXIO;  // The handler must restore the errno of the interrupted code.
  return ours && page_to_open->open();
}

bool second_filter(siginfo_t*, void*) noexcept {
  ++second_calls;
  return false;
}

TEST(SignalDeathTest, D3_ACuredFaultRunsTheInstructionAgainAndKeepsErrno) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    page_to_open = &page;
    require(install_fault_filter(open_the_page).has_value(), "installed");
    errno = E2BIG;
    const std::uint64_t loaded = load_from(page.address());
    require(errno == E2BIG, "errno is untouched");
    require(loaded == 0 && first_calls == 1, "one fault, and the page reads as zero");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST(SignalDeathTest, InstallingIsIdempotentAndTheFirstFilterStays) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    page_to_open = &page;
    require(install_fault_filter(open_the_page).has_value(), "installed");
    const fault_scope scope({.kind = call::sigaction});
    require(install_fault_filter(second_filter).has_value(), "again");
    require(install_fault_filter(open_the_page).has_value(), "and again");
    require(scope.seen() == 0, "without a system call");
    load_from(page.address());
    require(first_calls == 1 && second_calls == 0, "the first filter stays");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST(SignalDeathTest, ThreadsThatInstallAtOnceAgree) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    page_to_open = &page;
    std::atomic<bool> fine{true};
    const auto install = [&] {
      if (!install_fault_filter(open_the_page)) fine = false;
    };
    std::thread other(install);
    install();
    other.join();
    require(fine.load(), "both succeed");
    load_from(page.address());
    require(first_calls == 1, "one handler");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

bool fault_inside(siginfo_t* info, void*) noexcept {
  load_from(info->si_addr);
  return false;
}

TEST(SignalDeathTest, D3_AFaultInsideTheHandlerKillsAtOnce) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    require(install_fault_filter(fault_inside).has_value(), "installed");
    load_from(page.address());
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), "");
}

std::uintptr_t seen_sp, seen_pc, seen_fp;

bool look_at_registers(siginfo_t* info, void* context) noexcept {
  const auto seen = arch::interrupted::of(context);
  seen_sp = seen.sp;
  seen_pc = seen.pc;
  seen_fp = seen.fp;
  return open_the_page(info, context);
}

TEST(SignalDeathTest, TheContextTellsTheInterruptedRegisters) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    page_to_open = &page;
    require(install_fault_filter(look_at_registers).has_value(), "installed");
    load_from(page.address());
    const auto function = reinterpret_cast<std::uintptr_t>(&load_from);
    require(seen_pc > function && seen_pc < function + 512, "the instruction is in load_from");
    require(seen_fp == test::load_frame, "its frame");
    require(seen_sp <= seen_fp && seen_fp - seen_sp < 4096, "and its stack pointer, just below");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST(SignalDeathTest, ARefusedSigactionIsAnErrorAndInstallsNothing) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    page_to_open = &page;
    {
      const fault_scope fault({.kind = call::sigaction, .nth = 1, .error_number = EPERM});
      const auto refused = install_fault_filter(open_the_page);
      require(!refused && fault.injected() == 1, "refused");
      require(refused.error().kind() == errc::io, "as a system error");
      require(refused.error().error_number() == EPERM, "with its errno");
    }
    struct sigaction now{};
    ::sigaction(SIGSEGV, nullptr, &now);
    require(now.sa_handler == SIG_DFL, "nothing was installed");
    require(install_fault_filter(open_the_page).has_value(), "a later attempt succeeds");
    load_from(page.address());
    require(first_calls == 1, "and its filter is called");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

/// From here on the kernel reports success for every installation of a SIGSEGV handler, and does
/// nothing, like a sanitizer with allow_user_segv_handler=0. Returns false if that cannot be done.
bool swallow_installations() {
  constexpr auto word = [](std::size_t offset) { return static_cast<std::uint32_t>(offset); };
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, args[0]))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGSEGV, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, args[1]))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),  // A null action only reads.
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = sizeof program / sizeof *program, .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(SignalDeathTest, D3_ASwallowedInstallationIsRefused) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind uses its own table, not the kernel's";
  if (BAST_WITH_TSAN != 0) {
    GTEST_SKIP() << "the thread sanitizer uses its own table, not the kernel's";
  }
  constexpr int no_seccomp = 3;
  const auto child = [] {
    test::start_from_default_action();
    if (!swallow_installations()) _exit(no_seccomp);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto refused = install_fault_filter(open_the_page);
      require(!refused, "refused, each time");
      require(refused.error().kind() == errc::unsupported, "as unsupported");
      text line;
      refused.error().describe(line);
      require(line.view().find("swallowed") != std::string_view::npos, "with the cause");
      require(line.view().find("handle_segv=2") != std::string_view::npos, "and the remedy");
    }
    _exit(0);
  };
  const auto fine_or_without = [](int status) {
    return testing::ExitedWithCode(0)(status) || testing::ExitedWithCode(no_seccomp)(status);
  };
  EXPECT_EXIT(child(), fine_or_without, "");
}

TEST(SignalDeathTest, ADiagnosticReachesStandardErrorWhole) {
  const auto child = [] {
    text line;
    line << std::string_view("a line of diagnostics") << '\n';
    write_diagnostic(line.c_str(), line.view().size());
    write_diagnostic("never written", 0);
    close(STDERR_FILENO);
    write_diagnostic("no reader is left", 17);  // Must return.
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "^a line of diagnostics\n$");
}

TEST(SignalDeathTest, ABacktraceHasOneFrameALine) {
  const auto child = [] {
    require(install_fault_filter(second_filter).has_value(), "installed");
    write_backtrace();
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "bast_os_test.*\\[0x[0-9a-f]+\\]\n.*\n");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
