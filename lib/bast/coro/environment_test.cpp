// SPDX-License-Identifier: Apache-2.0
//
// Conditions of the host process: fork, locked memory, a small address space, kernels without
// markers. Each test runs in a child process and reports by its exit status.
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/in_child.hpp"

namespace bast {
namespace {

using namespace bast::literals;

constexpr int succeeded = 0;

/// Runs `f` in a child; its return value is the child's exit status.
template <class F>
int status_of_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

[[gnu::noinline]] int recurse(int levels) {
  volatile char frame[1000];
  frame[0] = 1;
  return levels == 0 ? 0 : recurse(levels - 1) + frame[0];
}

/// Returns false if it is not permitted, or if a sanitizer intercepts it and does nothing.
bool lock_future_memory() {
  const bool markers_worked = *probe_guard_markers();
  return test::lock_memory(MCL_FUTURE) && !(markers_worked && *probe_guard_markers());
}

/// Uses a pool in every ordinary way; returns 0 on success.
int use(coro_pool& pool) {
  std::vector<coro<>> several;
  for (int i = 0; i < 10; ++i) {
    auto c = pool.acquire();
    if (!c) return 10;
    if (c->start([](yielder<>& out) {
           (void)recurse(100);
           out.yield();
           (void)recurse(150);
         }).failed()) {
      return 11;
    }
    several.push_back(std::move(*c));
  }
  for (auto& c : several) {
    const auto step = c.resume();
    if (step.failed() || !step.finished()) return 12;
  }
  several.clear();
  pool.check_invariants();
  return succeeded;
}

TEST(Environment, AfterForkTheChildsCopyWorksAndGrows) {
  // To TSan a coroutine is a thread. After a fork with threads it tracks no synchronisation and
  // reports a race between the two sides of a switch.
  if (BAST_WITH_TSAN) GTEST_SKIP() << "TSan does not follow fibers across fork";
  coro_pool pool = *coro_pool::create();
  auto before = pool.acquire<void, void, int>();
  ASSERT_FALSE(before
                   ->start([](yielder<>& out) {
                     const int shallow = recurse(10);
                     out.yield();
                     return shallow + recurse(150);
                   })
                   .failed());
  EXPECT_EQ(status_of_child([&] {
              // The coroutine that was suspended at the fork continues and grows in the child.
              const auto step = before->resume();
              if (step.failed() || !step.finished()) return 1;
              if (*before->returned() != 160) return 2;
              return use(pool);
            }),
            succeeded);
  // The parent's copy is untouched.
  ASSERT_TRUE(before->resume().finished());
  EXPECT_EQ(*before->returned(), 160);
  EXPECT_EQ(use(pool), succeeded);
}

TEST(Environment, AfterForkInsideACoroutineBothGoOn) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([] {
                  EXPECT_EQ(status_of_child([] { return recurse(150) == 150 ? succeeded : 1; }),
                            succeeded);
                  EXPECT_EQ(recurse(150), 150);
                }).failed());
}

TEST(Environment, LockedMemoryFallsBackToProtection) {
  const int status = status_of_child([] {
    if (!lock_future_memory()) return 77;
    auto pool = coro_pool::create({.stack = {.limit = 256_KiB}});
    if (!pool) return 1;
    if (const int failed = use(*pool); failed != succeeded) return failed;
    return pool->stats().stacks.stacks_guard_markers == 0 ? succeeded : 2;
  });
  if (status == 77) GTEST_SKIP() << "memory cannot be locked here";
  EXPECT_EQ(status, succeeded);
}

TEST(Environment, LockedMemoryRefusesDemandedMarkersWithAnError) {
  if (!*probe_guard_markers()) GTEST_SKIP() << "this kernel has no guard markers";
  const int status = status_of_child([] {
    if (!lock_future_memory()) return 77;
    auto pool = coro_pool::create({.stack = {.tier = stack_tier::guard_markers}});
    // Fails here if the markers were not probed before, otherwise at the first slab.
    if (!pool) return pool.error() == errc::unsupported ? succeeded : 1;
    auto c = pool->acquire();
    const auto step = c->start([] {});
    if (!step.failed()) return 2;
    return step.error() == errc::invalid ? succeeded : 3;
  });
  if (status == 77) GTEST_SKIP() << "memory cannot be locked here";
  EXPECT_EQ(status, succeeded);
}

TEST(Environment, MemoryLockedLaterMovesNewStacksToProtection) {
  if (!*probe_guard_markers()) GTEST_SKIP() << "this kernel has no guard markers";
  const int status = status_of_child([] {
    auto pool = coro_pool::create({.stack = {.tier = stack_tier::automatic}});
    if (!pool) return 1;
    if (const int failed = use(*pool); failed != succeeded) return failed;
    if (!lock_future_memory()) return 77;
    // More stacks than the first slab holds.
    std::vector<coro<>> many;
    for (int i = 0; i < 40; ++i) {
      auto c = pool->acquire();
      if (!c) return 3;
      if (c->start([](yielder<>& out) { out.yield(); }).failed()) return 4;
      many.push_back(std::move(*c));
    }
    for (auto& c : many) {
      if (c.resume().failed()) return 5;
    }
    return succeeded;
  });
  if (status == 77) GTEST_SKIP() << "memory cannot be locked here";
  EXPECT_EQ(status, succeeded);
}

TEST(Environment, LittleAddressSpaceIsAClearErrorAndNothingIsLost) {
  if (BAST_WITH_ASAN || BAST_WITH_TSAN) GTEST_SKIP() << "the sanitizer needs terabytes";
  if (test::emulated) GTEST_SKIP() << "qemu does not serve RLIMIT_AS";
  if (BAST_WITH_VALGRIND) GTEST_SKIP() << "valgrind's own memory counts as well";
  EXPECT_EQ(status_of_child([] {
              // 128 MiB more than the earlier tests used.
              std::size_t pages = 0;
              std::ifstream("/proc/self/statm") >> pages;
              const rlim_t limit = pages * os::page_bytes() + (128 << 20);
              const rlimit little{.rlim_cur = limit, .rlim_max = limit};
              if (::setrlimit(RLIMIT_AS, &little) != 0) return 1;
              auto pool = coro_pool::create();
              if (!pool) return 2;  // A small pool fits.
              if (const int failed = use(*pool); failed != succeeded) return failed;
              std::vector<coro<>> many;
              for (;;) {
                auto c = pool->acquire();
                if (!c) return c.error() == errc::no_memory ? succeeded : 3;
                const auto step = c->start([](yielder<>& out) { out.yield(); });
                if (step.failed()) {
                  if (!(step.error() == errc::no_memory)) return 4;
                  break;
                }
                many.push_back(std::move(*c));
                if (many.size() > 2000) return 5;
              }
              if (many.size() < 100) return 6;
              for (auto& c : many) {
                if (c.resume().failed()) return 7;
              }
              many.clear();
              return use(*pool);
            }),
            succeeded);
}

}  // namespace
}  // namespace bast
