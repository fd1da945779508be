// SPDX-License-Identifier: Apache-2.0
//
// IO-15: in a forked child the pools of the forking thread continue; operations on those of other
// threads fail with `forked`.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

/// A pool with a suspended, a finished and a ready coroutine.
struct peopled_pool {
  std::optional<coro_pool> pool;
  std::optional<coro<>> suspended;
  std::optional<coro<>> finished;
  std::optional<coro<>> ready;
  int unwound = 0;

  void make() {
    pool = *coro_pool::create();
    suspended = *pool->acquire();
    finished = *pool->acquire();
    ready = *pool->acquire();
    struct counts {
      int& count;
      ~counts() { ++count; }
    };
    ASSERT_FALSE(suspended
                     ->start([this](yielder<>& out) {
                       const counts local{unwound};
                       out.yield();
                     })
                     .failed());
    ASSERT_FALSE(finished->start([] {}).failed());
  }
  void end() {
    ready.reset();
    finished.reset();
    suspended.reset();
    pool.reset();
  }
};

/// Calls `f` while another thread waits with its populated pool.
template <class F>
void beside_another_thread(F f) {
  peopled_pool theirs;
  std::atomic<int> stage{0};
  std::thread other([&] {
    theirs.make();
    stage = 1;
    stage.notify_one();
    stage.wait(1);
    theirs.end();
  });
  stage.wait(0);
  f(theirs);
  stage = 2;
  stage.notify_one();
  other.join();
  EXPECT_EQ(theirs.unwound, BAST_EXCEPTIONS != 0 ? 1 : 0);
}

TEST(ForkedPool, IO15_OneWhoseThreadDidNotForkAlongAnswersForked) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  beside_another_thread([](peopled_pool& theirs) {
    EXPECT_EQ(test::kind_of(theirs.pool->acquire()), errc::wrong_thread);
    EXPECT_EQ(test::in_child([&] {
                if (test::kind_of(theirs.pool->acquire()) != errc::forked) return 1;
                if (test::kind_of(theirs.pool->reserve(1)) != errc::forked) return 2;
                if (test::kind_of(theirs.suspended->resume()) != errc::forked) return 3;
                if (test::kind_of(theirs.suspended->release()) != errc::forked) return 4;
                if (test::kind_of(theirs.ready->start([] {})) != errc::forked) return 5;
                if (test::kind_of(theirs.finished->returned()) != errc::forked) return 6;
                if (test::words_of(theirs.ready->start([] {})) !=
                    "start: belongs to the process before fork: its thread does not exist in this "
                    "process") {
                  return 7;
                }
                theirs.end();  // As the destructors at exit do.
                if (theirs.unwound != 0) return 8;
                const auto own = coro_pool::create();
                if (!own) return 9;
                return (*own).stats().max > 0 ? 0 : 10;
              }),
              0);
    EXPECT_EQ(test::kind_of(theirs.suspended->resume()), errc::wrong_thread) << "as before";
  });
}

TEST(ForkedPool, IO15_OneOfTheForkingThreadIsTheChildsToo) {
  peopled_pool ours;
  ours.make();
  EXPECT_EQ(test::in_child([&] {
              if (!ours.suspended->resume().finished()) return 1;
              if (!ours.ready->start([] {}).finished()) return 2;
              if (!ours.pool->acquire()) return 3;
              ours.end();
              return ours.unwound == 1 ? 0 : 4;
            }),
            0);
  EXPECT_EQ(ours.unwound, 0);
  EXPECT_TRUE(ours.suspended->resume().finished());
  ours.end();
}

#if BAST_EXCEPTIONS
TEST(ForkedPool, IO15_F17_OneOfTheForkingThreadUnwindsInTheChildWhatItHolds) {
  peopled_pool ours;
  ours.make();
  EXPECT_EQ(test::in_child([&] {
              ours.pool.reset();
              if (ours.unwound != 1) return 1;
              return ours.suspended->state() == coro_state::free ? 0 : 2;
            }),
            0);
  EXPECT_EQ(ours.unwound, 0);
  ours.pool.reset();
  EXPECT_EQ(ours.unwound, 1);
  ours.end();
}
#endif

TEST(ForkedPool, IO15_TheChildMayAdoptOneInWhichNothingRuns) {
  if (BAST_WITH_TSAN != 0) GTEST_SKIP() << "no threads after a fork";
  beside_another_thread([](peopled_pool& theirs) {
    EXPECT_EQ(test::in_child([&] {
                if (test::kind_of(theirs.pool->adopt()) != errc::busy) return 1;
                std::optional<coro_pool> idle;
                std::thread([&] { idle = *coro_pool::create(); }).join();
                if (!idle->adopt()) return 2;
                return test::in_child([&] {
                  auto c = idle->acquire();
                  return c && c->start([] {}).finished() ? 0 : 3;
                });
              }),
              0);
  });
}

}  // namespace
}  // namespace bast
