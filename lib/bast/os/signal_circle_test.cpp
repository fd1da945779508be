// SPDX-License-Identifier: Apache-2.0
//
// Decision D3: a circle of handlers that pass a fault on ends with the fault; and a handler that an
// application installs after ours may check whether a fault is ours, and recover from its own.
#include <gtest/gtest.h>
#include <setjmp.h>

#include <atomic>

#include "bast/os/signal.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/fault.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using test::forbidden_page;
using test::load_from;
using test::require;

constinit std::atomic<int> circle_calls{0};

bool never_mine(siginfo_t*, void*) noexcept { return false; }
void install_between() {
  require(install_fault_filter(never_mine).has_value(), "ours is installed");
}

struct sigaction handler_with_context(void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = flags | SA_SIGINFO;
  return action;
}

constexpr int calls_max = 20;  // more is an endless circle

void pass_on(int number, siginfo_t* info, void* context) {
  require(++circle_calls < calls_max, "the circle ends");
  handle_fault(number, info, context);
}

struct sigaction beneath_the_second{};

/// The later handler, which keeps the previous one, as handlers usually do.
void pass_on_to_what_was_there(int number, siginfo_t* info, void* context) {
  beneath_the_second.sa_sigaction(number, info, context);
}

/// The earlier handler, installed again after it kept the later one.
void pass_on_to_the_second(int number, siginfo_t* info, void* context) {
  require(++circle_calls < calls_max, "the circle ends");
  pass_on_to_what_was_there(number, info, context);
}

/// The child of a test: dies of its own fault, with the fault's address, or reports an error.
template <class Install>
void fault_through(Install install) {
  test::start_from_default_action();
  const forbidden_page page;
  install();
  load_from(page.address());
  _exit(0);
}

TEST(SignalCircleDeathTest, D3_AReporterInstalledBeforeAndAgainAfterUsEndsByTheFault) {
  const auto child = [] {
    fault_through([] {
      test::install_application_handler(handler_with_context(pass_on, SA_ONSTACK));
      install_between();
      test::install_application_handler(handler_with_context(pass_on, SA_ONSTACK));
    });
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), test::killed_silently);
}

TEST(SignalCircleDeathTest, D3_ACircleOfTwoThatKeepWhatWasThereEndsByTheFault) {
  // A, then ours, then B which keeps ours, then A again, which keeps B.
  const auto child = [] {
    fault_through([] {
      const struct sigaction a = handler_with_context(pass_on_to_the_second, SA_NODEFER);
      test::install_application_handler(a);
      install_between();
      require(::sigaction(SIGSEGV, nullptr, &beneath_the_second) == 0, "B keeps ours");
      test::install_application_handler(handler_with_context(pass_on_to_what_was_there, 0));
      test::install_application_handler(a);
    });
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), test::killed_silently);
}

TEST(SignalCircleDeathTest, D3_ASentSignalInACircleKills) {
  const auto child = [] {
    test::start_from_default_action();
    test::install_application_handler(handler_with_context(pass_on, 0));
    install_between();
    test::install_application_handler(handler_with_context(pass_on, 0));
    kill(getpid(), SIGSEGV);
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::KilledBySignal(SIGSEGV), test::killed_silently);
}

sigjmp_buf recovered;

void recover(int number, siginfo_t* info, void* context) {
  require(number == SIGSEGV, "the signal's number");
  if (cure_fault(info, context)) return;
  ++circle_calls;
  siglongjmp(recovered, 1);
}

constinit const forbidden_page* page_of_ours = nullptr;

bool open_the_second_page(siginfo_t* info, void*) noexcept {
  return info->si_addr == page_of_ours->address() && page_of_ours->open();
}

TEST(SignalCircleDeathTest, D3_ALaterHandlerMayAskAndRecoverAgainAndAgain) {
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page wild;
    const forbidden_page ours;
    page_of_ours = &ours;
    require(install_fault_filter(open_the_second_page).has_value(), "installed");
    test::install_application_handler(handler_with_context(recover, 0));
    while (circle_calls < 3) {
      if (sigsetjmp(recovered, 1) == 0) {
        load_from(wild.address());
        _exit(3);
      }
    }
    require(circle_calls == 3, "each fault was the application's");
    require(load_from(ours.address()) == 0, "and ours are still resolved");
    require(circle_calls == 3, "without the application's handler");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

void recover_below_us(int, siginfo_t*, void*) {
  ++circle_calls;
  siglongjmp(recovered, 1);
}

TEST(SignalCircleDeathTest, D3_WhoLeavesByAJumpIsAskedTheNextTimeToo) {
  // The kernel puts each signal's frame at the same place: the previous mark must be gone.
  const auto child = [] {
    test::start_from_default_action();
    const forbidden_page wild;
    test::install_application_handler(handler_with_context(recover_below_us, 0));
    install_between();
    while (circle_calls < 3) {
      if (sigsetjmp(recovered, 1) == 0) {
        load_from(wild.address());
        _exit(3);
      }
    }
    require(circle_calls == 3, "each time");
    _exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
