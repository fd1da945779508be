// SPDX-License-Identifier: Apache-2.0
//
// Decision D3: a fault that is not ours reaches the previous handler, as if this library were
// absent. Each test is a child that installs a previous handler, then our filter, and faults.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>

#include "bast/os/signal.hpp"
#include "bast/testing/fault.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using test::forbidden_page;
using test::load_from;
using test::require;

constinit std::atomic<int> handler_calls{0};
constinit void* expected_address = nullptr;
const std::uint64_t a_good_word = 0x600d;

bool not_mine(siginfo_t*, void*) noexcept { return false; }

void install_ours() { require(install_fault_filter(not_mine).has_value(), "ours is installed"); }

struct sigaction one_argument(void (*handler)(int), int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  return action;
}

struct sigaction three_arguments(void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = flags | SA_SIGINFO;
  return action;
}

TEST(SignalForwardDeathTest, AWildFaultDiesAsWithoutUs) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    install_ours();
    load_from(page.address());
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), "");
}

TEST(SignalForwardDeathTest, ASentSignalDiesAsWithoutUs) {
  const auto child = [] {
    test::start_from_default_action();
    install_ours();
    kill(getpid(), SIGSEGV);
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), "");
}

void cure_through_the_context(int number, siginfo_t* info, void* context) {
  ++handler_calls;
  require(number == SIGSEGV && info->si_signo == SIGSEGV, "the signal's number");
  require(info->si_addr == expected_address, "the original address");
  require(info->si_code == SEGV_ACCERR, "the original cause");
  // Only a change in the original context, not in a copy, reaches the interrupted code.
  test::redirect_load(context, &a_good_word);
}

TEST(SignalForwardDeathTest, AHandlerGetsTheOriginalSiginfoAndContext) {
  const auto child = [] {
    const forbidden_page page;
    expected_address = page.address();
    test::install_application_handler(three_arguments(cure_through_the_context, 0));
    install_ours();
    errno = E2BIG;
    for (int round = 1; round <= 3; ++round) {
      require(load_from(page.address()) == a_good_word, "resolved by the application");
      require(handler_calls == round, "once per fault");
    }
    require(errno == E2BIG, "errno is untouched");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

void leave_with_7(int number) { _exit(number == SIGSEGV ? 7 : 8); }

TEST(SignalForwardDeathTest, AHandlerOfOneArgumentIsCalled) {
  const auto child = [] {
    const forbidden_page page;
    test::install_application_handler(one_argument(leave_with_7, 0));
    install_ours();
    load_from(page.address());
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(7), "");
}

TEST(SignalForwardDeathTest, AnIgnoredSentSignalIsIgnored) {
  const auto child = [] {
    test::install_application_handler(one_argument(SIG_IGN, 0));
    install_ours();
    kill(getpid(), SIGSEGV);
    raise(SIGSEGV);
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST(SignalForwardDeathTest, AGenuineFaultCannotBeIgnored) {
  const auto child = [] {
    const forbidden_page page;
    test::install_application_handler(one_argument(SIG_IGN, 0));
    install_ours();
    load_from(page.address());
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), "");
}

void report_and_return(int) {
  static constexpr char report[] = "crash report\n";
  write_diagnostic(report, sizeof report - 1);
}

TEST(SignalForwardDeathTest, AHandlerForOneSignalIsCalledOnce) {
  // SA_RESETHAND: the reporter returns and expects the repeated fault to kill.
  const auto child = [] {
    const forbidden_page page;
    test::install_application_handler(
        one_argument(report_and_return, static_cast<int>(SA_RESETHAND)));
    install_ours();
    load_from(page.address());
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), "^crash report\n(qemu: .*)?$");
}

bool is_blocked(int number) {
  sigset_t mask;
  sigemptyset(&mask);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, number) == 1;
}

void look_at_the_mask(int, siginfo_t*, void* context) {
  ++handler_calls;
  require(is_blocked(SIGUSR1), "the handler's own mask");
  require(!is_blocked(SIGSEGV), "SA_NODEFER: its own signal is not blocked");
  test::redirect_load(context, &a_good_word);
}

TEST(SignalForwardDeathTest, AHandlerRunsUnderTheMaskItAskedFor) {
  if (BAST_WITH_TSAN != 0) {
    GTEST_SKIP() << "the thread sanitizer blocks every signal while a handler runs";
  }
  const auto child = [] {
    const forbidden_page page;
    struct sigaction action = three_arguments(look_at_the_mask, SA_NODEFER);
    sigaddset(&action.sa_mask, SIGUSR1);
    test::install_application_handler(action);
    install_ours();
    load_from(page.address());
    require(handler_calls == 1, "called");
    require(!is_blocked(SIGUSR1) && !is_blocked(SIGSEGV), "afterwards nothing is blocked");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

constinit const forbidden_page* page_behind_two_handlers = nullptr;

bool open_the_page_behind(siginfo_t* info, void*) noexcept {
  return info->si_addr == page_behind_two_handlers->address() && page_behind_two_handlers->open();
}

void ask_bast_first(int number, siginfo_t* info, void* context) {
  ++handler_calls;
  handle_fault(number, info, context);
}

TEST(SignalForwardDeathTest, AHandlerInstalledLaterCanCallOurs) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    page_behind_two_handlers = &page;
    require(install_fault_filter(open_the_page_behind).has_value(), "ours is installed");
    test::install_application_handler(three_arguments(ask_bast_first, 0));
    require(load_from(page.address()) == 0, "resolved by our filter");
    require(handler_calls == 1, "through the application's handler");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

TEST(SignalForwardDeathTest, WhatSuchAHandlerPassesOnStillDies) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page page;
    install_ours();
    test::install_application_handler(three_arguments(ask_bast_first, 0));
    load_from(page.address());
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
