// SPDX-License-Identifier: Apache-2.0
//
// F-19, D3: behaviour at the end of a stack; every fault that is not ours still reaches its
// handler.
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/emulation.hpp"

namespace bast {
namespace {

using namespace bast::literals;

// A sanitizer appends its own report and exits instead of dying by the signal. Clang's runtime for
// undefined behaviour does the same.
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
#define BAST_TEST_WITH_UBSAN 1
#endif
#endif
#if !defined(BAST_TEST_WITH_UBSAN)
#define BAST_TEST_WITH_UBSAN 0
#endif
constexpr bool sanitized =
    BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN || BAST_TEST_WITH_UBSAN;

volatile bool stop = false;  // Never set; unknown to the compiler.

[[gnu::noinline]] int endless(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  const int below = stop ? 0 : endless(depth + 1);
  return below + frame[0];
}

void overflow(const coro_pool_options& options, const char* name = "walker") {
  coro_pool pool = *coro_pool::create(options);
  auto c = pool.acquire();
  (void)c->start(static_string::promise(name), [] { (void)endless(0); });
}

TEST(OverflowDeath, F19_TheReportNamesCoroutineSiteSizeAndDepth) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  EXPECT_DEATH(overflow({.stack = {.limit = 128_KiB}}),
               "bast: stack overflow in coroutine 'walker', spawned at walker\n"
               "  the stack reached its limit: limit 128 KiB, open 128 KiB, depth 128.* KiB, "
               "grown 2 times\n"
               "  fault address 0x[0-9a-f]+, stack pointer 0x[0-9a-f]+, instruction 0x[0-9a-f]+\n"
               "  to fix it: raise stack_options::limit or recurse less\n"
               "  backtrace:\n");
}

TEST(OverflowDeath, F19_TheSpawnSiteIsAPlaceInTheSource) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create();
        auto c = pool.acquire();
        (void)c->start([] { (void)endless(0); });
      },
      "in coroutine \\(unnamed\\), spawned at .*overflow_test.cpp:[0-9]+");
}

TEST(OverflowDeath, F19_OnBothTiers) {
  EXPECT_DEATH(overflow({.stack = {.tier = stack_tier::protection}}), "stack reached its limit");
  if (*probe_guard_markers()) {
    EXPECT_DEATH(overflow({.stack = {.tier = stack_tier::guard_markers}}),
                 "stack reached its limit");
  }
}

TEST(OverflowDeath, F19_TheProcessDiesAtTheFaultingInstruction) {
  if (sanitized) GTEST_SKIP() << "the sanitizer reports the fault and exits";
  EXPECT_EXIT(overflow({}), testing::KilledBySignal(SIGSEGV), "stack overflow");
}

TEST(OverflowDeath, D11_ASpentBudgetIsNamed) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  // The window fits the budget; the first growth does not.
  EXPECT_DEATH(overflow({.stack = {.budget = 40_KiB}}),
               "the pool's budget of open stack bytes is spent");
  EXPECT_DEATH(
      {
        process_stack_budget().set_limit(40_KiB);
        overflow({});
      },
      "the process's budget of open stack bytes is spent");
}

TEST(OverflowDeath, D12_AKernelThatRefusesIsNamed) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.tier = stack_tier::protection}});
        auto c = pool.acquire();
        (void)c->start("walker", [](yielder<>& out) {
          out.yield();
          (void)endless(0);
        });
        const os::fault_scope refuses({.kind = os::call::protect, .nth = 1, .persistent = true});
        (void)c->resume();
      },
      "the kernel refused to open more of the stack");
}

TEST(OverflowDeath, F19_TheHookSeesItFirst) {
  EXPECT_DEATH(
      {
        set_overflow_hook([](const overflow_info& info) noexcept {
          text line;
          line << "hook: " << info.name << " of " << std::uint64_t{info.limit.count} << '\n';
          os::write_diagnostic(line.view().data(), line.view().size());
        });
        overflow({});
      },
      "hook: walker of 196608\nbast: stack overflow");
}

