// SPDX-License-Identifier: Apache-2.0
//
// What is a fiber's own across its waits: its thread (F-5), its exceptions (F-7), its stack (D3);
// and what runs inside it (F-4).
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/process.hpp"
#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::rendezvous;

thread_local int on_this_thread = 0;

TEST(Pinned, F5_AFiberStaysOnItsThreadAfterEveryWait) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> meeting;
        std::vector<fiber<void>> all;
        for (int i = 0; i < 64; ++i) {
          all.push_back(spawn([&meeting, i] {
                          const auto thread = std::this_thread::get_id();
                          const std::size_t worker = this_fiber::worker();
                          int* const local = &on_this_thread;
                          const auto is_here = [&] {
                            return std::this_thread::get_id() == thread &&
                                   this_fiber::worker() == worker && &on_this_thread == local;
                          };
                          for (int round = 0; round < 20; ++round) {
                            int value = i;
                            if (i % 2 == 0) {
                              EXPECT_TRUE(perform(meeting.send(value)));
                            } else {
                              EXPECT_TRUE(perform(meeting.receive()));
                            }
                            EXPECT_TRUE(is_here());
                            EXPECT_TRUE(yield_now());
                            EXPECT_TRUE(is_here());
                            EXPECT_TRUE(spawn([] { (void)yield_now(); })->join());
                            EXPECT_TRUE(is_here());
                          }
                        }).value());
        }
        for (auto& each : all) EXPECT_TRUE(each.join());
      },
      {.workers = 3}));
}

TEST(Pinned, IO9_WaitsEndFromOtherThreads) {
  rendezvous<int> numbers;
  std::atomic<int> sum = 0;
  constexpr int each = 500;
  EXPECT_TRUE(run(
      [&] {
        std::vector<fiber<void>> all;
        for (int i = 0; i < 4; ++i) {
          all.push_back(spawn([&] {
                          const auto thread = std::this_thread::get_id();
                          for (int n = 0; n < each; ++n) {
                            sum += perform(numbers.receive()).value();
                            EXPECT_EQ(std::this_thread::get_id(), thread);
                          }
                        }).value());
        }
        std::vector<test::joined_thread> senders;
        for (int i = 0; i < 2; ++i) {
          senders.emplace_back([&] {
            for (int n = 0; n < 2 * each; ++n) {
              int one = 1;
              EXPECT_TRUE(perform(numbers.send(one)));
            }
          });
        }
        for (auto& joined : all) EXPECT_TRUE(joined.join());
      },
      {.workers = 2}));
  EXPECT_EQ(sum, 4 * each);
}

/// Touches a frame in each page of the way down, and checks it on the way up, across a wait.
int descend(int depth, int seed) {
  std::array<volatile int, 900> frame{};
  frame[0] = seed + depth;
  frame[899] = seed - depth;
  if (depth == 0) {
    EXPECT_TRUE(yield_now());
    return seed;
  }
  const int below = descend(depth - 1, seed);
  EXPECT_EQ(frame[0], seed + depth);
  EXPECT_EQ(frame[899], seed - depth);
  return below;
}

TEST(Pinned, D3_DeepStacksGrowOnEveryWorker) {
  EXPECT_TRUE(run(
      [] {
        std::vector<fiber<int>> all;
        for (int i = 0; i < 40; ++i) {
          all.push_back(spawn([i] {
                          EXPECT_TRUE(yield_now());
                          return descend(20, i);
                        }).value());
        }
        for (int i = 0; i < 40; ++i) {
          EXPECT_EQ(all[static_cast<std::size_t>(i)].join().value(), i);
        }
      },
      {.workers = 3}));
}

