// SPDX-License-Identifier: Apache-2.0
//
// D3: only the stack that runs on the faulting thread grows. A frame that skips a guard lands in
// another coroutine's stack, which must stay closed. The report names the coroutine that skipped.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/emulation.hpp"

namespace bast {
namespace {

using namespace bast::literals;

/// Simulates a frame larger than the rest of its stack and the guard, in code without
/// -fstack-clash-protection: the stack pointer is in the slot below and is written through.
void skip_the_guard(const slot& running) {
  const arch::stack_bounds below = stack_pool::bounds_of(*(const_cast<slot*>(&running) - 1));
  const auto* const sp = below.base + 8192;  // not open
#if defined(__x86_64__)
  asm volatile("movq %0, %%rsp\n\tpushq %%rax\n\tud2" : : "r"(sp) : "memory");
#else
  asm volatile("mov sp, %0\n\tstr x0, [sp, #-16]!\n\tbrk #1" : : "r"(sp) : "memory");
#endif
}

constexpr const char* skipped_by_walker =
    "bast: stack overflow in coroutine 'walker', spawned at walker\n"
    "  a frame was larger than the rest of the stack and the guard, and reached another stack: .*\n"
    "  fault address .*\n"
    "  to fix it: compile with -fstack-clash-protection, and raise stack_options::limit\n"
    "  backtrace:";

TEST(SkippedGuardDeath, D3_AnotherCoroutinesStackIsNotOpened) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
        auto victim = pool.acquire();
        (void)victim->start("victim", [](yielder<>& out) { out.yield(); });
        auto c = pool.acquire();
        (void)c->start("walker",
                       [] { skip_the_guard(*find_stack(__builtin_frame_address(0)).record); });
      },
      skipped_by_walker);
}

TEST(SkippedGuardDeath, D3_TheStackOfACoroutineThatResumedThisOneIsNotOpened) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
        auto outer = pool.acquire();
        (void)outer->start("victim", [&] {
          auto c = pool.acquire();
          (void)c->start("walker",
                         [] { skip_the_guard(*find_stack(__builtin_frame_address(0)).record); });
        });
      },
      skipped_by_walker);
}

TEST(SkippedGuardDeath, D3_AnIdleStackIsNotOpened) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
        auto first = pool.acquire();
        (void)first->start("first", [](yielder<>& out) { out.yield(); });
        auto c = pool.acquire();
        (void)c->start("walker", [&](yielder<>& out) {
          out.yield();
          skip_the_guard(*find_stack(__builtin_frame_address(0)).record);
        });
        (void)first->release(abandon);
        (void)c->resume();
      },
      "stack overflow in coroutine .*\n  a frame was larger than the rest of the stack and the "
      "guard");
}

TEST(SkippedGuardDeath, D3_AStackThatAnotherThreadRunsIsNotOpened) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  if (BAST_WITH_TSAN) GTEST_SKIP() << "no threads after a fork";
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
        auto c = pool.acquire();
        (void)c->start("another's", [&] {
          slot& mine = *find_stack(__builtin_frame_address(0)).record;
          std::thread([&] {
            const auto own = coro_pool::create();  // for the handler: an alternate stack
            skip_the_guard(*(&mine + 1));
          }).join();
        });
      },
      "a frame was larger than the rest of the stack and the guard");
}

[[gnu::noinline]] int bounded(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  const int below = depth > 0 ? bounded(depth - 1) : 0;
  return below + (frame[0] == static_cast<char>(depth) ? 1 : 0);
}

TEST(GrowthAfterFork, D3_TheRunningCoroutineGrows) {
  if (test::under_valgrind) GTEST_SKIP() << "in this build a stack is open from the start";
  if (BAST_WITH_TSAN) GTEST_SKIP() << "no threads after a fork";
  // By the C library, and without it: the child's thread has a different id and the same stack.
  coro_pool pool = *coro_pool::create({.stack = {.limit = 1_MiB}});
  auto c = *pool.acquire();
  int statuses[2] = {-1, -1};
  ASSERT_FALSE(c.start("forks", [&] {
                  for (int way = 0; way < 2; ++way) {
                    const pid_t child =
                        way == 0 ? ::fork()
                                 : static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
                    if (child == 0) ::_exit(bounded(600) == 601 ? 0 : 1);
                    ::waitpid(child, &statuses[way], 0);
                  }
                }).failed());
  EXPECT_EQ(statuses[0], 0);
  EXPECT_EQ(statuses[1], 0);
}

}  // namespace
}  // namespace bast
