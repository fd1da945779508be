// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that wait for an object of the test, and the queue that resumes them.
#include "bast/coro/ready_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/event.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using internal::arm_cancelled;
using test::event;
using waits = test::waiting_coroutine;

struct bell {
  int rings = 0;
  wake_hook hook() {
    return {.wake = [](void* self) noexcept { ++static_cast<bell*>(self)->rings; },
            .context = this};
  }
};

class ReadyQueue : public testing::Test {
 protected:
  bell bell_;
  ready_queue ready_{bell_.hook()};
  coro_pool pool_ = coro_pool::create().value();
  std::vector<waits*> order_;
};

TEST_F(ReadyQueue, C18_TheWakerRunsNobodyAndTheLoopContinuesThemOldestFirst) {
  waits a(pool_, order_);
  waits b(pool_, order_);
  waits c(pool_, order_);
  EXPECT_EQ(ready_.waiting(), 3U);
  EXPECT_FALSE(ready_.has_ready());
  EXPECT_EQ(ready_.run(), 0U);
  EXPECT_TRUE(b.at->set());
  EXPECT_TRUE(a.at->set(7));
  EXPECT_TRUE(order_.empty()) << "no coroutine runs inside the waker";
  EXPECT_TRUE(b.coroutine.peek().parked());
  EXPECT_TRUE(ready_.has_ready());
  EXPECT_EQ(bell_.rings, 1) << "once, until the queue is run";
  EXPECT_EQ(ready_.run(), 2U);
  EXPECT_EQ(order_, (std::vector<waits*>{&b, &a}));
  EXPECT_EQ(b.arm, 0);
  EXPECT_EQ(a.arm, 7);
  EXPECT_EQ(ready_.waiting(), 1U);
  EXPECT_TRUE(c.at->set(arm_cancelled));
  EXPECT_EQ(bell_.rings, 2);
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_EQ(c.arm, arm_cancelled);
  EXPECT_TRUE(c.coroutine.peek().finished());
  EXPECT_FALSE(ready_.has_ready());
}

TEST_F(ReadyQueue, F4_OfSeveralCommitsOneSucceedsAndTheWaitEndsOnce) {
  waits a(pool_, order_);
  event* const at = a.at;
  EXPECT_TRUE(at->set(1));
  EXPECT_FALSE(at->set(2));
  EXPECT_FALSE(at->set(arm_cancelled));
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_EQ(ready_.run(), 0U);
  EXPECT_EQ(a.arm, 1);
  EXPECT_EQ(order_.size(), 1U);
}

TEST_F(ReadyQueue, WhatBecomesReadyMeanwhileIsForTheNextTime) {
  // Each wakes the other endlessly; the loop still gets its turn.
  event* at[2] = {};
  int turns[2] = {};
  bool over = false;
  std::optional<coro<>> both[2];
  for (int i = 0; i < 2; ++i) {
    both[i].emplace(pool_.acquire().value());
    ASSERT_TRUE(both[i]
                    ->start([&, i] {
                      while (!over) {
                        event mine;
                        at[i] = &mine;
                        (void)mine.who.wait();
                        at[i] = nullptr;
                        ++turns[i];
                        if (at[1 - i] != nullptr) at[1 - i]->set();
                      }
                    })
                    .parked());
  }
  at[0]->set();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ready_.run(), 1U);
    EXPECT_EQ(turns[0] + turns[1], i + 1);
    EXPECT_EQ(bell_.rings, i + 2) << "the hook reports more work to the loop";
  }
  over = true;
  while (ready_.run() != 0) {
  }
  for (event* const left : at) {
    if (left != nullptr) left->set();
  }
  while (ready_.run() != 0) {
  }
  EXPECT_EQ(ready_.waiting(), 0U);
}

TEST_F(ReadyQueue, AWaitThatIsOverBeforeItBeginsComesBackThroughTheLoop) {
  auto c = pool_.acquire().value();
  int arm = -1;
  ASSERT_TRUE(c.start([&] {
                 event mine;
                 EXPECT_TRUE(mine.set(3));
                 EXPECT_EQ(ready_.run(), 0U) << "it has not parked yet";
                 arm = mine.who.wait();
               }).parked());
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_EQ(arm, 3);
}

