// SPDX-License-Identifier: Apache-2.0
//
// Joins: what they take, from where, and how they end otherwise.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::rendezvous;

TEST(Join, TakesTheOutcomeOnce) {
  EXPECT_TRUE(run([] {
    auto one = spawn([] { return std::make_unique<int>(4); }).value();
    EXPECT_TRUE(one);
    EXPECT_EQ(*one.join().value(), 4);
    EXPECT_FALSE(one);
    EXPECT_FALSE(one.is_done());
    EXPECT_EQ(kind_of(one.join()), errc::bad_state);
    EXPECT_EQ(kind_of(perform(one.joined())), errc::bad_state);
    EXPECT_EQ(kind_of(perform(one.done())), errc::bad_state);
    EXPECT_EQ(kind_of(fiber<int>().join()), errc::bad_state);
  }));
}

TEST(Join, AHandleMovesLikeAUniquePtr) {
  EXPECT_TRUE(run([] {
    auto first = spawn([] { return 1; }).value();
    auto second = spawn([] { return 2; }).value();
    fiber<int> moved(std::move(first));
    // NOLINTNEXTLINE(bugprone-use-after-move): the point of the test
    EXPECT_FALSE(first);
    moved = std::move(second);
    EXPECT_EQ(moved.join().value(), 2);
    auto& self = moved;
    moved = std::move(self);
  }));
}

TEST(Join, AFinishedFiberIsTakenWithoutAWait) {
  EXPECT_TRUE(run(
      [] {
        auto one = spawn([] { return 1; }).value();
        test::yield_until([&] { return one.is_done(); });
        EXPECT_EQ(poll(one.joined()).value().value(), 1);
        EXPECT_FALSE(one);
      },
      {.workers = 1}));
}

TEST(Join, OfItselfIsADeadlock) {
  EXPECT_TRUE(run(
      [] {
        fiber<void> self;
        bool is_set = false;
        self = spawn([&] {
                 test::yield_until([&] { return is_set; });
                 EXPECT_EQ(kind_of(self.join()), errc::deadlock);
                 EXPECT_EQ(kind_of(perform(self.done())), errc::deadlock);
                 // A coroutine that it resumes is the same fiber.
                 auto pool = coro_pool::create().value();
                 auto inner =
                     pool.make([&] { EXPECT_EQ(kind_of(self.join()), errc::deadlock); }).value();
                 (void)inner.resume();
               }).value();
        is_set = true;
        EXPECT_TRUE(perform(self.done()));
        EXPECT_TRUE(self.join());
      },
      {.workers = 1}));
}

TEST(Join, FromAnOsThread) {
  for (const bool waits : {false, true}) {
    rendezvous<int> go;
    EXPECT_TRUE(run(
        [&] {
          auto one = spawn([&] { return perform(go.receive()).value(); }).value();
          std::atomic<std::uint32_t> id = 0;
          std::atomic<int> got = 0;
          test::joined_thread joiner([&] {
            id = static_cast<std::uint32_t>(::gettid());
            got = one.join().value();
          });
          if (waits) {
            while (id == 0) std::this_thread::yield();
            test::wait_until_asleep(id);
          }
          int value = 9;
          EXPECT_TRUE(perform(go.send(value)));
          test::yield_until([&] { return got == 9; });
        },
        {.workers = 2}));
  }
}

TEST(Join, ByBlockOnAndAfterTheRuntime) {
  fiber<std::string> kept;
  fiber<void> failed;
  EXPECT_TRUE(run([&] {
    kept = spawn([] { return std::string(100, 'k'); }).value();
    failed = spawn([]() -> result<void> { return fail(errc::closed, "test", "kept"); }).value();
  }));
  EXPECT_TRUE(kept.is_done());
  EXPECT_TRUE(block_on(kept.done()));
  EXPECT_EQ(block_on(kept.joined()).value(), std::string(100, 'k'));
  EXPECT_EQ(kind_of(kept.join()), errc::bad_state);
  EXPECT_EQ(kind_of(failed.join()), errc::closed);
}

