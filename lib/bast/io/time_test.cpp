// SPDX-License-Identifier: Apache-2.0
//
// Waiting for time: coroutines on a loop with virtual time, and OS threads.
#include "bast/io/time.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bast/io/timed_call.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/manual_backend.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using internal::event_loop;
using internal::no_deadline_ns;
using test::rendezvous;

/// Coroutines of this thread, which is in an event loop with virtual time.
class TimeOps : public testing::Test {
 protected:
  TimeOps() { event_loop::enter(&loop); }
  ~TimeOps() override { event_loop::enter(nullptr); }

  coro<> begin(std::function<void()> body) {
    coro<> made = pool.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }
  /// Turns and runs until nothing happens any more.
  void run() {
    const unsigned before = outside.stuck();
    while (outside.stuck() == before) {
      (void)loop.turn(no_deadline_ns);
      while (ready.run() != 0) {
      }
    }
  }
  std::chrono::nanoseconds now() { return std::chrono::nanoseconds(loop.now_ns()); }

  test::manual_backend outside{1000};
  event_loop loop{outside};
  ready_queue ready;
  coro_pool pool = coro_pool::create().value();
  rendezvous<int> a, b;
};

TEST_F(TimeOps, IO5_SleepersWakeInTheOrderOfTheirDeadlinesAndNeverEarly) {
  std::vector<std::string> order;
  const auto sleeper = [&](const char* name, auto op) {
    return begin([&, name, op] {
      EXPECT_TRUE(perform(op));
      order.push_back(name + std::to_string(now().count()));
    });
  };
  auto late = sleeper("late ", sleep_for(30us));
  auto soon = sleeper("soon ", sleep_for(10us));
  auto same = sleeper("same ", sleep_until(time_point(11'000ns)));
  auto past = sleeper("past ", sleep_until(time_point(1ns)));
  auto none = sleeper("none ", sleep_for(0ns));
  auto less = sleeper("less ", sleep_for(-5h));
  run();
  EXPECT_EQ(order, (std::vector<std::string>{"past 1000", "none 1000", "less 1000", "soon 11000",
                                             "same 11000", "late 31000"}));
  EXPECT_TRUE(loop.timers().empty());
}

TEST_F(TimeOps, IO5_ADurationBeginsWhenTheOpIsPerformed) {
  const auto op = sleep_for(10us);
  outside.advance(5000);
  auto twice = begin([&] {
    EXPECT_TRUE(perform(op));
    EXPECT_EQ(now(), 16us);
    outside.advance(700);  // Work, which no turn has seen.
    EXPECT_TRUE(perform(op));
    EXPECT_EQ(now(), 26'700ns);
  });
  run();
  EXPECT_EQ(twice.state(), coro_state::finished);
}

TEST_F(TimeOps, IO6_AWaitThatEndsOtherwiseLeavesNoTimer) {
  auto source = cancel_source::create().value();
  std::optional<errc> ended;
  auto cancelled = begin([&] {
    const cancel_binding governed(source.token());
    ended = perform(sleep_for(1h)).error().kind();
  });
  auto received = begin([&] { EXPECT_EQ(perform(timeout(a.receive(), 1h)), 7); });
  auto abandoned = begin([&] { (void)perform(sleep_for(1h)); });
  EXPECT_FALSE(loop.timers().empty());
  source.cancel();
  int value = 7;
  EXPECT_TRUE(poll(a.send(value)));
  EXPECT_TRUE(abandoned.release(abandon));
  while (ready.run() != 0) {
  }
  EXPECT_EQ(ended, errc::cancelled);
  EXPECT_TRUE(loop.timers().empty());
  EXPECT_EQ(loop.now_ns(), 1000U);
}

TEST_F(TimeOps, O14_ATimeLimitEndsAWaitThatDidNotHappen) {
  std::optional<error> ended;
  auto waits = begin([&] { ended = perform(timeout(a.receive(), 5us)).error(); });
  run();
  EXPECT_EQ(*ended, errc::timed_out);
  EXPECT_EQ(ended->message(), "timeout: timed out: the time limit passed first");
  EXPECT_EQ(a.waiting(), 0U);
  EXPECT_EQ(now(), 6us);
}

TEST_F(TimeOps, O14_AReadyOpBeatsALimitThatHasPassed) {
  for (int round = 0; round < 50; ++round) {
    auto sender = begin([&] {
      int value = 7;
      EXPECT_TRUE(perform(a.send(value)));
    });
    auto receiver = begin([&] {
      EXPECT_EQ(perform(timeout_at(choice(b.receive(), a.receive()), time_point(1ns))), 7);
    });
    EXPECT_EQ(receiver.state(), coro_state::finished);
    while (ready.run() != 0) {
    }
  }
}

TEST_F(TimeOps, O14_WithoutTimeItIsACheckForCancellationAndAPoll) {
  for (const auto none : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    auto looks = begin([&] {
      EXPECT_EQ(perform(timeout(a.receive(), none)).error(), errc::timed_out);
      EXPECT_EQ(perform(timeout(always(3), none)), 3);
      EXPECT_EQ(poll(timeout(a.receive(), none))->error(), errc::timed_out);
      auto source = cancel_source::create().value();
      source.cancel();
      const cancel_binding governed(source.token());
      EXPECT_EQ(perform(timeout(always(3), none)).error(), errc::cancelled);
    });
    EXPECT_EQ(looks.state(), coro_state::finished);
  }
  EXPECT_FALSE(poll(timeout(a.receive(), 1ns)));
  EXPECT_EQ(outside.waits(), 0U);
}

TEST_F(TimeOps, O14_WithoutAnEndItIsTheOpItself) {
  const auto waits_alone = [&](auto op) {
    auto waits = begin([&] { EXPECT_EQ(perform(op), 9); });
    EXPECT_TRUE(loop.timers().empty());
    int value = 9;
    EXPECT_TRUE(poll(a.send(value)));
    EXPECT_EQ(ready.run(), 1U);
    EXPECT_EQ(waits.state(), coro_state::finished);
  };
  waits_alone(timeout(a.receive(), std::chrono::nanoseconds::max()));
  waits_alone(timeout(a.receive(), std::chrono::hours::max()));
  waits_alone(timeout(a.receive(), std::chrono::nanoseconds::max() - 1ns));  // The sum saturates.
  waits_alone(timeout_at(a.receive(), never));
  waits_alone(choice(a.receive(), wrap(sleep_until(never), [] { return 0; })));
}

TEST_F(TimeOps, O13_TheArmsOfALimitedChoiceAreChosenUniformly) {
  int firsts = 0;
  constexpr int rounds = 1000;
  const auto limited = timeout(choice(always(0), always(1)), 1s);
  for (int i = 0; i < rounds; ++i) firsts += poll(choice(limited, always(2)))->value() == 0;
  EXPECT_GT(firsts, rounds / 3 - 100);
  EXPECT_LT(firsts, rounds / 3 + 100);
}

TEST_F(TimeOps, NestedLimitsEndByTheEarliest) {
  std::vector<std::string> ended;
  const auto outer = [&](std::chrono::nanoseconds limit) {
    return begin([&, limit] {
      const auto got =
          perform(timeout(wrap(sleep_for(20us), [] { return std::string("slept"); }), limit));
      ended.push_back(got ? *got : "timed out");
    });
  };
  auto first = outer(10us);
  auto second = outer(30us);
  run();
  EXPECT_EQ(ended, (std::vector<std::string>{"timed out", "slept"}));
}

TEST(TimeConversion, SaturatesAndRoundsUp) {
  using internal::no_timeout_ns;
  using internal::saturated_ns;
  EXPECT_EQ(saturated_ns(std::chrono::hours::max()), no_timeout_ns);
  EXPECT_EQ(saturated_ns(std::chrono::hours::min()), INT64_MIN);
  EXPECT_EQ(saturated_ns(1.5us), 1500);
  EXPECT_EQ(saturated_ns(std::chrono::duration<double>(1e300)), no_timeout_ns);
  EXPECT_EQ(saturated_ns(std::chrono::duration<double>(-1e300)), INT64_MIN);
  EXPECT_EQ(saturated_ns(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
            no_timeout_ns);
  EXPECT_EQ(saturated_ns(std::chrono::duration<double>(1e-12)), 1);
  EXPECT_EQ(saturated_ns(std::chrono::duration<std::int64_t, std::pico>(1001)), 2);
  EXPECT_EQ(saturated_ns(std::chrono::duration<std::int64_t, std::pico>(-1001)), -1);
  EXPECT_EQ(saturated_ns(std::chrono::seconds(-3)), -3'000'000'000);
  EXPECT_EQ(internal::saturated_sum(5, no_timeout_ns), no_timeout_ns);
  EXPECT_EQ(internal::saturated_sum(-5, INT64_MIN), INT64_MIN);
  EXPECT_EQ(internal::saturated_sum(5, -7), -2);
}

// --- where there is no loop ----------------------------------------------------------------------

TEST(TimeWithoutALoop, ACoroutineOfAPlainQueueIsToldThatItHasNoClock) {
  const ready_queue ready;
  auto pool = coro_pool::create().value();
  auto made = pool.make([] {
                    const auto slept = perform(sleep_for(1h));
                    EXPECT_EQ(slept.error(), errc::unsupported);
                    EXPECT_NE(slept.error().message().find("fiber"), std::string::npos);
                    EXPECT_TRUE(perform(sleep_for(0s)));
                    EXPECT_TRUE(perform(sleep_until(time_point(1ns))));
                  })
                  .value();
  EXPECT_FALSE(made.resume().failed());
  EXPECT_EQ(made.state(), coro_state::finished);
}

class TimeThreads : public testing::Test {
 protected:
  rendezvous<int> a, b;
};

TEST_F(TimeThreads, O16_AThreadSleepsAndIsNotEarly) {
  for (const auto length : {1ns, 100'000ns, 2'000'000ns}) {
    const auto before = std::chrono::steady_clock::now();
    EXPECT_TRUE(perform(sleep_for(length)));
    EXPECT_GE(std::chrono::steady_clock::now() - before, length);
  }
  EXPECT_EQ(perform(timeout(a.receive(), 1ms)).error(), errc::timed_out);
  EXPECT_EQ(perform(timeout(choice(a.receive(), b.receive()), 1ms)).error(), errc::timed_out);
  EXPECT_EQ(a.waiting() + b.waiting(), 0U);
}

TEST_F(TimeThreads, IO5_OfSeveralDeadlinesOfAThreadTheFirstEndsItsWait) {
  const auto at = std::chrono::steady_clock::now() + 1ms;
  const auto which = [](time_point when, int n) {
    return wrap(sleep_until(when), [n] { return n; });
  };
  EXPECT_EQ(perform(choice(which(at + 1h, 0), which(at, 1), which(at, 2), which(never, 3))), 1);
}

TEST_F(TimeThreads, O16_ACommitAndACancelEndTheWaitBeforeItsTime) {
  auto source = cancel_source::create().value();
  {
    const test::joined_thread receives([&] {
      EXPECT_EQ(perform(timeout(a.receive(), 1h)), 7);
      const cancel_binding governed(source.token());
      EXPECT_EQ(perform(choice(a.receive(), wrap(sleep_for(1h), [] { return 0; }))).error(),
                errc::cancelled);
    });
    int value = 7;
    EXPECT_TRUE(perform(a.send(value)));
    for (backoff wait; a.waiting() != 1; wait.pause()) {
    }
    source.cancel();
  }
  EXPECT_EQ(a.waiting(), 0U);
}

// Limits that pass about when the peer comes: each value arrives, or is kept.
TEST_F(TimeThreads, O11_LimitsLoseNoValue) {
  constexpr int rounds = 3000;
  int sent = 0;
  int received = 0;
  std::atomic<bool> ends{false};
  {
    const test::joined_thread receiver([&] {
      while (!ends) {
        if (perform(timeout(a.receive(), std::chrono::nanoseconds(received % 7 * 10'000)))) {
          ++received;
        }
      }
    });
    for (int i = 0; i < rounds; ++i) {
      int value = i;
      if (perform(timeout(a.send(value), std::chrono::nanoseconds(i % 5 * 10'000)))) ++sent;
    }
    ends = true;
  }
  EXPECT_EQ(sent, received);
}

// --- calls ---------------------------------------------------------------------------------------

TEST_F(TimeOps, ATimedCallRunsInTheLoopAndMayAskForAnother) {
  std::vector<std::int64_t> calls;
  timed_call beat([&](auto& self) noexcept {
    calls.push_back(now().count());
    EXPECT_TRUE(calls.size() == 3 || self.call_after(10us));
    EXPECT_EQ(perform(a.receive()).error(), errc::bad_state) << "it may not wait";
  });
  EXPECT_FALSE(beat.cancel());
  EXPECT_TRUE(beat.call_after(10us));
  EXPECT_TRUE(beat.call_at(time_point(3us)));  // Replaces it.
  EXPECT_TRUE(beat.is_pending());
  run();
  EXPECT_EQ(calls, (std::vector<std::int64_t>{3000, 13'000, 23'000}));
  EXPECT_TRUE(beat.call_after(10us));
  EXPECT_TRUE(beat.cancel());
  EXPECT_TRUE(beat.call_after(10us));
  EXPECT_TRUE(beat.call_at(never));
  EXPECT_FALSE(beat.is_pending());
  run();
  EXPECT_EQ(calls.size(), 3U);
}

TEST_F(TimeOps, ATimedCallMayEndItself) {
  struct holder {
    explicit holder(std::function<void()> f) : then(std::move(f)) {}
    std::function<void()> then;
    struct call {
      holder* of;
      void operator()() const noexcept { of->then(); }
    };
    timed_call<call> at{call{this}};
  };
  std::optional<holder> held;
  held.emplace([&] { held.reset(); });
  EXPECT_TRUE(held->at.call_after(1ns));
  run();
  EXPECT_FALSE(held);
}

TEST_F(TimeOps, F12_ATimedCallOnAnAbandonedStackIsNotCalled) {
  int calls = 0;
  auto owner = begin([&] {
    timed_call later([&]() noexcept { ++calls; });
    EXPECT_TRUE(later.call_after(1us));
    (void)perform(a.receive());
  });
  EXPECT_TRUE(owner.release(abandon));
  EXPECT_TRUE(loop.timers().empty());
  run();
  EXPECT_EQ(calls, 0);
}

TEST_F(TimeOps, ATimedCallNeedsALoopAndBelongsToIt) {
  timed_call later([]() noexcept {});
  EXPECT_TRUE(later.call_after(1us));
  {
    const test::joined_thread other([&] {
      timed_call none([]() noexcept {});
      EXPECT_EQ(none.call_after(1us).error(), errc::unsupported);
      test::manual_backend backend;
      event_loop another(backend);
      event_loop::enter(&another);
      EXPECT_EQ(later.call_after(1us).error(), errc::wrong_thread);
      event_loop::enter(nullptr);
    });
  }
  EXPECT_TRUE(later.cancel());
}

}  // namespace
}  // namespace bast
