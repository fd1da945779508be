// SPDX-License-Identifier: Apache-2.0
//
// Who runs next on one worker, and how long the others wait at most (IO-7, IO-8).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bast/sched/sched_test.hpp"

namespace bast {
namespace {

using internal::worker;
using test::rendezvous;

const run_options one_worker{.workers = 1};

TEST(Turns, IO8_YieldersTakeTurns) {
  std::string order;
  EXPECT_TRUE(run(
      [&] {
        std::vector<fiber<void>> all;
        int started = 0;
        for (const char name : {'a', 'b', 'c'}) {
          all.push_back(spawn([&, name] {
                          ++started;
                          test::yield_until([&] { return started == 3; });
                          for (int i = 0; i < 4; ++i) {
                            order += name;
                            EXPECT_TRUE(yield_now());
                          }
                        }).value());
        }
        for (auto& each : all) EXPECT_TRUE(each.join());
      },
      one_worker));
  // Whoever begins: from then on each once in a round.
  ASSERT_EQ(order.size(), 12U);
  const std::string first = order.substr(0, 3);
  EXPECT_EQ(order, first + first + first + first);
}

TEST(Turns, IO8_WhoWaitsHandsOnToItsNewestChild) {
  std::string order;
  EXPECT_TRUE(run(
      [&] {
        (void)spawn([&] { order += "1"; });
        (void)spawn([&] { order += "2"; });
        auto last = spawn([&] { order += "3"; }).value();
        EXPECT_TRUE(last.join());
        // The joiner goes on before the siblings: it was woken by the one that ended.
        order += "m";
      },
      one_worker));
  EXPECT_EQ(order, "3m" + std::string("12"));
}

TEST(Turns, IO8_WhoEndsHandsOnToItsYoungestSibling) {
  std::string order;
  EXPECT_TRUE(run(
      [&] {
        std::vector<fiber<void>> all;
        for (const char name : {'1', '2', '3', '4'}) {
          all.push_back(spawn([&order, name] { order += name; }).value());
        }
        EXPECT_TRUE(all.front().join());
        order += 'm';
        for (std::size_t i = 1; i < all.size(); ++i) EXPECT_TRUE(all[i].join());
      },
      one_worker));
  EXPECT_EQ(order, "4321m");
}

TEST(Turns, IO8_ATreeRunsDepthFirst) {
  // Turn inheritance: the fibers that exist at a time are few (runtime.md R5).
  struct node {
    int depth;
    int* live;
    int* most;
    int operator()() const {
      *most = std::max(*most, ++*live);
      int sum = 1;
      if (depth > 0) {
        std::vector<fiber<int>> children;
        for (int i = 0; i < 10; ++i) children.push_back(spawn(node{depth - 1, live, most}).value());
        for (auto& each : children) sum += each.join().value();
      }
      --*live;
      return sum;
    }
  };
  int live = 0;
  int most = 0;
  const auto sum = run([&] { return spawn(node{3, &live, &most})->join().value(); }, one_worker);
  EXPECT_EQ(sum.value(), 1111);
  // A round starts the oldest unstarted one from time to time: a branch of its own.
  EXPECT_LT(most, 100);
}

TEST(Turns, IO7_AStartedFiberWaitsForAtMost256SwitchesAndThoseBefore) {
  // Two fibers hand on to each other's children for ever: turns that no queue takes part in.
  for (const int queued : {0, 1, 5, 50}) {
    EXPECT_TRUE(run(
        [queued] {
          bool stop = false;
          int switches = 0;
          int longest = 0;
          std::vector<fiber<void>> all;
          int last_run = 0;
          for (int i = 0; i <= queued; ++i) {
            const bool watches = i == queued;
            all.push_back(spawn([&, watches] {
                            while (!stop) {
                              if (watches) {
                                if (last_run != 0) longest = std::max(longest, switches - last_run);
                                last_run = switches;
                              }
                              EXPECT_TRUE(yield_now());
                              ++switches;
                            }
                          }).value());
          }
          // Each join of a new child is two switches without the queue.
          for (int i = 0; i < 5000; ++i) {
            auto child = spawn([&] { ++switches; }).value();
            EXPECT_TRUE(child.join());
            ++switches;
          }
          stop = true;
          for (auto& each : all) EXPECT_TRUE(each.join());
          EXPECT_GT(longest, 0);
          // The counts of the test itself: its own fibers add one each.
          EXPECT_LE(longest, worker::turns_max + queued + 2);
        },
        one_worker));
  }
}

TEST(Turns, IO7_AnUnstartedFiberWaitsForAtMostItsNumberOfRounds) {
  for (const int older : {0, 1, 4}) {
    EXPECT_TRUE(run(
        [older] {
          bool has_run = false;
          int rounds_of_256 = 0;
          for (int i = 0; i < older; ++i) (void)spawn([] {});
          (void)spawn([&] { has_run = true; });
          int switches = 0;
          while (!has_run) {
            EXPECT_TRUE(yield_now());
            ++switches;
          }
          rounds_of_256 = switches / worker::turns_max;
          EXPECT_LE(rounds_of_256, older + 1);
        },
        one_worker));
  }
}

TEST(Turns, IO7_ReadyOpsLetOthersRun) {
  EXPECT_TRUE(run(
      [] {
        const test::counting_yielder other;
        for (std::uint32_t i = 0; i < 10 * (worker::ops_max + 1); ++i) {
          EXPECT_TRUE(perform(always(1)));
        }
        EXPECT_GE(other.ran(), 9);
      },
      one_worker));
}

TEST(Turns, IO7_TheBudgetOfOpsBeginsAnewWithEachTurn) {
  EXPECT_TRUE(run(
      [] {
        const test::counting_yielder other;
        const auto spend_some = [] {
          for (int i = 0; i < 100; ++i) EXPECT_TRUE(perform(always(1)));
        };
        /// Those that succeed before another fiber has run.
        const auto ops_until_a_yield = [&] {
          const int before = other.ran();
          std::uint32_t ops = 0;
          while (other.ran() == before) {
            EXPECT_TRUE(perform(always(1)));
            ++ops;
          }
          return ops;
        };
        const std::uint32_t all = worker::ops_max + 1;
        EXPECT_TRUE(yield_now());
        EXPECT_EQ(ops_until_a_yield(), all);
        EXPECT_EQ(ops_until_a_yield(), all) << "after the yield of the budget";
        spend_some();
        EXPECT_TRUE(yield_now());
        EXPECT_EQ(ops_until_a_yield(), all) << "after a yield";
        spend_some();
        EXPECT_TRUE(spawn(spend_some)->join());
        EXPECT_EQ(ops_until_a_yield(), all) << "after a wait";
        // Of a fiber that begins when another one has spent some.
        std::uint32_t ops = 0;
        auto begins = spawn([&] { ops = ops_until_a_yield(); }).value();
        spend_some();
        EXPECT_TRUE(begins.join());
        EXPECT_EQ(ops, all) << "at its start";
        EXPECT_EQ(ops_until_a_yield(), all);
      },
      one_worker));
}

TEST(Turns, IO7_TwoThatPassTheTurnToEachOtherDoNotStarveOthers) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> ping, pong;
        bool stop = false;
        auto left = spawn([&] {
                      int n = 0;
                      while (!stop) {
                        ++n;
                        EXPECT_TRUE(perform(ping.send(n)));
                        EXPECT_TRUE(perform(pong.receive()));
                      }
                      int end = -1;
                      EXPECT_TRUE(perform(ping.send(end)));
                    }).value();
        auto right = spawn([&] {
                       while (perform(ping.receive()).value() >= 0) {
                         int n = 0;
                         EXPECT_TRUE(perform(pong.send(n)));
                       }
                     }).value();
        int steps = 0;
        auto third = spawn([&] {
                       for (; steps < 100; ++steps) EXPECT_TRUE(yield_now());
                       stop = true;
                     }).value();
        EXPECT_TRUE(third.join());
        EXPECT_TRUE(left.join());
        EXPECT_TRUE(right.join());
      },
      one_worker));
}

