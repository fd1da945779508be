// SPDX-License-Identifier: Apache-2.0
#include "bast/io/event_loop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "bast/io/epoll_backend.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/manual_backend.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

struct test_alarm : loop_timer {
  explicit test_alarm(std::function<void()> f) : then(std::move(f)) {
    expired = [](loop_timer& self) noexcept { static_cast<test_alarm&>(self).then(); };
  }
  std::function<void()> then;
};

class EventLoop : public testing::Test {
 protected:
  test::manual_backend outside{1000};
  event_loop loop{outside};
  std::vector<int> order;
  test_alarm first{[&] { order.push_back(1); }};
  test_alarm second{[&] { order.push_back(2); }};
};

TEST_F(EventLoop, IO5_ATurnSleepsUntilTheFirstTimerAndCallsWhatHasExpired) {
  loop.arm(second, 3000);
  loop.arm(first, 2000);
  EXPECT_EQ(loop.turn(0), 0U);
  EXPECT_EQ(loop.now_ns(), 1000U) << "it did not wait";
  EXPECT_EQ(loop.turn(1500), 0U);
  EXPECT_EQ(loop.now_ns(), 1500U);
  EXPECT_EQ(loop.turn(no_deadline_ns), 1U);
  EXPECT_EQ(loop.turn_ns(), 2000U);
  EXPECT_EQ(loop.turn(no_deadline_ns), 1U);
  EXPECT_EQ(loop.turn_ns(), 3000U);
  EXPECT_EQ(order, (std::vector{1, 2}));
  EXPECT_EQ(loop.turn(no_deadline_ns), 0U);
  EXPECT_EQ(outside.stuck(), 1U);
}

TEST_F(EventLoop, IO5_ATurnSleepsUntilTheEarlierOfItsTimeAndTheFirstTimer) {
  EXPECT_EQ(loop.turn(1500), 0U);
  EXPECT_EQ(loop.now_ns(), 1500U) << "no timer";
  std::size_t calls = 0;
  for (const std::uint64_t due : {2000U, 3000U, 4000U}) {
    loop.arm(first, due);
    const std::uint64_t until = due - 1 + calls;
    const std::uint64_t end = std::min(due, until);
    EXPECT_EQ(loop.turn(until), end == due ? 1U : 0U);
    EXPECT_EQ(loop.now_ns(), end) << "one before, at and one after it";
    if (end != due) {
      EXPECT_EQ(loop.turn(no_deadline_ns), 1U);
    }
    EXPECT_EQ(loop.now_ns(), due);
    EXPECT_EQ(order.size(), ++calls);
  }
}

TEST_F(EventLoop, IO5_EqualDeadlinesComeInTheOrderOfArmingAndPastOnesInTheNextTurn) {
  loop.arm(second, 2000);
  loop.arm(first, 2000);
  outside.advance(5000);
  EXPECT_EQ(loop.turn(0), 2U);
  EXPECT_EQ(order, (std::vector{2, 1}));
  loop.arm(first, 0);
  outside.advance(1);
  EXPECT_EQ(loop.turn(no_deadline_ns), 1U);
  EXPECT_EQ(loop.now_ns(), 6001U);
}

TEST_F(EventLoop, IO6_ADisarmedTimerIsGoneAtOnce) {
  loop.arm(first, 2000);
  loop.disarm(first);
  loop.disarm(first);
  EXPECT_TRUE(loop.timers().empty());
  EXPECT_EQ(loop.turn(no_deadline_ns), 0U);
  EXPECT_EQ(outside.stuck(), 1U);
}

TEST_F(EventLoop, I2_ATimerThatIsArmedAgainForThePastDoesNotHoldUpTheTurn) {
  first.then = [&] {
    order.push_back(1);
    loop.arm(first, 0);
  };
  loop.arm(first, 0);
  for (int turns = 0; turns < 3; ++turns) {
    outside.advance(1);
    const std::size_t called = loop.turn(no_deadline_ns);
    EXPECT_GE(called, 1U);
    EXPECT_LE(called, 2U) << "at the time of the turn before, and at this one's";
  }
  loop.disarm(first);
}

