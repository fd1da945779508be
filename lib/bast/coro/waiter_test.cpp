// SPDX-License-Identifier: Apache-2.0
//
// Waits of threads, of successive coroutines, and of a scheduler's coroutines.
#include "bast/coro/waiter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/event.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/scheduler.hpp"

namespace bast {
namespace {

using internal::arm_cancelled;
using internal::waiter;
using test::event;

TEST(Waiter, F4_AnArmedWordIsNeverValidAgain) {
  ready_queue ready;
  coro_pool pool = coro_pool::create().value();
  auto c = pool.acquire().value();
  waiter* who = nullptr;
  std::vector<waiter::armed_word> words;
  std::vector<int> arms;
  ASSERT_TRUE(c.start([&] {
                 waiter mine;
                 who = &mine;
                 for (int life = 0; life < 3; ++life) {
                   words.push_back(mine.arm());
                   arms.push_back(mine.wait());
                 }
               }).parked());
  for (std::uint16_t life = 0; life < 3; ++life) {
    for (std::size_t stale = 0; stale + 1 < words.size(); ++stale) {
      EXPECT_FALSE(who->commit(words[stale], 9)) << "of an earlier wait";
    }
    ASSERT_TRUE(who->commit(words.back(), life));
    who->wake();
    EXPECT_EQ(ready.run(), 1U);
  }
  EXPECT_EQ(arms, (std::vector<int>{0, 1, 2}));
}

TEST(Waiter, AThreadWaitsWithoutAQueue) {
  std::atomic<event*> at{nullptr};
  std::atomic<std::uint32_t> sleeper{0};
  int arm = -1;
  {
    const test::joined_thread waiting([&] {
      event mine;
      sleeper = os::thread_id();
      at = &mine;
      arm = mine.who.wait();
    });
    while (at == nullptr) std::this_thread::yield();
    test::wait_until_asleep(sleeper);
    EXPECT_TRUE(at.load()->set(5));
  }
  EXPECT_EQ(arm, 5);
}

TEST(Waiter, AThreadsWaitIsTakenBack) {
  for (const bool woken : {false, true}) {
    event mine;
    EXPECT_EQ(woken && mine.set(4), woken);
    EXPECT_EQ(mine.who.withdraw(), woken ? 4 : arm_cancelled);
    EXPECT_FALSE(mine.set());
  }
}

/// A scheduler's coroutines use the same waiter.
class scheduling final : public internal::minimal_scheduler, public internal::executor {
 public:
  scheduling() { internal::this_thread.scheduler = this; }
  scheduling(const scheduling&) = delete;
  scheduling& operator=(const scheduling&) = delete;
  ~scheduling() { internal::this_thread.scheduler = nullptr; }
  void wake(internal::ready_link& who) noexcept override { ready.push_back(who.coroutine); }
  void park(internal::ready_link&) override { minimal_scheduler::park(); }
  void forget(internal::ready_link&, bool) noexcept override {}
};

TEST(WaiterOfAScheduler, WhoWaitsIsParkedAndContinuedByIt) {
  scheduling all;
  event* at = nullptr;
  std::string order;
  all.spawn_void([&] {
    event mine;
    at = &mine;
    order += 'a';
    order += static_cast<char>('0' + mine.who.wait());
  });
  all.spawn_void([&] {
    order += 'b';
    EXPECT_TRUE(at->set(3));
    order += 'c';
  });
  all.run();
  EXPECT_EQ(order, "abc3");
}

TEST(WaiterOfAScheduler, I1_APlainWaitIsCommittedOnceByItsOwnThread) {
  scheduling all;
  std::optional<waiter> mine;
  std::vector<waiter::armed_word> words;
  std::vector<int> arms;
  all.spawn_void([&] {
    mine.emplace();
    for (int life = 0; life < 3; ++life) {
      words.push_back(mine->arm());
      arms.push_back(mine->wait_plainly());
    }
  });
  all.run();
  EXPECT_TRUE(mine->link().is_plain);
  EXPECT_TRUE(mine->commit_here(words[0], 5));
  EXPECT_FALSE(mine->commit_here(words[0], 6)) << "it is committed";
  EXPECT_FALSE(mine->commit(words[0], 6));
  EXPECT_FALSE(waiter::cancel(mine->link()));
  mine->wake();
  all.run();
  EXPECT_FALSE(mine->commit_here(words[0], 6)) << "of an earlier wait";
  EXPECT_TRUE(waiter::cancel(mine->link()));
  EXPECT_FALSE(mine->commit_here(words[1], 6)) << "it is cancelled";
  mine->wake();
  all.run();
  EXPECT_TRUE(mine->commit(words[2], 7));
  EXPECT_FALSE(mine->commit_here(words[2], 6)) << "another thread was first";
  mine->wake();
  all.run();
  EXPECT_EQ(arms, (std::vector<int>{5, arm_cancelled, 7}));
  EXPECT_FALSE(mine->commit_here(words[2], 6)) << "it does not wait any more";
}

TEST(WaiterOfAScheduler, ARawCoroutineWithinAScheduledOneWaitsByIt) {
  scheduling all;
  coro_pool pool = coro_pool::create().value();
  const ready_queue unused;
  event* at = nullptr;
  std::string order;
  all.spawn_void([&] {
    auto nested = pool.acquire().value();
    ASSERT_TRUE(nested
                    .start([&] {
                      event mine;
                      at = &mine;
                      order += 'a';
                      order += static_cast<char>('0' + mine.who.wait());
                    })
                    .finished())
        << "both waited";
    order += 'd';
  });
  all.spawn_void([&] {
    order += 'b';
    EXPECT_TRUE(at->set(3));
  });
  all.run();
  EXPECT_EQ(order, "ab3d");
  EXPECT_EQ(unused.waiting(), 0U);
}

}  // namespace
}  // namespace bast
