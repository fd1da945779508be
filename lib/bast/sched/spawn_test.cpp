// SPDX-License-Identifier: Apache-2.0
//
// What spawn takes, in which order, and when it fails. callable_test.cpp has the sizes.
#include "bast/sched/spawn.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;

TEST(Spawn, IO8_TheChildDoesNotRunInsideSpawn) {
  EXPECT_TRUE(run(
      [] {
        bool has_run = false;
        auto child = spawn([&] { has_run = true; }).value();
        EXPECT_FALSE(has_run);
        EXPECT_FALSE(child.is_done());
        EXPECT_TRUE(child.join());
        EXPECT_TRUE(has_run);
      },
      {.workers = 1}));
}

TEST(Spawn, OutsideOfAFiberItFailsAndTheArgumentIsUnchanged) {
  auto held = std::make_unique<int>(3);
  auto function = [held = std::move(held)] { return *held; };
  EXPECT_EQ(kind_of(spawn(std::move(function))), errc::not_in_fiber);
  // NOLINTNEXTLINE(bugprone-use-after-move): the point of the test
  EXPECT_EQ(function(), 3);
}

TEST(Spawn, AThreadOfItsOwnIsNoFiber) {
  EXPECT_TRUE(run([] {
    const test::joined_thread other([] { EXPECT_EQ(kind_of(spawn([] {})), errc::not_in_fiber); });
  }));
}

TEST(Spawn, ANestedCoroutineSpawns) {
  EXPECT_TRUE(run([] {
    auto pool = coro_pool::create().value();
    int got = 0;
    auto inner = pool.make([&] { got = spawn([] { return 5; })->join().value(); }).value();
    (void)inner.resume();
    test::yield_until([&] { return got != 0; });
    EXPECT_EQ(got, 5);
  }));
}

TEST(Spawn, AnUnknownPoolIsInvalidAndTheArgumentIsUnchanged) {
  EXPECT_TRUE(run([] {
    auto function = [held = std::make_unique<int>(3)] { return *held; };
    const auto refused = spawn(std::move(function), {.pool = "nowhere"});
    EXPECT_EQ(kind_of(refused), errc::invalid);
    // NOLINTNEXTLINE(bugprone-use-after-move): the point of the test
    EXPECT_EQ(function(), 3);
    const auto by_handle =
        runtime_handle::current()->spawn(std::move(function), {.pool = "nowhere"});
    EXPECT_EQ(kind_of(by_handle), errc::invalid);
    EXPECT_EQ(function(), 3);
  }));
}

TEST(Spawn, PoolsByName) {
  const pool_options pools[] = {{.name = "disk", .workers = 2},
                                {.name = "crypto", .workers = 1, .threads = scheduling::batch}};
  EXPECT_TRUE(run(
      [] {
        EXPECT_EQ(runtime_handle::current()->workers(), 5U);
        EXPECT_LT(this_fiber::worker(), 2U);
        for (int i = 0; i < 20; ++i) {
          auto where = spawn(
              [] {
                const std::size_t mine = this_fiber::worker();
                // A child stays in the pool.
                const std::size_t inner =
                    spawn([] { return this_fiber::worker(); })->join().value();
                return std::pair(mine, inner);
              },
              {.pool = "disk"});
          const auto [mine, inner] = where->join().value();
          EXPECT_TRUE(mine == 2 || mine == 3) << mine;
          EXPECT_TRUE(inner == 2 || inner == 3) << inner;
        }
        EXPECT_EQ(spawn([] { return this_fiber::worker(); }, {.pool = "crypto"})->join().value(),
                  4U);
      },
      {.workers = 2, .pools = pools}));
}

TEST(Spawn, DetachedFibersAreAwaited) {
  std::atomic<int> ended = 0;
  EXPECT_TRUE(run(
      [&] {
        for (int i = 0; i < 100; ++i) {
          (void)spawn([&] {
            for (int y = 0; y < 10; ++y) EXPECT_TRUE(yield_now());
            ++ended;
          });
        }
      },
      {.workers = 2}));
  EXPECT_EQ(ended, 100);
}