TEST(Join, InAnotherRuntimeThanTheFibers) {
  // The second runtime is often made at the address of the first.
  for (int i = 0; i < 10; ++i) {
    std::vector<fiber<int>> kept;
    EXPECT_TRUE(run(
        [&] {
          for (int k = 0; k < 30; ++k) kept.push_back(spawn([k] { return k; }).value());
        },
        {.workers = 1}));
    EXPECT_TRUE(run(
        [&] {
          for (int k = 0; k < 20; ++k) {
            EXPECT_EQ(kept[static_cast<std::size_t>(k)].join().value(), k);
          }
          kept.clear();
        },
        {.workers = 1}));
  }
}

TEST(Join, AcrossWorkers) {
  const pool_options pools[] = {{.name = "other"}};
  EXPECT_TRUE(run(
      [] {
        for (int i = 0; i < 2000; ++i) {
          auto far = spawn([i] { return i; }, {.pool = "other"}).value();
          if (i % 3 == 0) (void)yield_now();
          ASSERT_EQ(far.join().value(), i);
        }
      },
      {.workers = 1, .pools = pools}));
}

TEST(Join, AHandleIsPassedToAFiberOfAnotherWorker) {
  const pool_options pools[] = {{.name = "other"}};
  EXPECT_TRUE(run(
      [] {
        for (int i = 0; i < 500; ++i) {
          auto near = spawn([i] { return i; }).value();
          auto far = spawn([near = std::move(near)]() mutable { return near.join().value(); },
                           {.pool = "other"})
                         .value();
          ASSERT_EQ(far.join().value(), i);
        }
      },
      {.workers = 1, .pools = pools}));
}

TEST(Join, C10_ACancelledCallerTakesNothing) {
  EXPECT_TRUE(run([] {
    auto done = spawn([] { return 1; }).value();
    test::yield_until([&] { return done.is_done(); });
    const auto stop = cancel_source::create().value();
    stop.cancel();
    {
      const cancel_binding bound(stop.token());
      EXPECT_EQ(kind_of(done.join()), errc::cancelled) << "though it is ready";
    }
    EXPECT_EQ(done.join().value(), 1);
  }));
}

TEST(Join, ACancelledWaitTakesNothing) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> go;
        auto slow = spawn([&] { return perform(go.receive()).value(); }).value();
        const auto stop = cancel_source::create().value();
        auto joiner = spawn([&] {
                        const cancel_binding bound(stop.token());
                        return kind_of(slow.join());
                      }).value();
        EXPECT_TRUE(perform(choice(wrap(joiner.done(), [] { return 1; }), always(2))));
        for (int i = 0; i < 600; ++i) EXPECT_TRUE(yield_now());
        stop.cancel();
        EXPECT_EQ(joiner.join().value(), errc::cancelled);
        int value = 3;
        EXPECT_TRUE(perform(go.send(value)));
        EXPECT_EQ(slow.join().value(), 3);
      },
      {.workers = 1}));
}

TEST(Join, O11_AnArmOfAChoiceThatLosesTakesNothing) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> go, other;
        auto slow = spawn([&] { return perform(go.receive()).value(); }).value();
        auto chooser =
            spawn([&] { return perform(choice(slow.joined(), other.receive())).value(); }).value();
        int value = 5;
        EXPECT_TRUE(perform(other.send(value)));
        EXPECT_EQ(chooser.join().value(), 5);
        EXPECT_TRUE(slow);
        EXPECT_FALSE(slow.is_done());
        value = 6;
        EXPECT_TRUE(perform(go.send(value)));
        EXPECT_EQ(slow.join().value(), 6);
      },
      {.workers = 1}));
}

TEST(Join, AnArmOfAChoiceThatWins) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> go, never;
        auto slow = spawn([&] { return perform(go.receive()).value(); }).value();
        auto chooser =
            spawn([&] { return perform(choice(never.receive(), slow.joined())).value(); }).value();
        int value = 7;
        EXPECT_TRUE(perform(go.send(value)));
        EXPECT_EQ(chooser.join().value(), 7);
        EXPECT_FALSE(slow);
        EXPECT_EQ(never.waiting(), 0U);
      },
      {.workers = 1}));
}

