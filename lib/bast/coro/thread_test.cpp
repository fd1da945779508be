// SPDX-License-Identifier: Apache-2.0
//
// The coroutine state of a thread: an id during its life, and its part of diagnostics.
#include "bast/coro/thread.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <thread>

#include "bast/coro.hpp"
#include "bast/coro/thread_ids.hpp"
#include "bast/testing/fresh_process.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using internal::this_thread;

static_assert(internal::threads_max == 65'535);

TEST(ThreadId, CountsFrom1AndIsUsedAgainAfterwards) {
  internal::id_allocator<3> ids;
  EXPECT_EQ(ids.take(), 1);
  EXPECT_EQ(ids.take(), 2);
  EXPECT_EQ(ids.take(), 3);
  EXPECT_EQ(ids.take(), 0) << "all ids are taken";
  EXPECT_EQ(ids.take(), 0);
  ids.give(2);
  ids.give(1);
  ids.give(3);
  EXPECT_EQ(ids.take(), 3) << "the latest first";
  EXPECT_EQ(ids.take(), 1);
  ids.give(1);
  EXPECT_EQ(ids.take(), 1);
  EXPECT_EQ(ids.take(), 2);
  EXPECT_EQ(ids.take(), 0);
}

TEST(ThreadId, IsOfOneLivingThreadAndComesBackWhenItEnds) {
  ASSERT_TRUE(internal::prepare_thread());
  const internal::coro_tag mine = this_thread.tag;
  EXPECT_NE(mine, 0U);
  EXPECT_EQ(mine & ~internal::tag_thread_mask, 0U);
  ASSERT_TRUE(internal::prepare_thread());
  EXPECT_EQ(this_thread.tag, mine) << "a second call changes nothing";
  internal::coro_tag first = 0;
  internal::coro_tag nested = 0;
  internal::coro_tag second = 0;
  const auto tag_of_this = [] {
    EXPECT_EQ(this_thread.tag, 0U);
    EXPECT_TRUE(internal::prepare_thread());
    return internal::coro_tag{this_thread.tag};
  };
  std::thread([&] {
    first = tag_of_this();
    std::thread([&] { nested = tag_of_this(); }).join();
  }).join();
  EXPECT_EQ((std::set{mine, first, nested, internal::coro_tag{0}}.size()), 4U);
  // Both have ended, the nested one first; so the outer one's id is next.
  std::thread([&] { second = tag_of_this(); }).join();
  EXPECT_EQ(second, first);
}

TEST(ThreadId, AThreadThatNeverHadOneGivesNoneBack) {
  std::thread([] {}).join();
  internal::coro_tag one = 0;
  internal::coro_tag other = 0;
  std::thread([&] {
    ASSERT_TRUE(internal::prepare_thread());
    one = this_thread.tag;
    std::thread([&] {
      ASSERT_TRUE(internal::prepare_thread());
      other = this_thread.tag;
    }).join();
  }).join();
  EXPECT_NE(one, 0U);
  EXPECT_NE(other, 0U);
  EXPECT_NE(one, other);
}

TEST(ThreadId, WithoutOneThereIsNoPoolAndThenThereIs) {
  test::expect_in_fresh_process([] {
    for (std::uint32_t i = 1; i <= 65'535; ++i) {
      if (internal::thread_ids.take() != i) return 1;
    }
    const auto refused = coro_pool::create();
    if (test::words_of(refused) !=
        "coro_pool: limit reached: the process has its maximum of threads with coroutines "
        "(65535)") {
      return 2;
    }
    if (this_thread.tag != 0) return 3;
    internal::thread_ids.give(65'535);
    auto pool = coro_pool::create();
    if (!pool || !pool->acquire()) return 4;
    return this_thread.tag == internal::tag_thread_mask ? 0 : 5;
  });
}

// --- diagnostics ---------------------------------------------------------------------------------

using ThreadDeathTest = testing::Test;

/// Fails a check while `body` runs in a coroutine.
template <class Start>
void fail_a_check(Start start) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  start(*c, [] { BAST_CHECK(internal::this_thread.tag == 1, "planted"); });
}

TEST(ThreadDeathTest, ADiagnosticNamesTheCoroutineThatRuns) {
  EXPECT_EXIT(
      fail_a_check([](coro<>& c, auto body) { (void)c.start("walker", body); }),
      testing::KilledBySignal(SIGABRT),
      "^bast: planted: check failed: .*, at .*thread_test.cpp:[0-9]+, in coroutine 'walker'\n");
  EXPECT_EXIT(fail_a_check([](coro<>& c, auto body) { (void)c.start(body); }),
              testing::KilledBySignal(SIGABRT),
              "^bast: planted: check failed: .*, at .*thread_test.cpp:[0-9]+, in coroutine "
              "\\(unnamed\\)\n");
}

TEST(ThreadDeathTest, OutsideACoroutineADiagnosticNamesNone) {
  EXPECT_EXIT(
      {
        coro_pool pool = *coro_pool::create();
        BAST_CHECK(internal::this_thread.tag == 1, "planted");
      },
      testing::KilledBySignal(SIGABRT),
      "^bast: planted: check failed: .*, at .*thread_test.cpp:[0-9]+\n");
}

}  // namespace
}  // namespace bast
