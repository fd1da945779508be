// SPDX-License-Identifier: Apache-2.0
//
// Pools of thread and static storage duration end in destructors, where coroutines are unwound and
// may grow. So the thread's resources for them, first the alternate signal stack, must outlive
// them. A pool may also begin on a thread that has lost its resources. Each test is its own
// process.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/depths.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/fault.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/mappings.hpp"

namespace bast {
namespace {

using test::require;

[[gnu::noinline]] int deep_frames(int depth) {
  volatile char frame[1000];
  frame[0] = static_cast<char>(depth);
  const int below = depth > 0 ? deep_frames(depth - 1) : 0;
  return below + (frame[0] == static_cast<char>(depth) ? 1 : 0);
}

constinit std::atomic<int> grown{0};

/// Needs 60 KiB: more than the window.
struct grows_when_destroyed {
  ~grows_when_destroyed() { grown += deep_frames(60) == 61 ? 1 : 0; }
};

/// Leaves a suspended coroutine that grows when unwound; or, in builds without unwinding, one that
/// has grown. Either shows that the thread supports growth.
void use(std::optional<coro_pool>& pool) {
  if (!pool) pool.emplace(coro_pool::create().value());
  auto c = pool->acquire().value().detach();
  const auto step = c.start("worker", [](yielder<>& out) {
    const grows_when_destroyed at_the_end;
    out.yield();
  });
  require(step.yielded(), "started");
}

thread_local std::optional<coro_pool> pool_of_thread;
std::optional<coro_pool> pool_of_program;

/// Checked after the destructors of the younger thread_locals and static objects.
struct said_last {
  int expected = 0;
  ~said_last() {
    if (expected != 0 && grown == expected) os::write_diagnostic("all grew\n", 9);
  }
};

constexpr int if_unwound = BAST_EXCEPTIONS;

using ThreadEndDeathTest = testing::Test;

TEST(ThreadEndDeathTest, F17_APoolOfThreadStorageDurationIsUnwoundWithAllThatGrowingNeeds) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  EXPECT_EQ(test::in_child([] {
              for (int life = 1; life <= 3; ++life) {
                std::thread([] { use(pool_of_thread); }).join();
                if (grown != life * if_unwound) return 1;
              }
              return 0;
            }),
            0);
}

TEST(ThreadEndDeathTest, F17_APoolInAPthreadKeyIsUnwoundWithAllThatGrowingNeeds) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  EXPECT_EQ(test::in_child([] {
              pthread_key_t key{};
              ::pthread_key_create(
                  &key, [](void* pool) { delete static_cast<std::optional<coro_pool>*>(pool); });
              for (int life = 1; life <= 3; ++life) {
                std::thread([key] {
                  auto* const pool = new std::optional<coro_pool>;
                  ::pthread_setspecific(key, pool);
                  use(*pool);
                }).join();
                if (grown != life * if_unwound) return 1;
              }
              return 0;
            }),
            0);
}

TEST(ThreadEndDeathTest, F17_APoolOfStaticStorageDurationIsUnwoundAfterMain) {
#if BAST_EXCEPTIONS
  constexpr const char* words = "all grew";
#else
  constexpr const char* words = "";
#endif
  // exit() destroys this thread's thread_locals first, then the older static objects.
  EXPECT_EXIT(
      {
        static said_last last;
        last.expected = 2 * if_unwound;
        use(pool_of_thread);
        static std::optional<coro_pool> younger;
        use(younger);
        std::exit(0);
      },
      testing::ExitedWithCode(0), words);
}

TEST(ThreadEndDeathTest, F17_APoolMayBeginAndEndInAFunctionOfAtexit) {
  EXPECT_EXIT(
      {
        use(pool_of_thread);
        std::atexit([] {
          std::optional<coro_pool> late;
          use(late);
          late.reset();
          if (grown == 2 * if_unwound) os::write_diagnostic("all grew\n", 9);
        });
        std::exit(0);
      },
      testing::ExitedWithCode(0), "all grew");
}

TEST(ThreadEnd, NothingOfAThreadIsLeft) {
  const auto live = [] { std::thread([] { use(pool_of_thread); }).join(); };
  live();
  test::mappings before = test::mappings::now();
  before = test::mappings::now();
  for (int i = 0; i < 8; ++i) live();
  EXPECT_EQ(test::mappings::now(), before);
}

// --- the alternate stack at the start of a pool --------------------------------------------------

void disable_alternate_stack() {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  require(::sigaltstack(&none, nullptr) == 0, "disabled");
}

void expect_growth_in(result<coro_pool>& pool) {
  require(pool.has_value(), "a pool");
  auto c = pool->acquire<void, void, int>();
  require(!c->start("worker", [] { return deep_frames(60); }).failed(), "started");
  require(*c->returned() == 61, "grew");
}

TEST(AlternateStackOfAPool, D3_IsLookedAtEachTimeAPoolIsMade) {
  if (BAST_WITH_ASAN || BAST_WITH_TSAN) GTEST_SKIP() << "the sanitizer takes its own one down";
  EXPECT_EQ(test::in_child([] {
              for (int life = 0; life < 3; ++life) {
                auto pool = coro_pool::create();
                expect_growth_in(pool);
                disable_alternate_stack();
              }
              return 0;
            }),
            0);
}

TEST(AlternateStackOfAPool, D3_IsLookedAtWhenAPoolIsAdopted) {
  if (BAST_WITH_ASAN || BAST_WITH_TSAN) GTEST_SKIP() << "the sanitizer takes its own one down";
  EXPECT_EQ(test::in_child([] {
              auto pool = coro_pool::create();
              disable_alternate_stack();
              if (!pool->adopt()) return 1;
              expect_growth_in(pool);
              return 0;
            }),
            0);
}

TEST(AlternateStackOfAPool, D3_OneThatBecameTooSmallIsRefusedByEveryPool) {
  if (BAST_WITH_ASAN || BAST_WITH_TSAN) GTEST_SKIP() << "the sanitizer takes its own one down";
  EXPECT_EQ(test::in_child([] {
              auto pool = coro_pool::create();
              static std::byte small[8192];
              stack_t theirs{};
              theirs.ss_sp = small;
              theirs.ss_size = os::alternate_stack_bytes_min() - 1;
              if (theirs.ss_size > sizeof small || ::sigaltstack(&theirs, nullptr) != 0) return 0;
              const auto second = coro_pool::create();
              if (second || second.error().kind() != errc::invalid) return 1;
              const auto adopted = pool->adopt();
              if (adopted || adopted.error().kind() != errc::invalid) return 2;
              disable_alternate_stack();
              auto third = coro_pool::create();
              expect_growth_in(third);
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace bast