TEST(Turns, IO7_APostArrivesWhileAFiberYieldsAlone) {
  // The inbox is looked at every 61 switches, also if a yield finds nobody to switch to.
  EXPECT_TRUE(run(
      [] {
        bool has_run = false;
        EXPECT_TRUE(runtime_handle::current()->post([&] { has_run = true; }));
        int yields = 0;
        test::yield_until([&] {
          ++yields;
          return has_run;
        });
        EXPECT_LE(yields, worker::switches_per_look * (worker::turns_max + 2));
      },
      one_worker));
}

/// Computes for a millisecond.
void compute() {
  const std::int64_t end = os::monotonic_ns() + 1'000'000;
  while (os::monotonic_ns() < end) {
  }
}

TEST(Turns, IO7_TimersAreLookedAtOftenAmongFibersThatCompute) {
  int yields_until_second = 0;
  EXPECT_TRUE(run(
      [&] {
        int woken = 0;
        auto sleeper = spawn([&] {
                         for (; woken < 2; ++woken) {
                           EXPECT_TRUE(perform(sleep_for(std::chrono::milliseconds(1))));
                         }
                       }).value();
        // The first one shows how long the slices are.
        while (woken < 1) {
          compute();
          EXPECT_TRUE(yield_now());
        }
        while (woken < 2) {
          compute();
          ++yields_until_second;
          EXPECT_TRUE(yield_now());
        }
        EXPECT_TRUE(sleeper.join());
      },
      one_worker));
  // One whose slice begins before the timer is due, one that it is found in, and its own switch.
  EXPECT_LE(yields_until_second, 4);
}

