// SPDX-License-Identifier: Apache-2.0
//
// IO-2: `async` runs its function in any case, in a fiber or at once, and its outcome is taken the
// same way.
#include "bast/sched/async.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;

/// Calls `check` where async runs the function at once, and where it spawns.
template <class Check>
void everywhere(Check check) {
  check();
  EXPECT_TRUE(run(check, {.workers = 2}));
}

TEST(Async, IO2_InAFiberItSpawns) {
  EXPECT_TRUE(run(
      [] {
        bool has_run = false;
        auto value = async([&] {
          has_run = true;
          return 5;
        });
        EXPECT_FALSE(has_run);
        EXPECT_FALSE(value.is_done());
        EXPECT_EQ(value.join().value(), 5);
        EXPECT_TRUE(has_run);
      },
      {.workers = 1}));
}

TEST(Async, IO2_OnAPlainThreadItRunsAtOnce) {
  const auto caller = std::this_thread::get_id();
  auto value = async([] { return std::this_thread::get_id(); });
  EXPECT_TRUE(value.is_done());
  EXPECT_TRUE(value);
  EXPECT_EQ(value.join().value(), caller);
}

TEST(Async, IO2_WithoutMemoryItRunsAtOnce) {
  EXPECT_TRUE(run(
      [] {
        const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
        struct large {
          char more[100] = {};
        };
        const auto worker = this_fiber::worker();
        auto value = async([worker, unused = large()] {
          (void)unused;
          EXPECT_TRUE(yield_now()) << "it is the caller that yields";
          return this_fiber::worker() == worker;
        });
        EXPECT_TRUE(value.is_done());
        EXPECT_TRUE(value.join().value());
      },
      {.workers = 1}));
}

TEST(Async, IO2_InAForkedChildItRunsAtOnce) {
  EXPECT_TRUE(run(
      [] {
        EXPECT_EQ(test::in_child([] {
                    auto value = async([] { return 3; });
                    return value.is_done() && value.join().value() == 3 ? 0 : 1;
                  }),
                  0);
      },
      {.workers = 1}));
}

TEST(Async, TheOutcomeIsTheSameEverywhere) {
  everywhere([] {
    EXPECT_TRUE(async([] {}).join());
    EXPECT_EQ(async([] { return 7; }).join().value(), 7);
    auto fails = async([]() -> result<int> { return fail(errc::closed, "test", "words"); });
    EXPECT_EQ(kind_of(fails.join()), errc::closed);
    auto succeeds = async([]() -> result<std::string> { return std::string(50, 's'); });
    EXPECT_EQ(succeeds.join().value(), std::string(50, 's'));
    auto moves = async([] { return std::make_unique<int>(8); });
    EXPECT_EQ(*moves.join().value(), 8);
    auto nothing = async([]() -> result<void> { return fail(errc::busy, "test", "words"); });
    EXPECT_EQ(kind_of(nothing.join()), errc::busy);
  });
}

TEST(Async, IsDoneFromItsEndToItsJoin) {
  const auto expect_done = [](auto& value) {
    EXPECT_TRUE(value.is_done());
    EXPECT_TRUE(value);
    auto moved = std::move(value);
    // NOLINTNEXTLINE(bugprone-use-after-move): the point of the test
    EXPECT_FALSE(value.is_done() || value);
    EXPECT_TRUE(moved.is_done());
    EXPECT_TRUE(moved);
    (void)moved.join();
    EXPECT_FALSE(moved.is_done());
    EXPECT_FALSE(moved);
  };
  const auto fails = []() -> result<int> { return fail(errc::closed, "test", "words"); };
  auto one = async([] { return 1; });
  expect_done(one);
  auto failed = async(fails);
  expect_done(failed);
  EXPECT_TRUE(run(
      [&] {
        auto spawned = async([] { return 1; });
        auto spawned_fails = async(fails);
        EXPECT_FALSE(spawned.is_done() || spawned_fails.is_done());
        EXPECT_TRUE(spawned && spawned_fails);
        for (int i = 0; i < 1000 && !(spawned.is_done() && spawned_fails.is_done()); ++i) {
          EXPECT_TRUE(yield_now());
        }
        expect_done(spawned);
        expect_done(spawned_fails);
      },
      {.workers = 1}));
}

TEST(Async, TheSecondJoinIsABadState) {
  everywhere([] {
    auto value = async([] { return 1; });
    EXPECT_TRUE(value.join());
    EXPECT_FALSE(value);
    EXPECT_FALSE(value.is_done());
    EXPECT_EQ(kind_of(value.join()), errc::bad_state);
    EXPECT_EQ(kind_of(perform(value.joined())), errc::bad_state);
    async_value<int> empty;
    EXPECT_EQ(kind_of(empty.join()), errc::bad_state);
  });
}

TEST(Async, JoinedIsAnOp) {
  everywhere([] {
    auto value = async([] { return 1; });
    EXPECT_EQ(perform(choice(value.joined(), never_ready<int>())).value(), 1);
    EXPECT_FALSE(value);
    auto other = async([] { return 2; });
    EXPECT_EQ(perform(wrap(other.joined(), [](int n) { return n + 1; })).value(), 3);
  });
}

