// SPDX-License-Identifier: Apache-2.0
//
// IO-2: `concurrent` starts a fiber whose progress needs no other fiber's end, or says that it
// cannot.
#include "bast/sched/concurrent.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"

namespace bast {
namespace {

using test::counted;
using test::kind_of;
using test::rendezvous;

TEST(Concurrent, IO2_ItRunsWhileItsCallerWaitsForIt) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> meeting;
        // Before it are fibers for which there is no stack.
        for (int i = 0; i < 10; ++i) (void)spawn([] { (void)yield_now(); });
        auto receiver = concurrent([&] { return perform(meeting.receive()).value(); }).value();
        int value = 4;
        EXPECT_TRUE(perform(meeting.send(value)));
        EXPECT_EQ(receiver.join().value(), 4);
      },
      {.workers = 1, .stacks_max = 2}));
}

TEST(Concurrent, IO2_WithoutAStackItIsUnavailable) {
  EXPECT_TRUE(run(
      [] {
        auto function = [held = std::make_unique<int>(3)] { return *held; };
        rendezvous<int> never;
        auto other = concurrent([&] { return kind_of(perform(never.receive())); }).value();
        const auto refused = concurrent(std::move(function));
        EXPECT_EQ(kind_of(refused), errc::concurrency_unavailable);
        EXPECT_NE(refused.error().message().find("maximum of stacks (2)"), std::string::npos)
            << refused.error().message();
        // NOLINTNEXTLINE(bugprone-use-after-move): the point of the test
        EXPECT_EQ(function(), 3);
        // A spawned one waits instead.
        auto waits = spawn(std::move(function)).value();
        EXPECT_TRUE(yield_now());
        EXPECT_FALSE(waits.is_done());
        (void)runtime_handle::current()->cancel();
        const cancel_binding shielded{cancel_token()};
        EXPECT_EQ(waits.join().value(), 3);
        EXPECT_EQ(other.join().value(), errc::cancelled);
      },
      {.workers = 1, .stacks_max = 2}));
}

TEST(Concurrent, IO2_OutsideOfAFiberItIsUnavailable) {
  EXPECT_EQ(kind_of(concurrent([] {})), errc::concurrency_unavailable);
}

TEST(Concurrent, IO15_InAForkedChildItFails) {
  EXPECT_TRUE(run(
      [] {
        EXPECT_EQ(test::in_child([] { return kind_of(concurrent([] {})) == errc::forked ? 0 : 1; }),
                  0);
      },
      {.workers = 1}));
}

TEST(Concurrent, IO8_ItDoesNotRunInsideTheCall) {
  EXPECT_TRUE(run(
      [] {
        std::string order;
        auto a = concurrent([&] { order += 'a'; }).value();
        auto b = concurrent([&] { order += 'b'; }).value();
        EXPECT_EQ(order, "");
        EXPECT_TRUE(yield_now()) << "to the end of the queue, behind both";
        EXPECT_EQ(order, "ab");
        EXPECT_TRUE(a.join());
        EXPECT_TRUE(b.join());
      },
      {.workers = 1}));
}

TEST(Concurrent, F5_ItIsOfTheCallersWorker) {
  EXPECT_TRUE(run(
      [] {
        const std::size_t here = this_fiber::worker();
        std::vector<fiber<std::size_t>> all;
        for (int i = 0; i < 50; ++i) {
          all.push_back(concurrent([] {
                          (void)yield_now();
                          return this_fiber::worker();
                        }).value());
        }
        for (auto& each : all) EXPECT_EQ(each.join().value(), here);
      },
      {.workers = 3}));
}

TEST(Concurrent, APoolIsInvalid) {
  const pool_options pools[] = {{.name = "disk"}};
  EXPECT_TRUE(run([] { EXPECT_EQ(kind_of(concurrent([] {}, {.pool = "disk"})), errc::invalid); },
                  {.workers = 1, .pools = pools}));
}

TEST(Concurrent, ItsOptionsAreThoseOfAFiber) {
  static const fiber_local<int> local;
  test::unhandled_failures unhandled;
  bool daemon_ended = false;
  EXPECT_TRUE(run(
      [&] {
        const auto bound = local.bind(9).value();
        EXPECT_EQ(concurrent([] { return *local; })->join().value(), 9);
        (void)concurrent([]() -> result<void> { return fail(errc::closed, "test", "words"); },
                         {.name = "named"});
        (void)concurrent(
            [&] {
              while (yield_now()) continue;
              daemon_ended = true;
            },
            {.daemon = true});
      },
      {.workers = 1, .unhandled = unhandled.sink()}));
  EXPECT_TRUE(daemon_ended);
  ASSERT_EQ(unhandled.count(), 1U);
  EXPECT_EQ(unhandled.messages()[0].find("fiber 'named': "), 0U);
}

TEST(Concurrent, CancelledBeforeItsFirstLine) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> never;
        auto one = concurrent([&] { return kind_of(perform(never.receive())); }).value();
        (void)runtime_handle::current()->cancel();
        const cancel_binding shielded{cancel_token()};
        EXPECT_EQ(one.join().value(), errc::cancelled);
      },
      {.workers = 1}));
}

TEST(Concurrent, LargeFunctionsAndResults) {
  EXPECT_TRUE(run([] {
    struct large {
      std::string text = std::string(100, 'l');
      char more[500] = {};
    };
    EXPECT_EQ(concurrent([in = large()] { return in; })->join().value().text,
              std::string(100, 'l'));
  }));
}

TEST(Concurrent, ManyUseTheSameStacks) {
  EXPECT_TRUE(run(
      [] {
        for (int i = 0; i < 1000; ++i) {
          EXPECT_EQ(concurrent([i] { return i; })->join().value(), i);
        }
        EXPECT_LE(this_fiber::worker_stacks().slots_opened, 8U);
      },
      {.workers = 1}));
}

TEST(Concurrent, X6_WithoutMemoryItIsUnavailable) {
  std::atomic<int> lives = 0;
  const auto loop = test::for_each_failing_call([&](test::injection& faults) -> std::string {
    std::string wrong;
    const auto got = run(
        [&] {
          std::vector<fiber<int>> all;
          for (int i = 0; i < 40; ++i) {
            auto made = concurrent([i, held = counted(lives)] {
              (void)yield_now();
              return i;
            });
            if (made) {
              all.push_back(std::move(*made));
            } else if (made.error() != errc::concurrency_unavailable) {
              wrong = made.error().message();
            }
          }
          for (auto& each : all) {
            if (!each.join()) wrong = "one that was started did not run";
          }
        },
        {.workers = 1});
    faults.end();
    if (lives != 0) return "a function is left";
    if (!got && !got.error().primary.why) {
      return got.error().message();
    }
    return wrong;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

#if BAST_EXCEPTIONS
TEST(Concurrent, ACopyThatThrowsLeavesNoFiberAndNoStack) {
  struct copy_throws {
    copy_throws() = default;
    copy_throws(const copy_throws&) { throw std::runtime_error("a copy"); }
    void operator()() const {}
    char more[100] = {};
  };
  EXPECT_TRUE(run(
      [] {
        const copy_throws function;
        for (int i = 0; i < 20; ++i) {
          EXPECT_THROW((void)concurrent(function), std::runtime_error);
        }
        EXPECT_EQ(this_fiber::worker_stacks().live, 1U);
        EXPECT_EQ(concurrent([] { return 6; })->join().value(), 6);
      },
      {.workers = 1, .stacks_max = 2}));
}
#endif

}  // namespace
}  // namespace bast
