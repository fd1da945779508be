// SPDX-License-Identifier: Apache-2.0
//
// IO-16: a driver belongs to its thread. On any other its functions fail with `wrong_thread`, or
// end the process if they have no result. A driver whose thread has ended may be destroyed.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>

#include "bast/coro.hpp"
#include "bast/process.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/run_child.hpp"

#if BAST_TEST_URING
#include <liburing.h>
#endif

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;

template <class F>
void on_another_thread(F body) {
  std::thread(body).join();
}

constexpr const char* used = "used on a thread other than its own";
constexpr const char* destroyed = "destroyed by another thread while its own still runs";

void no_end(void* /*context*/, process_id /*id*/, process_result&& /*ended*/) noexcept {}

TEST(DriverOwner, IO16_AnotherThreadIsAnsweredAndChangesNothing) {
  const std::unique_ptr<epoll_adapter> loop_owner =
      epoll_adapter::create({.processes_max = 4}).value();
  epoll_adapter& loop = *loop_owner;
  const std::uint64_t before = loop.machine().digest();
  on_another_thread([&] {
    EXPECT_EQ(loop.turn(0ns).error(), errc::wrong_thread);
    EXPECT_STREQ(loop.turn(0ns).error().operation(), "epoll_adapter.turn");
    EXPECT_EQ(loop.shut_down().error(), errc::wrong_thread);
    EXPECT_EQ(loop.has_room().error(), errc::wrong_thread);
    EXPECT_EQ(loop.start({}).error(), errc::wrong_thread);
    EXPECT_EQ(loop.cancel({.slot = 0, .generation = 1}).error(), errc::wrong_thread);
    EXPECT_EQ(process_driver::of_this_thread(), nullptr);
    // It is not started, and can be started on its own thread.
    auto c = child({"exit", "0"});
    EXPECT_EQ(c.start(loop, no_end, nullptr).error(), errc::wrong_thread);
    EXPECT_FALSE(c.started());
  });
  EXPECT_EQ(loop.machine().digest(), before);
  EXPECT_TRUE(test::has_no_child());
  EXPECT_TRUE(loop.turn(0ns));
}

TEST(DriverOwner, IO16_ACoroutineOfAnotherThreadCannotWaitInIt) {
  const std::unique_ptr<epoll_adapter> loop_owner =
      epoll_adapter::create({.processes_max = 4}).value();
  epoll_adapter& loop = *loop_owner;
  on_another_thread([&] {
    auto pool = *coro_pool::create();
    auto job = *pool.acquire();
    std::optional<errc> seen;
    ASSERT_FALSE(job.start([&] {
                      auto c = child({"exit", "0"});
                      const auto ended = c.run(loop);
                      if (!ended) seen = ended.error().kind();
                    })
                     .failed());
    EXPECT_EQ(seen, errc::wrong_thread);
    EXPECT_EQ(job.state(), coro_state::finished);
  });
  EXPECT_TRUE(test::has_no_child());
}

/// A loop with a waiting coroutine of this thread.
void turn_a_coroutine_elsewhere() {
  const std::unique_ptr<epoll_adapter> loop_owner =
      epoll_adapter::create({.processes_max = 4}).value();
  epoll_adapter& loop = *loop_owner;
  auto pool = *coro_pool::create();
  auto job = *pool.acquire();
  std::string ended;
  (void)job.start([&] {
    auto c = child({"out", "3"});
    c.out(to::capture{});
    const auto seen = c.run();
    ended = seen ? std::string(seen->output.bytes.text()) : "error";
  });
  on_another_thread([&] { EXPECT_EQ(loop.turn(1h).error(), errc::wrong_thread); });
  while (!loop.idle()) (void)loop.turn(1h);
  EXPECT_EQ(ended, "abc");
}

TEST(DriverOwner, IO16_ACoroutineIsContinuedOnItsOwnThreadOnly) {
  if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  turn_a_coroutine_elsewhere();
}

TEST(DriverOwner, IO16_OneWhoseThreadHasEndedMayBeDestroyedAnywhere) {
  std::unique_ptr<epoll_adapter> loop;
  on_another_thread([&] {
    loop = epoll_adapter::create({.processes_max = 4}).value();
    EXPECT_EQ(process_driver::of_this_thread(), loop.get());
  });
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
  EXPECT_TRUE(loop->idle());
  EXPECT_EQ(loop->machine().stats().started, 0U);
  EXPECT_EQ(loop->turn(0ns).error(), errc::wrong_thread);
  loop.reset();
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
}

TEST(DriverOwner, IO16_AThreadMayOwnOneThatLivesAsLongAsItself) {
  on_another_thread([] {
    static thread_local std::unique_ptr<epoll_adapter> loop_owner =
        epoll_adapter::create({.processes_max = 4}).value();
    EXPECT_TRUE(loop_owner->idle());
  });
}

// A death test that forks would see a driver of its parent, which is another law.

TEST(DriverOwnerDeathTest, IO16_WhatHasNoAnswerEndsTheProcess) {
  if (test::emulated) GTEST_SKIP() << "here a program cannot execute itself";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::unique_ptr<epoll_adapter> loop_owner = epoll_adapter::create({.processes_max = 4}).value();
  epoll_adapter& loop = *loop_owner;
  EXPECT_DEATH(on_another_thread([&] { (void)loop.idle(); }), used);
  EXPECT_DEATH(on_another_thread([&] { (void)loop.machine(); }), used);
  EXPECT_DEATH(on_another_thread([&] { loop_owner.reset(); }), destroyed);
}

#if BAST_TEST_URING

TEST(DriverOwnerDeathTest, IO16_TheRingsAdapterIsItsThreadsAsWell) {
  if (test::emulated) GTEST_SKIP() << "here a program cannot execute itself";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  io_uring ring{};
  if (io_uring_queue_init(4, &ring, 0) != 0) GTEST_SKIP() << "io_uring is refused";
  {
    const std::unique_ptr<uring_adapter> loop_owner = uring_adapter::create(ring).value();
    uring_adapter& loop = *loop_owner;
    on_another_thread([&] {
      EXPECT_EQ(loop.start({}).error(), errc::wrong_thread);
      EXPECT_EQ(loop.shut_down().error(), errc::wrong_thread);
    });
    EXPECT_DEATH(on_another_thread([&] { (void)loop.prepare(); }), used);
    EXPECT_DEATH(on_another_thread([&] { (void)loop.handle({}); }), used);
    EXPECT_DEATH(on_another_thread([&] { (void)loop.idle(); }), used);
    ASSERT_TRUE(loop.shut_down());
    EXPECT_TRUE(loop.prepare());
    EXPECT_TRUE(loop.idle());
  }
  io_uring_queue_exit(&ring);
}

#endif

}  // namespace
}  // namespace bast