TEST(Async, MovesLikeAUniquePtr) {
  everywhere([] {
    auto first = async([] { return std::string(40, '1'); });
    auto second = async([] { return std::string(40, '2'); });
    async_value<std::string> moved(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the point of the test
    EXPECT_TRUE(moved);
    moved = std::move(second);  // gives the first up
    EXPECT_EQ(moved.join().value(), std::string(40, '2'));
    std::vector<async_value<int>> all;
    for (int i = 0; i < 20; ++i) all.push_back(async([i] { return i; }));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].join().value(), i);
  });
}

TEST(Async, TheFunctionIsDestroyedBeforeTheJoinReturns) {
  std::atomic<int> lives = 0;
  everywhere([&] {
    auto value = async([held = test::counted(lives)] {});
    EXPECT_TRUE(value.join());
    EXPECT_EQ(lives, 0);
    auto kept = async([&] { return test::counted(lives); });
    EXPECT_TRUE(kept.join());
    EXPECT_EQ(lives, 0);
    {
      (void)async([&] { return test::counted(lives); }).joined();
    }
  });
}

TEST(Async, C10_ACancelledJoinTakesNothing) {
  EXPECT_TRUE(run(
      [] {
        // Where it runs at once as where it is spawned.
        const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
        auto spawned = async([] { return 1; });
        auto at_once = async([unused = std::array<char, 100>()] { return unused.empty() ? 0 : 2; });
        EXPECT_TRUE(at_once.is_done());
        EXPECT_FALSE(spawned.is_done());
        (void)runtime_handle::current()->cancel();
        EXPECT_EQ(kind_of(spawned.join()), errc::cancelled);
        EXPECT_EQ(kind_of(at_once.join()), errc::cancelled);
        EXPECT_EQ(kind_of(perform(at_once.joined())), errc::cancelled);
        const cancel_binding shielded{cancel_token()};
        EXPECT_EQ(spawned.join().value(), 1);
        EXPECT_EQ(at_once.join().value(), 2);
      },
      {.workers = 1}));
}

TEST(Async, S3_AFailureThatNobodyTakesIsReported) {
  test::unhandled_failures unhandled;
  const auto fails = []() -> result<int> { return fail(errc::closed, "test", "words"); };
  EXPECT_TRUE(run(
      [&] {
        (void)async(fails, {.name = "spawned"}).is_done();
        const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
        (void)async(
            [fails, unused = std::array<char, 100>()] {
              (void)unused;
              return fails();
            },
            {.name = "kept"})
            .is_done();
        (void)async([unused = std::array<char, 100>()]() -> result<int> {
          (void)unused;
          return fail(errc::cancelled, "test", "fine");
        }).is_done();
      },
      {.workers = 1, .unhandled = unhandled.sink()}));
  const auto messages = unhandled.messages();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].find("fiber 'kept': "), 0U) << messages[0];
  EXPECT_EQ(messages[1].find("fiber 'spawned': "), 0U) << messages[1];
}

TEST(Async, S3_OutsideOfARuntimeItIsOneLine) {
  testing::internal::CaptureStderr();
  {
    auto dropped = async([]() -> result<int> { return fail(errc::closed, "test", "words"); },
                         {.name = "plain"});
    async_value<int> moved;
    moved = std::move(dropped);
  }
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("no joiner took the failure of fiber 'plain': test: "), std::string::npos)
      << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
}

#if BAST_EXCEPTIONS
TEST(Async, F6_AnExceptionIsRethrownToTheJoiner) {
  everywhere([] {
    auto thrower = async([]() -> int { throw std::runtime_error("thrown"); });
    EXPECT_THROW((void)thrower.join(), std::runtime_error);
    EXPECT_EQ(kind_of(thrower.join()), errc::bad_state);
    auto other = async([] { throw std::runtime_error("thrown"); });
    EXPECT_THROW((void)perform(other.joined()), std::runtime_error);
  });
}

TEST(Async, F6_AnExceptionThatNobodyTakesIsReported) {
  testing::internal::CaptureStderr();
  (void)async([] { throw std::runtime_error("thrown"); }).is_done();
  EXPECT_NE(testing::internal::GetCapturedStderr().find(": thrown"), std::string::npos);
}

TEST(Async, WhatTheCopyThrowsIsTheCallers) {
  struct copy_throws {
    copy_throws() = default;
    copy_throws(const copy_throws&) { throw std::runtime_error("a copy"); }
    void operator()() const {}
  };
  const copy_throws function;
  everywhere([&] { EXPECT_THROW((void)async(function).is_done(), std::runtime_error); });
}

TEST(Async, F8_AnUnwindingPassesThroughIt) {
  auto pool = coro_pool::create().value();
  bool went_on = false;
  {
    auto waits = pool.make([&](yielder<void>& out) {
                       auto inner = async([&] { out.yield(); });
                       went_on = true;
                     })
                     .value();
    (void)waits.resume();
  }
  EXPECT_FALSE(went_on);
}
#endif

}  // namespace
}  // namespace bast