TEST(Join, TheFirstOfSeveralFibers) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> go[3];
        std::vector<fiber<int>> all;
        for (auto& each : go) {
          all.push_back(spawn([&] { return perform(each.receive()).value(); }).value());
        }
        int value = 8;
        EXPECT_TRUE(perform(go[1].send(value)));
        const int first = perform(choice(wrap(all[0].done(), [] { return 0; }),
                                         wrap(all[1].done(), [] { return 1; }),
                                         wrap(all[2].done(), [] { return 2; })))
                              .value();
        EXPECT_EQ(first, 1);
        EXPECT_EQ(all[1].join().value(), 8);
        for (const std::size_t i : {0U, 2U}) {
          EXPECT_TRUE(perform(go[i].send(value)));
          EXPECT_TRUE(all[i].join());
        }
      },
      {.workers = 1}));
}

TEST(Join, TwoArmsForOneFiber) {
  EXPECT_TRUE(run(
      [] {
        auto one = spawn([] { return 3; }).value();
        const int got = perform(choice(wrap(one.done(), [] { return 0; }), one.joined())).value();
        EXPECT_TRUE(got == 0 || got == 3);
      },
      {.workers = 1}));
}

TEST(Join, DoneTakesNothing) {
  EXPECT_TRUE(run([] {
    auto one = spawn([] { return std::string("kept"); }).value();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(perform(one.done()));
    EXPECT_TRUE(one.is_done());
    EXPECT_EQ(one.join().value(), "kept");
  }));
}

TEST(Join, BesideOthersThatWaitForTheSameEnd) {
  // Of each, whether it begins to wait before the joiner.
  for (const bool is_before : {false, true}) {
    for (const std::size_t workers : {1U, 2U}) {
      EXPECT_TRUE(run(
          [&] {
            rendezvous<int> go;
            std::atomic<int> waiting = 0;
            std::atomic<int> notified = 0;
            auto one = spawn([&] { return perform(go.receive()).value(); }).value();
            std::vector<fiber<void>> others;
            const auto add_others = [&] {
              for (int i = 0; i < 3; ++i) {
                others.push_back(spawn([&] {
                                   ++waiting;
                                   EXPECT_TRUE(perform(one.done()));
                                   ++notified;
                                 }).value());
              }
            };
            test::yield_until([&] { return go.waiting() == 1; });
            if (is_before) add_others();
            fiber<void> starter = spawn([&] {
                                    if (!is_before) add_others();
                                    test::yield_until([&] { return waiting == 3; });
                                    for (int i = 0; i < 10; ++i) (void)yield_now();
                                    int value = 6;
                                    EXPECT_TRUE(perform(go.send(value)));
                                  }).value();
            if (is_before) {
              test::yield_until([&] { return waiting == 3; });
              for (int i = 0; i < 10; ++i) (void)yield_now();
            }
            EXPECT_EQ(one.join().value(), 6);
            EXPECT_TRUE(starter.join());
            for (auto& each : others) EXPECT_TRUE(each.join());
            EXPECT_EQ(notified, 3);
          },
          {.workers = workers}));
    }
  }
}

TEST(Join, OneOfSeveralThatWaitMayBeCancelled) {
  // The oldest, one in the middle, the newest: the others are notified as before.
  constexpr std::size_t count = 4;
  for (std::size_t cancelled = 0; cancelled < count; ++cancelled) {
    EXPECT_TRUE(run(
        [&] {
          rendezvous<int> go;
          const auto own = cancel_source::create().value();
          auto one = spawn([&] { return perform(go.receive()).value(); }).value();
          std::array<std::optional<errc>, count> ends;
          std::vector<fiber<void>> waiting;
          std::size_t begun = 0;
          for (std::size_t i = 0; i < count; ++i) {
            waiting.push_back(spawn([&, i] {
                                std::optional<cancel_binding> bound;
                                if (i == cancelled) bound.emplace(own.token());
                                ++begun;
                                const auto got = perform(one.done());
                                ends[i] = got ? errc{} : got.error().kind();
                              }).value());
            test::yield_until([&] { return begun == i + 1; });
          }
          EXPECT_TRUE(own.cancel());
          EXPECT_TRUE(waiting[cancelled].join());
          EXPECT_EQ(ends[cancelled], errc::cancelled);
          for (std::size_t i = 0; i < count; ++i) {
            EXPECT_EQ(ends[i].has_value(), i == cancelled) << i;
          }
          int value = 2;
          EXPECT_TRUE(perform(go.send(value)));
          for (std::size_t i = 0; i < count; ++i) {
            if (i == cancelled) continue;
            EXPECT_TRUE(waiting[i].join());
            EXPECT_EQ(ends[i], errc{}) << i;
          }
          EXPECT_EQ(one.join().value(), 2);
        },
        {.workers = 1}));
  }
}