TEST(Spawn, FibersSpawnFibersAfterMain) {
  std::atomic<int> ended = 0;
  struct chain {
    std::atomic<int>& ended;
    int left;
    void operator()() const {
      ++ended;
      if (left > 0) (void)spawn(chain{ended, left - 1}).value();
    }
  };
  EXPECT_TRUE(run([&] { (void)spawn(chain{ended, 1000}); }, {.workers = 2}));
  EXPECT_EQ(ended, 1001);
}

TEST(SpawnDaemon, IsCancelledWhenOnlyDaemonsAreLeft) {
  std::optional<errc> end;
  bool other_ended = false;
  EXPECT_TRUE(run(
      [&] {
        (void)spawn(
            [&] {
              test::rendezvous<int> never;
              end = kind_of(perform(never.receive()));
              EXPECT_TRUE(other_ended);
            },
            {.daemon = true});
        (void)spawn([&] {
          for (int i = 0; i < 1000; ++i) EXPECT_TRUE(yield_now());
          other_ended = true;
        });
      },
      {.workers = 1}));
  EXPECT_EQ(end, errc::cancelled);
}

TEST(SpawnDaemon, OneThatIsAlwaysReadyIsCancelledToo) {
  for (const std::size_t workers : {1U, 2U}) {
    std::atomic<int> ended = 0;
    EXPECT_TRUE(run(
        [&] {
          for (int i = 0; i < 3; ++i) {
            (void)spawn(
                [&] {
                  while (yield_now()) {
                  }
                  ++ended;
                },
                {.daemon = true});
          }
        },
        {.workers = workers}));
    EXPECT_EQ(ended, 3);
  }
}

TEST(SpawnDaemon, ChildrenOfDaemonsAreAwaited) {
  std::atomic<bool> ended = false;
  EXPECT_TRUE(run(
      [&] {
        (void)spawn(
            [&] {
              while (yield_now()) {
              }
              (void)spawn([&] {
                EXPECT_FALSE(yield_now());
                ended = true;
              });
            },
            {.daemon = true});
      },
      {.workers = 2}));
  EXPECT_TRUE(ended);
}

TEST(SpawnDaemon, FromAnotherThread) {
  std::atomic<bool> ended = false;
  EXPECT_TRUE(run(
      [&] {
        auto runtime = runtime_handle::current().value();
        const test::joined_thread other([&] {
          EXPECT_TRUE(runtime.spawn(
              [&] {
                while (yield_now()) {
                }
                ended = true;
              },
              {.daemon = true}));
        });
      },
      {.workers = 2}));
  EXPECT_TRUE(ended);
}

TEST(Spawn, IdleWorkersTakeUnstartedFibers) {
  // Main does not wait: its children can only be run by another worker.
  std::set<std::size_t> workers;
  EXPECT_TRUE(run(
      [&] {
        std::atomic<int> started = 0;
        std::vector<fiber<std::size_t>> all;
        for (int i = 0; i < 8; ++i) {
          all.push_back(spawn([&] {
                          ++started;
                          return this_fiber::worker();
                        }).value());
          while (started != i + 1) std::this_thread::yield();
        }
        for (auto& each : all) workers.insert(each.join().value());
      },
      {.workers = 3}));
  EXPECT_FALSE(workers.contains(0));
  EXPECT_FALSE(workers.empty());
}

TEST(ThisFiber, ExistsInFibersOnly) {
  EXPECT_FALSE(this_fiber::exists());
  EXPECT_EQ(kind_of(runtime_handle::current()), errc::not_in_fiber);
  EXPECT_TRUE(yield_now());
  EXPECT_TRUE(run([] {
    EXPECT_TRUE(this_fiber::exists());
    const test::joined_thread other([] { EXPECT_FALSE(this_fiber::exists()); });
  }));
  EXPECT_FALSE(this_fiber::exists());
}

}  // namespace
}  // namespace bast