TEST_F(ReadyQueue, F12_AWaitThatIsTakenBackIsNotContinued) {
  for (const bool woken : {false, true}) {
    auto c = pool_.acquire().value();
    ASSERT_TRUE(c.start([&] {
                   event mine;
                   if (woken) mine.set();
                 }).finished());
    EXPECT_EQ(ready_.waiting(), 0U);
    EXPECT_FALSE(ready_.has_ready());
    EXPECT_EQ(ready_.run(), 0U);
  }
}

#if BAST_EXCEPTIONS
TEST_F(ReadyQueue, F8_AReleasedCoroutineIsNotContinued) {
  for (const bool woken : {false, true}) {
    waits before(pool_, order_);
    waits a(pool_, order_);
    waits after(pool_, order_);
    before.at->set();
    if (woken) a.at->set();
    after.at->set();
    EXPECT_TRUE(a.coroutine.release());
    EXPECT_EQ(ready_.waiting(), 2U);
    EXPECT_EQ(ready_.run(), 2U);
    EXPECT_EQ(order_, (std::vector<waits*>{&before, &after}));
    order_.clear();
  }
}

TEST_F(ReadyQueue, F8_OneThatAnotherReleasesInTheSameRunIsNotContinued) {
  waits victim(pool_, order_);
  auto killer = pool_.acquire().value();
  event* at = nullptr;
  ASSERT_TRUE(killer
                  .start([&] {
                    event mine;
                    at = &mine;
                    (void)mine.who.wait();
                    EXPECT_TRUE(victim.coroutine.release());
                  })
                  .parked());
  at->set();
  victim.at->set();
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_TRUE(order_.empty());
}
#endif

TEST_F(ReadyQueue, ARunWithinARunTakesWhatIsLeft) {
  auto outer = pool_.acquire().value();
  event* at = nullptr;
  std::size_t within = 0;
  ASSERT_TRUE(outer
                  .start([&] {
                    event mine;
                    at = &mine;
                    (void)mine.who.wait();
                    EXPECT_TRUE(ready_.is_running());
                    within = ready_.run();
                    EXPECT_TRUE(ready_.is_running());
                  })
                  .parked());
  waits inner(pool_, order_);
  at->set();
  inner.at->set();
  EXPECT_EQ(ready_.run(), 1U);
  EXPECT_EQ(within, 1U);
  EXPECT_FALSE(ready_.is_running());
}

TEST_F(ReadyQueue, OtherThreadsWakeThemAndTellTheLoopFromThere) {
  struct from_elsewhere {
    std::atomic<int> rings{0};
    std::atomic<std::uint32_t> thread{0};
  } told;
  ready_queue mine({.wake =
                        [](void* self) noexcept {
                          auto& all = *static_cast<from_elsewhere*>(self);
                          all.thread = os::thread_id();
                          ++all.rings;
                        },
                    .context = &told});
  waits a(pool_, order_);
  waits b(pool_, order_);
  std::uint32_t waker = 0;
  test::joined_thread([&] {
    waker = os::thread_id();
    EXPECT_TRUE(a.at->set());
    EXPECT_TRUE(b.at->set());
  });
  EXPECT_EQ(told.rings, 1);
  EXPECT_EQ(told.thread, waker);
  EXPECT_EQ(bell_.rings, 0) << "the latest queue of the thread is used";
  EXPECT_EQ(ready_.run(), 0U);
  EXPECT_EQ(mine.run(), 2U);
  EXPECT_EQ(order_, (std::vector<waits*>{&a, &b}));
}

TEST_F(ReadyQueue, C9_TheHookMayNotSuspend) {
  struct seen_type {
    std::optional<errc> kind;
  } seen;
  ready_queue mine({.wake =
                        [](void* self) noexcept {
                          static_cast<seen_type*>(self)->kind = test::kind_of(this_coro::yield());
                        },
                    .context = &seen});
  waits a(pool_, order_);
  auto waker = pool_.acquire().value();
  ASSERT_TRUE(waker.start([&] { a.at->set(); }).finished());
  EXPECT_EQ(seen.kind, errc::bad_state);
  EXPECT_EQ(mine.run(), 1U);
}

}  // namespace
}  // namespace bast
