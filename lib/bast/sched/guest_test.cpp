// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "bast/os.hpp"
#include "bast/sched.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

errc kind_of_failure(const result<void>& got) { return got ? errc{} : got.error().kind(); }

TEST(GuestRuntime, IO16_ATurnRunsWhatIsReady) {
  auto fibers = guest_runtime::create().value();
  int steps = 0;
  ASSERT_TRUE(fibers.handle().post([&] {
    ++steps;
    (void)yield_now();
    ++steps;
  }));
  EXPECT_EQ(steps, 0) << "only turns run fibers";
  EXPECT_FALSE(fibers.idle());
  while (!fibers.idle()) ASSERT_TRUE(fibers.turn(0ns));
  EXPECT_EQ(steps, 2);
}

TEST(GuestRuntime, IO16_TheDescriptorIsReadableWhenATurnHasSomethingToDo) {
  auto fibers = guest_runtime::create().value();
  ASSERT_TRUE(fibers.turn(0ns));
  pollfd watched{.fd = fibers.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&watched, 1, 0), 0);
  int runs = 0;
  ASSERT_TRUE(fibers.handle().post([&] { ++runs; }));
  EXPECT_EQ(::poll(&watched, 1, 0), 1);
  ASSERT_TRUE(fibers.turn(0ns));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(::poll(&watched, 1, 0), 0);
  EXPECT_EQ(fibers.next_deadline(), never);
}

TEST(GuestRuntime, IO16_ATurnWaitsForAPostOfAnotherThread) {
  auto fibers = guest_runtime::create().value();
  int runs = 0;
  const test::joined_thread poster([&] { EXPECT_TRUE(fibers.handle().post([&] { ++runs; })); });
  while (runs == 0) ASSERT_TRUE(fibers.turn(1h));
  EXPECT_EQ(runs, 1);
}

TEST(GuestRuntime, IO16_AnotherThreadMayNotTurn) {
  auto fibers = guest_runtime::create().value();
  ASSERT_TRUE(fibers.turn(0ns));
  test::joined_thread([&] { EXPECT_EQ(kind_of_failure(fibers.turn(0ns)), errc::wrong_thread); });
}

TEST(GuestRuntime, AFirstTurnThatFailsEndsWhatWasSpawned) {
  auto fibers = guest_runtime::create().value();
  const auto held = std::make_shared<int>(1);
  auto posted = fibers.handle().spawn([held] { return *held; }).value();
  {
    const os::fault_scope no_descriptors(
        {.kind = os::call::epoll, .nth = 1, .persistent = true, .error_number = EMFILE});
    EXPECT_EQ(kind_of_failure(fibers.turn(0ns)), errc::limit);
  }
  EXPECT_EQ(held.use_count(), 1) << "its function is destroyed";
  EXPECT_EQ(block_on(posted.joined()).error().kind(), errc::limit);
  EXPECT_EQ(kind_of_failure(fibers.turn(0ns)), errc::bad_state);
  EXPECT_EQ(kind_of_failure(fibers.handle().post([] {})), errc::closed);
}

TEST(GuestRuntime, IO15_InAForkedChildItMayEndAndFreesNothing) {
  std::optional<guest_runtime> fibers(guest_runtime::create({.workers = 2}).value());
  ASSERT_TRUE(fibers->handle().post([] { (void)perform(sleep_for(1h)); }));
  ASSERT_TRUE(fibers->turn(0ns));
  EXPECT_EQ(test::in_child([&] {
              if (kind_of_failure(fibers->turn(0ns)) != errc::forked) return 1;
              fibers.reset();
              return 0;
            }),
            0);
  EXPECT_TRUE(fibers->shut_down()) << "the parent's is unchanged";
}

TEST(GuestRuntime, ATurnWithinATurnIsRefused) {
  auto fibers = guest_runtime::create().value();
  errc refused{};
  ASSERT_TRUE(fibers.handle().post([&] { refused = kind_of_failure(fibers.turn(0ns)); }));
  ASSERT_TRUE(fibers.turn(0ns));
  EXPECT_EQ(refused, errc::bad_state);
}

TEST(GuestRuntime, ShutDownCancelsAndWaits) {
  auto fibers = guest_runtime::create({.workers = 2}).value();
  std::atomic<int> ended = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(fibers.handle().post([&] {
      while (yield_now()) continue;
      ++ended;
    }));
  }
  ASSERT_TRUE(fibers.turn(0ns));
  ASSERT_TRUE(fibers.shut_down());
  EXPECT_EQ(ended, 10);
  EXPECT_TRUE(fibers.idle());
  EXPECT_TRUE(fibers.shut_down()) << "a second one does nothing";
  EXPECT_EQ(kind_of_failure(fibers.turn(0ns)), errc::bad_state);
  EXPECT_EQ(kind_of_failure(fibers.handle().post([] {})), errc::closed);
}

TEST(GuestRuntime, BetweenTurnsTheThreadMayWaitAsOthersDo) {
  auto fibers = guest_runtime::create({.workers = 2}).value();
  ASSERT_TRUE(fibers.turn(0ns));
  auto answer = fibers.handle().spawn([] { return 42; }).value();
  // The other worker takes it, or a turn runs it.
  while (!answer.is_done()) ASSERT_TRUE(fibers.turn(0ns));
  EXPECT_EQ(block_on(answer.joined()).value(), 42);
}

}  // namespace
}  // namespace bast
