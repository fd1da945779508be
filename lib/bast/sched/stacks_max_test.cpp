// SPDX-License-Identifier: Apache-2.0
//
// When the stacks of a worker are used up, fibers wait for one; none is lost.
#include <gtest/gtest.h>

#include <vector>

#include "bast/sched/sched_test.hpp"

namespace bast {
namespace {

using test::kind_of;

TEST(StacksMax, OneStackForAllOneAfterTheOther) {
  for (const std::size_t workers : {1U, 2U}) {
    std::atomic<int> ran = 0;
    test::unhandled_failures unhandled;
    EXPECT_TRUE(run(
        [&] {
          for (int i = 0; i < 20; ++i) {
            (void)spawn([&] {
              ++ran;
              (void)yield_now();
              (void)spawn([&] { ++ran; });
            });
          }
        },
        {.workers = workers, .stacks_max = 1, .unhandled = unhandled.sink()}));
    EXPECT_EQ(ran, 40);
    EXPECT_EQ(unhandled.messages(), std::vector<std::string>{});
  }
}

TEST(StacksMax, FibersWaitUnstartedForAStack) {
  EXPECT_TRUE(run(
      [] {
        int live = 0;
        int most = 0;
        int ran = 0;
        std::vector<fiber<void>> all;
        for (int i = 0; i < 50; ++i) {
          all.push_back(spawn([&] {
                          most = std::max(most, ++live);
                          for (int y = 0; y < 5; ++y) EXPECT_TRUE(yield_now());
                          --live;
                          ++ran;
                        }).value());
        }
        for (auto& each : all) EXPECT_TRUE(each.join());
        EXPECT_LE(most, 3) << "and main has one";
        EXPECT_EQ(ran, 50);
      },
      {.workers = 1, .stacks_max = 4}));
}

TEST(StacksMax, SeveralWorkersShareTheWork) {
  std::atomic<int> ran = 0;
  EXPECT_TRUE(run(
      [&] {
        std::vector<fiber<void>> all;
        for (int i = 0; i < 300; ++i) {
          all.push_back(spawn([&] {
                          for (int y = 0; y < 5; ++y) EXPECT_TRUE(yield_now());
                          ++ran;
                        }).value());
        }
        for (auto& each : all) EXPECT_TRUE(each.join());
      },
      {.workers = 3, .stacks_max = 2}));
  EXPECT_EQ(ran, 300);
}

TEST(StacksMax, AWorkerWithoutAStackLeavesFibersToOthers) {
  // Main holds the only stack of its worker, and waits: the other worker has one.
  EXPECT_TRUE(run(
      [] {
        for (int i = 0; i < 100; ++i) {
          auto child = spawn([i] { return i; }).value();
          if (i % 2 == 0) (void)yield_now();
          ASSERT_EQ(child.join().value(), i);
        }
      },
      {.workers = 2, .stacks_max = 1}));
}

TEST(StacksMax, CancelledWaitersGiveTheirStacksBack) {
  std::atomic<int> ran = 0;
  EXPECT_TRUE(run(
      [&] {
        test::rendezvous<int> never;
        for (int i = 0; i < 30; ++i) {
          (void)spawn([&] {
            EXPECT_EQ(kind_of(perform(never.receive())), errc::cancelled);
            ++ran;
          });
        }
        test::yield_until([&] { return never.waiting() == 3; });
        EXPECT_TRUE(runtime_handle::current()->cancel());
        const cancel_binding shielded{cancel_token()};
        test::yield_until([&] { return ran == 30; });
      },
      {.workers = 1, .stacks_max = 4}));
}

TEST(StacksMax, AStackThatCannotBeHadIsTheOutcome) {
  // A budget below one stack: no fiber can run, main neither.
  int ran = 0;
  const auto got = run([&] { ++ran; }, {.workers = 1, .stack = {.budget = bytes(4096)}});
  ASSERT_FALSE(got);
  EXPECT_EQ(test::primary_of(got), errc::limit) << got.error().message();
  EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace bast
