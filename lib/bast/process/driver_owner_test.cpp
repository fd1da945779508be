// SPDX-License-Identifier: Apache-2.0
//
// IO-16: a driver is its thread's. Whoever else uses it is answered `wrong_thread`, or ends the
// process where there is no answer to give; a driver whose thread has ended may be destroyed.
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

constexpr const char* used = "used by another thread than the one that initialised it";
constexpr const char* destroyed = "destroyed by another thread while its own still runs";

void no_end(void* /*context*/, process_id /*id*/, process_result&& /*ended*/) noexcept {}

TEST(DriverOwner, IO16_AnotherThreadIsAnsweredAndChangesNothing) {
  epoll_adapter loop;
  ASSERT_TRUE(loop.init(4));
  const std::uint64_t before = loop.machine().digest();
  on_another_thread([&] {
    EXPECT_EQ(loop.turn(0ns).error(), errc::wrong_thread);
    EXPECT_STREQ(loop.turn(0ns).error().operation(), "epoll_adapter.turn");
    EXPECT_EQ(loop.shut_down().error(), errc::wrong_thread);
    EXPECT_EQ(loop.has_room().error(), errc::wrong_thread);
    EXPECT_EQ(loop.start({}).error(), errc::wrong_thread);
    EXPECT_EQ(loop.cancel({.slot = 0, .generation = 1}).error(), errc::wrong_thread);
    EXPECT_EQ(loop.init(4).error(), errc::bad_state);
    EXPECT_EQ(process_driver::of_this_thread(), nullptr);
    // It is not started, and may be started where it belongs.
    auto c = child({"exit", "0"});
    EXPECT_EQ(c.start(loop, no_end, nullptr).error(), errc::wrong_thread);
    EXPECT_FALSE(c.started());
  });
  EXPECT_EQ(loop.machine().digest(), before);
  EXPECT_TRUE(test::has_no_child());
  EXPECT_TRUE(loop.turn(0ns));
}

TEST(DriverOwner, IO16_ACoroutineOfAnotherThreadCannotWaitInIt) {
  epoll_adapter loop;
  ASSERT_TRUE(loop.init(4));
  on_another_thread([&] {
    auto pool = *coro_pool::create();
    auto job = *pool.acquire();
    std::optional<errc> seen;
    ASSERT_TRUE(job.start([&] {
      auto c = child({"exit", "0"});
      const auto ended = c.run(loop);
      if (!ended) seen = ended.error().kind();
    }));
    EXPECT_EQ(seen, errc::wrong_thread);
    EXPECT_EQ(job.state(), coro_state::finished);
  });
  EXPECT_TRUE(test::has_no_child());
}

/// A loop that a coroutine of this thread waits in.
void turn_a_coroutine_elsewhere() {
  epoll_adapter loop;
  (void)loop.init(4);
  auto pool = *coro_pool::create();
  auto job = *pool.acquire();
  std::string ended;
  (void)job.start([&] {
    auto c = child({"out", "3"});
    c.stdout_capture();
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
    loop = std::make_unique<epoll_adapter>();
    ASSERT_TRUE(loop->init(4));
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
    static thread_local epoll_adapter loop;
    ASSERT_TRUE(loop.init(4));
  });
}

// A death test that forks would see a driver of its parent's, which is another law.

TEST(DriverOwnerDeathTest, IO16_WhatHasNoAnswerEndsTheProcess) {
  if (test::emulated) GTEST_SKIP() << "here a program cannot execute itself";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  epoll_adapter loop;
  ASSERT_TRUE(loop.init(4));
  EXPECT_DEATH(on_another_thread([&] { (void)loop.idle(); }), used);
  EXPECT_DEATH(on_another_thread([&] { (void)loop.machine(); }), used);
  EXPECT_DEATH(on_another_thread([&] { std::destroy_at(&loop); }), destroyed);
}

#if BAST_TEST_URING

TEST(DriverOwnerDeathTest, IO16_TheRingsAdapterIsItsThreadsAsWell) {
  if (test::emulated) GTEST_SKIP() << "here a program cannot execute itself";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  io_uring ring{};
  if (io_uring_queue_init(4, &ring, 0) != 0) GTEST_SKIP() << "io_uring is refused";
  {
    uring_adapter loop;
    EXPECT_EQ(loop.shut_down().error(), errc::bad_state);
    ASSERT_TRUE(loop.init(ring));
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
