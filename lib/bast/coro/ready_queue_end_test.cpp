// SPDX-License-Identifier: Apache-2.0
//
// Which queue a thread uses, and how queues end: in order, early, on another thread, after a fork.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/event.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using internal::waiter;
using test::event;
using waits = test::waiting_coroutine;

TEST(ReadyQueueOfAThread, F4_WhoNobodyWouldContinueMayNotWait) {
  coro_pool pool = coro_pool::create().value();
  auto c = pool.acquire().value();
  ASSERT_TRUE(c.start([&] {
                 EXPECT_EQ(test::kind_of(waiter::check("test")), errc::not_in_fiber);
                 const ready_queue made;
                 EXPECT_TRUE(waiter::check("test"));
                 const internal::no_suspension guard;
                 EXPECT_EQ(test::kind_of(waiter::check("test")), errc::bad_state);
               }).finished());
  EXPECT_TRUE(waiter::check("test")) << "a thread may wait";
  const internal::no_suspension guard;
  EXPECT_TRUE(waiter::check("test"));
}

TEST(ReadyQueueOfAThread, TheLatestThatLivesIsTheOneInWhateverOrderTheyEnd) {
  coro_pool pool = coro_pool::create().value();
  std::vector<waits*> order;
  std::optional<ready_queue> first;
  std::optional<ready_queue> second;
  first.emplace();
  second.emplace();
  first.reset();
  {
    waits a(pool, order);
    EXPECT_EQ(second->waiting(), 1U);
    a.at->set();
    EXPECT_EQ(second->run(), 1U);
  }
  first.emplace();
  first.reset();
  waits b(pool, order);
  EXPECT_EQ(second->waiting(), 1U);
  b.at->set();
  EXPECT_EQ(second->run(), 1U);
}

TEST(ReadyQueueOfAThread, Y14_ItsEndWaitsForAWakerThatIsWithinTheHook) {
  struct gate_type {
    std::atomic<bool> entered{false};
    std::atomic<bool> open{false};
    std::atomic<bool> left{false};
  } gate;
  coro_pool pool = coro_pool::create().value();
  std::vector<waits*> order;
  std::optional<ready_queue> ready(std::in_place,
                                   wake_hook{.wake =
                                                 [](void* self) noexcept {
                                                   auto& g = *static_cast<gate_type*>(self);
                                                   g.entered = true;
                                                   while (!g.open) std::this_thread::yield();
                                                   g.left = true;
                                                 },
                                             .context = &gate});
  waits a(pool, order);
  const test::joined_thread waker([&] { a.at->set(); });
  while (!gate.entered) std::this_thread::yield();
  EXPECT_EQ(ready->run(), 1U) << "the coroutine continues meanwhile";
  const std::uint32_t here = os::thread_id();
  const test::joined_thread opens([&] {
    test::wait_until_asleep(here);
    gate.open = true;
  });
  ready.reset();
  EXPECT_TRUE(gate.left);
}

TEST(ReadyQueueOfAThread, IO15_InAForkedChildItIsEmptyAndMayEnd) {
  coro_pool pool = coro_pool::create().value();
  std::vector<waits*> order;
  std::optional<ready_queue> ready(std::in_place);
  waits a(pool, order);
  waits b(pool, order);
  b.at->set();
  EXPECT_EQ(test::in_child([&] {
              if (ready->has_ready() || ready->run() != 0) return 1;
              ready.reset();
              auto c = pool.acquire().value();
              std::optional<errc> refused;
              (void)c.start([&] { refused = test::kind_of(waiter::check("test")); });
              if (refused != errc::not_in_fiber) return 2;
              if (!a.coroutine.release(abandon) || !b.coroutine.release(abandon)) return 3;
              ready.emplace();
              waits again(pool, order);
              again.at->set();
              return ready->run() == 1 && again.arm == 0 ? 0 : 4;
            }),
            0);
  a.at->set();
  EXPECT_EQ(ready->run(), 2U) << "the queue of the parent is unchanged";
}

TEST(ReadyQueueDeathTest, X5_EndingItBeforeItsWaitersEndsTheProcess) {
  coro_pool pool = coro_pool::create().value();
  std::vector<waits*> order;
  EXPECT_DEATH(
      {
        std::optional<ready_queue> ready(std::in_place);
        const waits a(pool, order);
        ready.reset();
      },
      "a ready_queue was destroyed while a coroutine waits to be continued");
}

TEST(ReadyQueueDeathTest, X5_WhoItContinuesMayNotEndIt) {
  coro_pool pool = coro_pool::create().value();
  EXPECT_DEATH(
      {
        std::optional<ready_queue> ready(std::in_place);
        event* at = nullptr;
        auto c = pool.acquire().value();
        (void)c.start([&] {
          event mine;
          at = &mine;
          (void)mine.who.wait();
          ready.reset();
        });
        at->set();
        ready->run();
      },
      "a ready_queue was destroyed by a coroutine that it resumed");
}

TEST(ReadyQueueDeathTest, F5_AnotherThreadMayNotEndItWhileItsOwnLives) {
  EXPECT_DEATH(
      {
        auto ready = std::make_unique<ready_queue>();
        std::thread([&] { ready.reset(); }).join();
      },
      "a ready_queue is destroyed by another thread while its own still runs");
}

TEST(ReadyQueueOfAThread, F5_AnyThreadMayEndItOnceItsOwnHasEnded) {
  std::unique_ptr<ready_queue> ready;
  std::thread([&] { ready = std::make_unique<ready_queue>(); }).join();
  ready.reset();
}

TEST(ReadyQueueOfAThread, F12_OneOnAStackThatIsAbandonedIsTakenFromItsThread) {
  coro_pool pool = coro_pool::create().value();
  std::vector<waits*> order;
  ready_queue around;
  auto c = pool.acquire().value();
  ASSERT_FALSE(c.start([&] {
                  const ready_queue within;
                  (void)this_coro::yield();
                }).failed());
  ASSERT_TRUE(c.release(abandon));
  waits a(pool, order);
  EXPECT_EQ(around.waiting(), 1U);
  a.at->set();
  EXPECT_EQ(around.run(), 1U);
}

TEST(ReadyQueueDeathTest, F5_AnotherThreadMayNotRunIt) {
  ready_queue ready;
  EXPECT_DEATH(std::thread([&] { (void)ready.run(); }).join(),
               "a ready_queue is run on a thread other than its own");
}

}  // namespace
}  // namespace bast
