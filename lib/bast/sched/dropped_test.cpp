// SPDX-License-Identifier: Apache-2.0
//
// Handles that are given up: the value is destroyed once, a failure is reported once (S-3).
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::counted;
using test::kind_of;
using test::unhandled_failures;

TEST(Dropped, S3_AnErrorIsReportedOnce) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [&] {
        const auto fails = []() -> result<int> { return fail(errc::closed, "test", "words"); };
        (void)spawn(fails, {.name = "before"});  // dropped before it ends
        auto after = spawn(fails, {.name = "after"}).value();
        EXPECT_TRUE(perform(after.done()));
        {
          const fiber<int> gone(std::move(after));
        }
        auto taken = spawn(fails).value();
        EXPECT_EQ(kind_of(taken.join()), errc::closed);
      },
      {.workers = 2, .unhandled = unhandled.sink()}));
  auto messages = unhandled.messages();
  std::ranges::sort(messages);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].find("fiber 'after': "), 0U) << messages[0];
  EXPECT_EQ(messages[1].find("fiber 'before': "), 0U) << messages[1];
  EXPECT_NE(messages[0].find("words"), std::string::npos);
}

TEST(Dropped, S3_CancelledIsNoFailure) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [&] { (void)spawn([]() -> result<void> { return fail(errc::cancelled, "test", "fine"); }); },
      {.unhandled = unhandled.sink()}));
  EXPECT_EQ(unhandled.count(), 0U);
}

TEST(Dropped, ValuesAreDestroyedOnce) {
  const pool_options pools[] = {{.name = "other"}};
  std::atomic<int> lives = 0;
  EXPECT_TRUE(run(
      [&] {
        for (int i = 0; i < 300; ++i) {
          const char* const pool = i % 2 == 0 ? nullptr : "other";
          auto one = spawn(
              [&] {
                struct value {
                  counted first;
                  std::string text = std::string(60, 'v');
                };
                return value{counted(lives)};
              },
              {.pool = pool});
          if (i % 3 == 0) (void)perform(one->done()).value();
          if (i % 3 == 1) (void)yield_now();
        }
      },
      {.workers = 1, .pools = pools}));
  EXPECT_EQ(lives, 0);
}

TEST(Dropped, S3_OnAnotherThreadItIsReportedToItsRuntime) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [&] {
        auto failed =
            spawn([]() -> result<void> { return fail(errc::closed, "test", "words"); }).value();
        EXPECT_TRUE(perform(failed.done()));
        {
          const test::joined_thread other([held = std::move(failed)] {});
        }
        EXPECT_EQ(unhandled.count(), 1U);
      },
      {.workers = 2, .unhandled = unhandled.sink()}));
}

TEST(Dropped, S3_InAnotherRuntimeItIsReportedToItsOwn) {
  unhandled_failures inner, outer;
  std::atomic<int> stage = 0;
  fiber<void> passed;
  const test::joined_thread other([&] {
    EXPECT_TRUE(run(
        [&] {
          passed =
              spawn([]() -> result<void> { return fail(errc::closed, "test", "words"); }).value();
          EXPECT_TRUE(perform(passed.done()));
          stage = 1;
          while (stage != 2) std::this_thread::yield();
        },
        {.workers = 1, .unhandled = inner.sink()}));
  });
  EXPECT_TRUE(run(
      [&] {
        while (stage != 1) std::this_thread::yield();
        {
          const fiber<void> gone(std::move(passed));
        }
        stage = 2;
      },
      {.workers = 1, .unhandled = outer.sink()}));
  EXPECT_EQ(inner.count(), 1U);
  EXPECT_EQ(outer.count(), 0U);
}

TEST(Dropped, S3_AfterTheRuntimeTheOptionsAreNotUsed) {
  fiber<void> kept;
  {
    auto gone = std::make_unique<unhandled_failures>();
    EXPECT_TRUE(run(
        [&] {
          kept =
              spawn([]() -> result<void> { return fail(errc::closed, "test", "words"); }).value();
        },
        {.workers = 1, .unhandled = gone->sink()}));
    EXPECT_EQ(gone->count(), 0U);
  }
  testing::internal::CaptureStderr();
  {
    const fiber<void> dropped(std::move(kept));
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no joiner took"), std::string::npos);
}

TEST(Dropped, AValueIsDestroyedWithoutWaiting) {
  // On the stack of whichever fiber is there.
  static std::optional<errc> join, yield, receive;
  struct waits {
    bool moved = false;
    waits() = default;
    waits(waits&& other) noexcept { other.moved = true; }
    ~waits() {
      if (moved) return;
      auto child = spawn([] {});
      join = kind_of(child->join());
      yield = kind_of(yield_now());
      test::rendezvous<int> never;
      receive = kind_of(perform(never.receive()));
    }
  };
  EXPECT_TRUE(run(
      [] {
        bool has_run = false;
        (void)spawn([&] {
          has_run = true;
          return waits();
        });
        test::yield_until([&] { return has_run; });
        for (int i = 0; i < 10; ++i) EXPECT_TRUE(yield_now());
      },
      {.workers = 1}));
  const auto expect_refused = [] {
    EXPECT_EQ(std::exchange(join, std::nullopt), errc::bad_state);
    EXPECT_EQ(std::exchange(yield, std::nullopt), errc::bad_state);
    EXPECT_EQ(std::exchange(receive, std::nullopt), errc::bad_state);
  };
  expect_refused();
  // On the worker's own stack: it is the last one.
  EXPECT_TRUE(run([] { (void)spawn([] { return waits(); }); }, {.workers = 1}));
  expect_refused();
}

TEST(Dropped, DestructorsMaySpawnAndDrop) {
  static std::atomic<int> ends = 0;
  struct chain {
    int left;
    bool moved = false;
    explicit chain(int n) : left(n) {}
    chain(chain&& other) noexcept : left(other.left) { other.moved = true; }
    ~chain() {
      if (moved) return;
      ++ends;
      if (left > 0) (void)spawn([n = left - 1] { return chain(n); });
    }
  };
  EXPECT_TRUE(run([] { (void)spawn([] { return chain(200); }); }, {.workers = 2}));
  EXPECT_EQ(ends, 201);
}

#if BAST_EXCEPTIONS
TEST(Dropped, F6_AnExceptionIsReportedOnce) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [&] {
        for (int i = 0; i < 50; ++i) {
          auto one = spawn([] { throw std::runtime_error("thrown"); }, {.name = "thrower"});
          if (i % 2 == 0) (void)perform(one->done());
        }
      },
      {.workers = 2, .unhandled = unhandled.sink()}));
  EXPECT_EQ(unhandled.messages(), std::vector<std::string>(50, "fiber 'thrower': thrown"));
}
#endif

}  // namespace
}  // namespace bast