TEST(OverflowDeath, D3_AWildWriteIntoTheClosedPartOfAStackIsNoWishToGrow) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  // Far below the stack pointer: must die as a wild write, without our report.
  EXPECT_EXIT(
      {
        std::signal(SIGSEGV, [](int) { ::_exit(42); });
        coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
        auto c = pool.acquire();
        (void)c->start([] {
          auto* const here = static_cast<volatile char*>(__builtin_frame_address(0));
          here[-(512 << 10)] = 1;
        });
      },
      testing::ExitedWithCode(42), "^$");
}

TEST(OverflowDeath, D3_AWildWriteIntoAnothersStackIsNotOurs) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  EXPECT_EXIT(
      {
        std::signal(SIGSEGV, [](int) { ::_exit(42); });
        coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
        auto victim = pool.acquire();
        volatile char* low = nullptr;
        (void)victim->start([&](yielder<>& out) {
          low = static_cast<volatile char*>(__builtin_frame_address(0)) - (100 << 10);
          out.yield();
        });
        *low = 1;
      },
      testing::ExitedWithCode(42), "^$");
}

/// A handler of the application, installed before the pool.
void exits_with_address(int, siginfo_t* info, void* context) {
  const bool right = info->si_addr == reinterpret_cast<void*>(0x1234) && context != nullptr &&
                     info->si_code == SEGV_MAPERR;
  ::_exit(right ? 43 : 44);
}

TEST(OverflowDeath, D3_AnEarlierHandlerGetsTheOriginalSignal) {
  if (test::under_valgrind)
    GTEST_SKIP() << "memcheck counts the planted write and changes the status; see "
                    "sanitizers.earlier_handler";
  EXPECT_EXIT(
      {
        struct sigaction action{};
        action.sa_sigaction = exits_with_address;
        action.sa_flags = SA_SIGINFO;
        ::sigaction(SIGSEGV, &action, nullptr);
        coro_pool pool = *coro_pool::create();
        auto c = pool.acquire();
        (void)c->start([] {
          EXPECT_TRUE(ensure_stack(16_KiB));  // Its handler runs on this stack.
          *reinterpret_cast<volatile char*>(0x1234) = 1;
        });
      },
      testing::ExitedWithCode(43), "");
}

TEST(OverflowDeath, D3_AWildWriteOutsideAnyStackDiesAsIfWeWereAbsent) {
  if (sanitized) GTEST_SKIP() << "the sanitizer reports the fault and exits";
  EXPECT_EXIT(
      {
        coro_pool pool = *coro_pool::create();
        *reinterpret_cast<volatile char*>(0x1234) = 1;
      },
      testing::KilledBySignal(SIGSEGV), test::killed_silently);
}

TEST(OverflowDeath, D3_ASignalThatSomebodySentIsNoFault) {
  if (sanitized) GTEST_SKIP() << "the sanitizer reports the signal and exits";
  EXPECT_EXIT(
      {
        coro_pool pool = *coro_pool::create();
        auto c = pool.acquire();
        (void)c->start([] { ::raise(SIGSEGV); });
      },
      testing::KilledBySignal(SIGSEGV), test::killed_silently);
}

TEST(OverflowDeath, D3_ALostSignalIsExplained) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind delivers signals by its own means";
  if (sanitized) GTEST_SKIP() << "sanitizers deliver signals by their own means";
  EXPECT_DEATH(
      {
        std::signal(SIGUSR1, [](int) {});  // No SA_ONSTACK.
        // Bound and queried first: lazy binding of a function needs kilobytes of stack.
        const long process = ::syscall(SYS_getpid);
        const long thread = ::syscall(SYS_gettid);
        coro_pool pool = *coro_pool::create({.stack = {.limit = 64_KiB, .window = 4_KiB}});
        auto c = pool.acquire();
        (void)c->start([process, thread] {
          // Uses up the window except for less than the kernel's frame needs (a kilobyte and more),
          // then has a signal delivered here. syscall() itself needs only a few bytes. Measured
          // from the stack pointer, because the frame above may be large after inlining.
          auto* const here = static_cast<std::byte*>(__builtin_alloca(16));
          *here = std::byte{0};
          const auto left = static_cast<std::size_t>(here - find_stack(here).open_low);
          volatile char* const rest = static_cast<volatile char*>(__builtin_alloca(left - 700));
          rest[0] = 1;
          ::syscall(SYS_tgkill, process, thread, SIGUSR1);
        });
      },
      "installed without SA_ONSTACK");
}

}  // namespace
}  // namespace bast