TEST(Pinned, F4_CoroutinesInsideFibers) {
  EXPECT_TRUE(run(
      [] {
        std::vector<fiber<int>> all;
        rendezvous<int> meeting;
        for (int i = 0; i < 20; ++i) {
          all.push_back(spawn([i, &meeting] {
                          auto pool = coro_pool::create().value();
                          int sum = 0;
                          auto generator = pool.acquire<int>().value();
                          auto step = generator.start([i, &meeting](yielder<int>& out) {
                            for (int n = 0; n < 5; ++n) {
                              int value = n;
                              // The coroutine waits, and with it its fiber.
                              if (i % 2 == 0) {
                                EXPECT_TRUE(perform(meeting.send(value)));
                              } else {
                                value = perform(meeting.receive()).value();
                              }
                              out.yield(value);
                              EXPECT_TRUE(yield_now());
                            }
                          });
                          while (step.yielded()) {
                            sum += step.value();
                            EXPECT_TRUE(yield_now());
                            step = generator.resume();
                          }
                          return sum;
                        }).value());
        }
        int total = 0;
        for (auto& each : all) total += each.join().value();
        EXPECT_EQ(total, 20 * 10);
      },
      {.workers = 1}));
}

TEST(Pinned, F4_AHandleCannotResumeACoroutineThatWaits) {
  EXPECT_TRUE(run(
      [] {
        auto pool = coro_pool::create().value();
        rendezvous<int> meeting;
        coro<> inner = pool.make([&] { (void)perform(meeting.receive()); }).value();
        auto holder = spawn([&] { EXPECT_FALSE(inner.resume().failed()); }).value();
        test::yield_until([&] { return meeting.waiting() == 1; });
        EXPECT_TRUE(inner.resume().failed());
        int value = 1;
        EXPECT_TRUE(perform(meeting.send(value)));
        EXPECT_TRUE(holder.join());
        EXPECT_EQ(inner.state(), coro_state::finished);
      },
      {.workers = 1}));
}

TEST(Pinned, F4_CommandsRunInFibers) {
  EXPECT_TRUE(run(
      [] {
        auto adapter = epoll_adapter::create().value();
        std::vector<fiber<int>> all;
        for (int i = 0; i < 5; ++i) {
          all.push_back(spawn([i] {
                          auto ends = command::shell("exit " + std::to_string(i));
                          return ends.run().value().status.code;
                        }).value());
        }
        for (int i = 0; i < 5; ++i) {
          auto& each = all[static_cast<std::size_t>(i)];
          while (!each.is_done()) {
            EXPECT_TRUE(adapter->turn(std::chrono::nanoseconds(0)));
            EXPECT_TRUE(yield_now());
          }
          EXPECT_EQ(each.join().value(), i);
        }
      },
      {.workers = 1}));
}

TEST(Pinned, ACommandWithoutADriverIsRefused) {
  EXPECT_TRUE(run([] { EXPECT_EQ(kind_of(command::argv({"true"}).run()), errc::bad_state); }));
}

#if BAST_EXCEPTIONS
TEST(Pinned, F7_ExceptionsInFlightAcrossWaits) {
  struct waits_in_destructor {
    int expected;
    ~waits_in_destructor() {
      EXPECT_EQ(std::uncaught_exceptions(), expected);
      for (int i = 0; i < 3; ++i) {
        (void)yield_now();
        EXPECT_EQ(std::uncaught_exceptions(), expected);
      }
    }
  };
  EXPECT_TRUE(run(
      [] {
        std::vector<fiber<void>> all;
        for (int i = 0; i < 40; ++i) {
          all.push_back(spawn([i] {
                          for (int n = 0; n < 5; ++n) {
                            EXPECT_EQ(std::uncaught_exceptions(), 0);
                            try {
                              const waits_in_destructor outer{1};
                              throw std::runtime_error(std::to_string(i));
                            } catch (const std::runtime_error& e) {
                              EXPECT_TRUE(yield_now());
                              EXPECT_EQ(e.what(), std::to_string(i));
                              try {
                                EXPECT_TRUE(spawn([] { (void)yield_now(); })->join());
                                throw;
                              } catch (const std::runtime_error& again) {
                                EXPECT_EQ(again.what(), std::to_string(i));
                              }
                            }
                          }
                        }).value());
        }
        for (auto& each : all) EXPECT_TRUE(each.join());
      },
      {.workers = 2}));
}
#endif

}  // namespace
}  // namespace bast
