// SPDX-License-Identifier: Apache-2.0
//
// F-1: the message of each refused operation, and the operations that a parked coroutine refuses.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::words_of;

/// What every operation answers, one a line.
std::string answers_of(coro_ref<> c) {
  std::string all;
  const auto add = [&](const std::string& words) { all += words + '\n'; };
  add(words_of(c.start([] {})));
  add(words_of(c.resume()));
  add(words_of(c.returned()));
  add(words_of(c.peek()));
  add(words_of(c.set_name("name")));
  return all;
}

TEST(Diagnosis, F1_AReadyCoroutineSaysThatItHasNotBeenStarted) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const std::string why = ": not legal in this state: the coroutine has not been started";
  EXPECT_EQ(words_of(c->resume()), "resume" + why);
  EXPECT_EQ(words_of(c->returned()), "returned" + why);
  EXPECT_EQ(words_of(c->peek()), "peek" + why);
  EXPECT_EQ(words_of(c->set_name("name")), "describe" + why);
}

TEST(Diagnosis, F1_ARunningCoroutineSaysThatItRuns) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  std::string seen;
  ASSERT_FALSE(c->start([&] {
                  seen = answers_of(*c) + words_of(c->ref::release()) + '\n' +
                         words_of(c->ref::release(abandon));
                }).failed());
  EXPECT_EQ(seen,
            "start: not legal in this state: the coroutine is running\n"
            "resume: busy: the coroutine is running\n"
            "returned: not legal in this state: the coroutine is running\n"
            "peek: busy: the coroutine is running\n"
            "\n"
            "release: busy: the coroutine is running\n"
            "release: busy: the coroutine is running");
}

TEST(Diagnosis, F1_ASuspendedCoroutineSaysThatItIsSuspended) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
  EXPECT_EQ(words_of(c->start([] {})),
            "start: not legal in this state: the coroutine is suspended");
  EXPECT_EQ(words_of(c->returned()),
            "returned: not legal in this state: the coroutine is suspended");
  ASSERT_TRUE(c->resume().finished());
}

TEST(Diagnosis, F1_AFinishedCoroutineSaysThatItIsFinished) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([] {}).failed());
  EXPECT_EQ(words_of(c->start([] {})), "start: not legal in this state: the coroutine is finished");
  EXPECT_EQ(words_of(c->resume()), "resume: finished: the coroutine ran to its end");
}

TEST(Diagnosis, F3_AStaleHandleNamesTheOperation) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire()->detach();
  ASSERT_TRUE(c.release());
  std::string expected;
  for (const char* const operation : {"start", "resume", "returned", "peek", "describe"}) {
    expected += operation;
    expected += ": stale handle: the coroutine was released, or its pool is gone\n";
  }
  EXPECT_EQ(answers_of(c), expected);
  // The next user of the place changes none of it.
  auto next = pool.acquire();
  EXPECT_EQ(answers_of(c), expected);
}

TEST(Diagnosis, F5_AnotherThreadIsNamedWhateverTheState) {
  coro_pool pool = *coro_pool::create();
  auto ready = pool.acquire();
  auto suspended = pool.acquire();
  auto finished = pool.acquire();
  ASSERT_FALSE(suspended->start([](yielder<>& out) { out.yield(); }).failed());
  ASSERT_FALSE(finished->start([] {}).failed());
  std::string expected;
  for (const char* const operation : {"start", "resume", "returned", "peek", "describe"}) {
    expected += operation;
    expected += ": wrong thread: the coroutine belongs to another thread\n";
  }
  std::thread([&] {
    coro_pool own = *coro_pool::create();
    for (coro_ref<> c : {ready->detach(), suspended->detach(), finished->detach()}) {
      EXPECT_EQ(answers_of(c), expected);
      EXPECT_EQ(kind_of(c.release()), errc::wrong_thread);
      EXPECT_EQ(kind_of(c.release(abandon)), errc::wrong_thread);
      EXPECT_EQ(kind_of(c.set_user_data(&own)), errc::wrong_thread);
      EXPECT_EQ(c.name(), nullptr);
      EXPECT_EQ(c.user_data(), nullptr);
    }
  }).join();
}

TEST(Diagnosis, F4_AParkedCoroutineRefusesAllButItsWakerAndItsEnd) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  internal::coro_block* waits = nullptr;
  int woken = 0;
  ASSERT_TRUE(c->start("waiter", [&] {
                 waits = internal::this_thread.current;
                 internal::park();
                 ++woken;
                 internal::park();
                 ++woken;
               }).parked());
  const coro_pool_stats before = pool.stats();
  EXPECT_EQ(words_of(c->resume()),
            "resume: not the owner: the coroutine is parked: what it waits for resumes it");
  EXPECT_EQ(words_of(c->start([] {})),
            "start: not legal in this state: the coroutine is suspended");
  EXPECT_EQ(words_of(c->returned()),
            "returned: not legal in this state: the coroutine is suspended");
  EXPECT_TRUE(c->peek().parked());
  EXPECT_STREQ(c->name(), "waiter");
  EXPECT_EQ(pool.stats().suspended, before.suspended);
  internal::continue_parked(*waits);
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(c->peek().parked()) << "again";
  EXPECT_EQ(kind_of(c->resume()), errc::not_owner);
  internal::continue_parked(*waits);
  EXPECT_EQ(woken, 2);
  EXPECT_TRUE(c->peek().finished());
  EXPECT_EQ(kind_of(c->resume()), errc::finished);
}

TEST(Diagnosis, F4_ARunningCoroutineIsNotWoken) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(
      c->start([] { EXPECT_FALSE(internal::is_parked(*internal::this_thread.current)); }).failed());
}

TEST(Diagnosis, EveryStateHasItsName) {
  const char* const names[] = {"free", "ready", "running", "suspended", "finished", "retired"};
  for (int i = 0; i < 6; ++i) {
    EXPECT_STREQ(name_of(static_cast<coro_state>(i)), names[i]);
  }
}

TEST(Diagnosis, OutsideACoroutineTheOperationIsNamed) {
  const std::string why = ": not inside a coroutine: no coroutine runs on this thread";
  EXPECT_EQ(words_of(this_coro::yield()), "this_coro.yield" + why);
  EXPECT_EQ(words_of(this_coro::set_name("x")), "this_coro.set_name" + why);
  EXPECT_EQ(words_of(this_coro::set_user_data(nullptr)), "this_coro.set_user_data" + why);
}

}  // namespace
}  // namespace bast