TEST(Join, FromACoroutineInTheFiber) {
  EXPECT_TRUE(run(
      [] {
        auto pool = coro_pool::create().value();
        auto one = spawn([] {
                     for (int i = 0; i < 3; ++i) EXPECT_TRUE(yield_now());
                     return 11;
                   }).value();
        int got = 0;
        auto inner = pool.make([&] { got = one.join().value(); }).value();
        EXPECT_FALSE(inner.resume().failed());
        EXPECT_EQ(got, 11) << "the fiber waits as a whole (F-4)";
      },
      {.workers = 1}));
}

TEST(Join, ReturnsTheErrorOfAResult) {
  EXPECT_TRUE(run([] {
    auto failed =
        spawn([]() -> result<int> { return fail(errc::closed, "test", "words"); }).value();
    static_assert(std::is_same_v<decltype(failed), fiber<int>>);
    const auto got = failed.join();
    ASSERT_EQ(kind_of(got), errc::closed);
    EXPECT_NE(test::words_of(got).find("words"), std::string::npos);
    auto fine = spawn([]() -> result<std::string> { return "fine"; }).value();
    EXPECT_EQ(fine.join().value(), "fine");
  }));
}

TEST(Join, ManyInARowLetOthersRun) {
  // IO-7: what succeeds at once spends a budget.
  EXPECT_TRUE(run(
      [] {
        std::vector<fiber<int>> all;
        for (int i = 0; i < 1000; ++i) all.push_back(spawn([i] { return i; }).value());
        test::yield_until([&] { return all.back().is_done() && all.front().is_done(); });
        test::yield_until([&] {
          for (auto& each : all) {
            if (!each.is_done()) return false;
          }
          return true;
        });
        int other_ran = 0;
        auto other = spawn([&] {
                       while (other_ran >= 0) {
                         ++other_ran;
                         EXPECT_TRUE(yield_now());
                       }
                     }).value();
        test::yield_until([&] { return other_ran > 0; });
        const int before = other_ran;
        for (auto& each : all) EXPECT_TRUE(each.join());
        EXPECT_GE(other_ran - before, 1000 / 130);
        other_ran = -1000;
        EXPECT_TRUE(other.join());
      },
      {.workers = 1}));
}

#if BAST_EXCEPTIONS
TEST(Join, F6_RethrowsTheException) {
  const pool_options pools[] = {{.name = "other"}};
  EXPECT_TRUE(run(
      [] {
        for (const char* const pool : {static_cast<const char*>(nullptr), "other"}) {
          auto thrower =
              spawn([]() -> int { throw std::runtime_error("thrown"); }, {.pool = pool}).value();
          try {
            (void)thrower.join();
            ADD_FAILURE() << "join must throw";
          } catch (const std::runtime_error& e) {
            EXPECT_STREQ(e.what(), "thrown");
          }
          EXPECT_FALSE(thrower);
          EXPECT_EQ(kind_of(thrower.join()), errc::bad_state);
        }
      },
      {.workers = 1, .pools = pools}));
}

TEST(Join, F6_RethrowsAfterTheRuntime) {
  fiber<int> kept;
  EXPECT_TRUE(
      run([&] { kept = spawn([]() -> int { throw std::runtime_error("thrown"); }).value(); }));
  EXPECT_THROW((void)kept.join(), std::runtime_error);
}
#endif

}  // namespace
}  // namespace bast