/// The order in which the fibers of a tree begin and end, each after `body`.
void note_tree(std::string& order, int depth, void (*body)()) {
  body();
  order += static_cast<char>('0' + depth);
  std::vector<fiber<void>> children;
  for (int i = 0; i < 3 && depth > 0; ++i) {
    children.push_back(spawn([&order, depth, body] { note_tree(order, depth - 1, body); }).value());
    EXPECT_TRUE(yield_now());
  }
  for (auto& each : children) EXPECT_TRUE(each.join());
  order += '.';
}

TEST(Turns, F13_TheOrderDoesNotDependOnHowLongFibersCompute) {
  const auto order_with = [](void (*body)()) {
    std::string order;
    EXPECT_TRUE(run([&] { note_tree(order, 4, body); }, one_worker));
    return order;
  };
  EXPECT_EQ(order_with(compute), order_with([] {}));
}

void spawn_pinned_until(const bool& over, int& count) {
  ++count;
  if (!over && count < 100) {
    EXPECT_TRUE(spawn([&] { spawn_pinned_until(over, count); }, {.pinned = true}));
  }
}

TEST(Turns, IO7_AChainOfPinnedFibersDoesNotStarveOthers) {
  bool has_run = false;
  int pinned = 0;
  EXPECT_TRUE(run(
      [&] {
        // No child of main: no pinned one hands its turn on to it.
        bool is_spawned = false;
        EXPECT_TRUE(spawn([&] {
          EXPECT_TRUE(spawn([&] { has_run = true; }));
          is_spawned = true;
          test::yield_until([&] { return has_run; });
        }));
        test::yield_until([&] { return is_spawned; });
        spawn_pinned_until(has_run, pinned);
        test::yield_until([&] { return has_run; });
      },
      one_worker));
  EXPECT_TRUE(has_run);
  EXPECT_LT(pinned, 10);
}

}  // namespace
}  // namespace bast