TEST_F(EventLoop, I2_DescriptorsComeBeforeTimersOfOneTurn) {
  struct numbered_watch : descriptor_watch {
    std::vector<int>* order = nullptr;
  } watch;
  watch.fd = 7;
  watch.order = &order;
  watch.ready = [](descriptor_watch& self) noexcept {
    static_cast<numbered_watch&>(self).order->push_back(7);
  };
  ASSERT_TRUE(outside.watch(watch));
  loop.arm(first, 2000);
  outside.advance(5000);
  outside.make_ready(7, os::readiness::readable);
  EXPECT_EQ(loop.turn(0), 2U);
  EXPECT_EQ(order, (std::vector{7, 1}));
}

TEST_F(EventLoop, IO9_AWakeEndsAWaitBeforeItsTime) {
  loop.arm(first, 2000);
  loop.wake();
  EXPECT_EQ(loop.turn(no_deadline_ns), 0U);
  EXPECT_EQ(loop.now_ns(), 1000U);
  loop.disarm(first);
}

class EventLoopDeathTest : public EventLoop {
 protected:
  // A forked child's loop does nothing.
  EventLoopDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(EventLoopDeathTest, AnErrorOfTheBackendIsATurnWithoutDescriptors) {
  loop.arm(first, 500);
  outside.advance(1);
  outside.fail_next();
  EXPECT_EQ(loop.turn(no_deadline_ns), 1U);
  // Only in a row do they end the process.
  for (int i = 0; i < 2000; ++i) {
    if (i % 900 != 0) outside.fail_next();
    EXPECT_EQ(loop.turn(0), 0U);
  }
  EXPECT_DEATH(
      for (;;) {
        outside.fail_next();
        (void)loop.turn(0);
      },
      "reports no events any more");
}

TEST_F(EventLoop, IsThatOfTheThreadThatEnteredItOnly) {
  EXPECT_EQ(event_loop::here(), nullptr);
  event_loop::enter(&loop);
  EXPECT_EQ(event_loop::here(), &loop);
  {
    const test::joined_thread other([] { EXPECT_EQ(event_loop::here(), nullptr); });
  }
  EXPECT_EQ(test::in_child([&] {
              loop.arm(first, 0);
              return event_loop::here() == nullptr && loop.turn(no_deadline_ns) == 0 ? 0 : 1;
            }),
            0)
      << "IO-15";
  event_loop::enter(nullptr);
  EXPECT_EQ(event_loop::here(), nullptr);
}

TEST_F(EventLoopDeathTest, MisuseEndsTheProcess) {
  first.then = [&] { (void)loop.turn(0); };
  loop.arm(first, 0);
  outside.advance(1);
  EXPECT_DEATH((void)loop.turn(0), "turned by what it calls");
  loop.disarm(first);
  EXPECT_DEATH(
      {
        std::optional<event_loop> ends(std::in_place, outside);
        event_loop::enter(&*ends);
        ends.reset();
      },
      "while its thread is in it");
}

TEST(EventLoopOfEpoll, TimersAndWakesOfTheRealClock) {
  epoll_backend* const backend = epoll_backend::create().value();
  {
    event_loop loop(*backend);
    std::uint64_t fired_ns = 0;
    test_alarm alarm([&] { fired_ns = loop.now_ns(); });
    const std::uint64_t at_ns = loop.now_ns() + 300'000;
    loop.arm(alarm, at_ns);
    std::size_t called = 0;
    while (called == 0) called = loop.turn(no_deadline_ns);
    EXPECT_GE(fired_ns, at_ns);
    const test::joined_thread waker([&] { loop.wake(); });
    EXPECT_EQ(loop.turn(no_deadline_ns), 0U);
  }
  epoll_backend::destroy(backend);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
