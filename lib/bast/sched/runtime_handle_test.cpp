// SPDX-License-Identifier: Apache-2.0
//
// Guests: threads that pass fibers to a runtime, during its life, at its end and after it.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::counted;
using test::kind_of;

TEST(RuntimeHandle, AnotherThreadSpawnsAndJoins) {
  EXPECT_TRUE(run(
      [] {
        auto runtime = runtime_handle::current().value();
        std::atomic<bool> is_over = false;
        const test::joined_thread guest([&] {
          for (int i = 0; i < 200; ++i) {
            auto one = runtime.spawn([i] {
              EXPECT_TRUE(this_fiber::exists());
              EXPECT_TRUE(yield_now());
              return i;
            });
            EXPECT_EQ(one->join().value(), i);
          }
          is_over = true;
        });
        test::yield_until([&] { return is_over.load(); });
      },
      {.workers = 2}));
}

TEST(RuntimeHandle, AfterTheEndItIsClosedAndTheArgumentUnchanged) {
  std::optional<runtime_handle> kept;
  EXPECT_TRUE(run([&] { kept = runtime_handle::current().value(); }));
  auto function = [held = std::make_unique<int>(6)] { return *held; };
  EXPECT_EQ(kind_of(kept->spawn(std::move(function))), errc::closed);
  EXPECT_EQ(kind_of(kept->post(std::move(function))), errc::closed);
  // NOLINTNEXTLINE(bugprone-use-after-move): the point of the test
  EXPECT_EQ(function(), 6);
  EXPECT_GE(kept->workers(), 1U);
}

TEST(RuntimeHandle, AFiberOfAnotherRuntimeIsAGuest) {
  std::optional<runtime_handle> runtime;
  std::atomic<int> stage = 0;
  const test::joined_thread other([&] {
    EXPECT_TRUE(run(
        [&] {
          runtime = runtime_handle::current().value();
          stage = 1;
          test::yield_until([&] { return stage == 2; });
        },
        {.workers = 1}));
  });
  while (stage != 1) std::this_thread::yield();
  EXPECT_TRUE(run(
      [&] {
        for (int i = 0; i < 100; ++i) {
          auto far = runtime->spawn([i] {
            // And its children are the other runtime's.
            return spawn([i] { return i; })->join().value();
          });
          ASSERT_EQ(far->join().value(), i);
        }
        stage = 2;
      },
      {.workers = 2}));
}

TEST(RuntimeHandle, AFiberSpawnsByTheHandleOfItsOwnRuntime) {
  EXPECT_TRUE(run(
      [] {
        auto runtime = runtime_handle::current().value();
        for (int i = 0; i < 100; ++i) {
          ASSERT_EQ(runtime.spawn([i] { return i; })->join().value(), i);
        }
      },
      {.workers = 2}));
}

// Guests race the end: what is accepted runs before run() returns, what is not is unchanged.
TEST(RuntimeHandle, IO9_GuestsRaceTheEnd) {
  std::atomic<int> lives = 0;
  for (int life = 0; life < 200; ++life) {
    std::atomic<int> accepted = 0;
    std::atomic<int> ran = 0;
    std::atomic<int> closed = 0;
    std::optional<runtime_handle> runtime;
    std::atomic<bool> is_there = false;
    std::vector<test::joined_thread> guests;
    for (int g = 0; g < 2; ++g) {
      guests.emplace_back([&] {
        while (!is_there) std::this_thread::yield();
        // A runtime goes on while guests bring more.
        for (int posts = 0; posts < 50; ++posts) {
          auto function = [&, held = counted(lives), mine = std::make_unique<int>(1)] {
            ran += *mine;
            (void)yield_now();
          };
          if (auto posted = runtime->post(std::move(function))) {
            ++accepted;
          } else {
            EXPECT_EQ(kind_of(posted), errc::closed);
            ++closed;
            function();  // unchanged
            break;
          }
        }
      });
    }
    EXPECT_TRUE(run(
        [&] {
          runtime = runtime_handle::current().value();
          is_there = true;
          for (int i = 0; i < life % 20; ++i) EXPECT_TRUE(yield_now());
        },
        {.workers = static_cast<std::size_t>(1 + life % 2)}));
    // The guests' own calls of their functions are counted too.
    guests.clear();
    EXPECT_EQ(ran, accepted + closed);
  }
  EXPECT_EQ(lives, 0);
}

TEST(RuntimeHandle, AGuestsFiberAtTheEndIsNoGuestItself) {
  // It was accepted when the last fiber had ended; its runtime goes on until it has.
  for (int life = 0; life < 300; ++life) {
    std::optional<runtime_handle> runtime;
    std::atomic<bool> is_there = false;
    std::atomic<int> children = 0;
    int accepted = 0;
    {
      const test::joined_thread guest([&] {
        while (!is_there) std::this_thread::yield();
        while (accepted < 50 && runtime->post([&] {
          auto mine = runtime_handle::current().value();
          EXPECT_TRUE(mine.post([&] { ++children; }));
        })) {
          ++accepted;
        }
      });
      EXPECT_TRUE(run(
          [&] {
            runtime = runtime_handle::current().value();
            is_there = true;
          },
          {.workers = 2}));
    }
    ASSERT_EQ(children, accepted);
  }
}

TEST(RuntimeHandle, IO9_WakesRaceTheEnd) {
  // The thread that ends the last wait is still in its wake when the runtime ends.
  for (int life = 0; life < 500; ++life) {
    test::rendezvous<int> last;
    const test::joined_thread sender([&] {
      int value = life;
      EXPECT_TRUE(perform(last.send(value)));
    });
    EXPECT_EQ(run([&] { return perform(last.receive()).value(); },
                  {.workers = static_cast<std::size_t>(1 + life % 3)})
                  .value(),
              life);
  }
}

/// Blocks the thread until it holds; false after a time that no machine needs.
template <class Condition>
bool comes_true(Condition condition) {
  const std::int64_t end = os::monotonic_ns() + 20'000'000'000;
  while (!condition() && os::monotonic_ns() < end) std::this_thread::yield();
  return condition();
}

TEST(RuntimeHandle, IO11_WhatComesForABusyWorkerRunsElsewhere) {
  // Its fiber does not let the thread go until what came has run, on the other worker.
  constexpr int count = 8;
  std::atomic<int> runs = 0;
  EXPECT_TRUE(run(
      [&] {
        auto runtime = runtime_handle::current().value();
        const test::joined_thread guest([&] {
          for (int i = 0; i < count; ++i) {
            const int before = runs;
            EXPECT_TRUE(runtime.post([&] { ++runs; }));
            // Each finds the other worker asleep, or about to be.
            if (i % 2 == 0) {
              EXPECT_TRUE(comes_true([&] { return runs > before; }));
            }
          }
        });
        EXPECT_TRUE(comes_true([&] { return runs == count; }));
      },
      {.workers = 2}));
}

TEST(RuntimeHandle, CopiesAreOfOneRuntime) {
  EXPECT_TRUE(run([] {
    const auto first = runtime_handle::current().value();
    auto second = first;
    std::atomic<int> runs = 0;
    EXPECT_TRUE(second.post([&] { ++runs; }));
    test::yield_until([&] { return runs == 1; });
    EXPECT_TRUE(second.cancel());
    EXPECT_FALSE(first.cancel());
  }));
}

}  // namespace
}  // namespace bast
