// SPDX-License-Identifier: Apache-2.0
//
// F-3, F-16: a stale handle fails permanently and never refers to another coroutine.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

TEST(Handle, F3_AStaleHandleNeverAliasesTheNextUser) {
  coro_pool pool = *coro_pool::create();
  auto first = pool.acquire();
  const coro_ref<> old = *first;
  ASSERT_TRUE(first->release());
  auto second = pool.acquire();  // LIFO: the same block.
  coro_ref<> stale = old;
  EXPECT_FALSE(stale == static_cast<coro_ref<>&>(*second));
  EXPECT_EQ(test::kind_of(stale.start([] {})), errc::stale_handle);
  EXPECT_EQ(test::kind_of(stale.release()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(stale.set_user_data(&stale)), errc::stale_handle);
  EXPECT_EQ(stale.user_data(), nullptr);
  EXPECT_EQ(stale.state(), coro_state::free);
  EXPECT_EQ(second->state(), coro_state::ready);
}

TEST(Handle, F3_EveryReleaseChangesTheGeneration) {
  coro_pool pool = *coro_pool::create();
  std::optional<coro_ref<>> before;
  for (int i = 0; i < 1000; ++i) {
    auto c = pool.acquire();
    const coro_ref<> now = *c;
    if (before) {
      EXPECT_FALSE(*before == now);
    }
    before = now;
    ASSERT_FALSE(c->start([] {}).failed());
    ASSERT_TRUE(c->release());
  }
  EXPECT_EQ(pool.stats().created, 1U);
}

TEST(Handle, F16_DoubleReleaseIsAnError) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire()->detach();
  EXPECT_TRUE(c.release());
  EXPECT_EQ(test::kind_of(c.release()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.release(abandon)), errc::stale_handle);
  pool.check_invariants();
}

/// Later pools reuse the places in the table. TSan checks here that reading one is no data race.
TEST(Handle, F16_AStaleHandleMayBeAskedWhileAnotherThreadUsesItsPlace) {
  coro_ref<> stale;
  {
    coro_pool pool = *coro_pool::create();
    stale = pool.acquire()->detach();
  }
  std::atomic<bool> over = false;
  std::thread other([&] {
    for (int i = 0; i < 300; ++i) {
      coro_pool pool = *coro_pool::create();
      auto c = pool.acquire();
      EXPECT_FALSE(c->start([] {}).failed());
    }
    over = true;
  });
  coro_pool own = *coro_pool::create();
  while (!over) {
    EXPECT_EQ(stale.state(), coro_state::free);
    EXPECT_EQ(test::kind_of(stale.release()), errc::stale_handle);
    EXPECT_EQ(test::kind_of(own.release(stale)), errc::stale_handle);
  }
  other.join();
}

TEST(Handle, F16_ReleaseThroughAnotherPoolIsAnError) {
  coro_pool pool = *coro_pool::create();
  coro_pool other = *coro_pool::create();
  auto c = pool.acquire();
  EXPECT_EQ(test::kind_of(other.release(*c)), errc::stale_handle);
  EXPECT_EQ(c->state(), coro_state::ready);
  EXPECT_TRUE(pool.release(*c));
  coro_ref<> nothing;
  EXPECT_EQ(test::kind_of(pool.release(nothing)), errc::stale_handle);
}

TEST(Handle, F16_UseAfterThePoolsDeathIsAnError) {
  coro_ref<> survivor;
  {
    coro_pool pool = *coro_pool::create();
    survivor = pool.acquire()->detach();
    ASSERT_FALSE(survivor
                     .start([](yielder<>& out) {
                       for (;;) out.yield();
                     })
                     .failed());
  }
  EXPECT_EQ(test::kind_of(survivor.resume()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(survivor.release()), errc::stale_handle);
  // The next pool takes over the same control blocks; the old handle stays stale.
  coro_pool next = *coro_pool::create();
  auto fresh = next.acquire();
  EXPECT_EQ(test::kind_of(survivor.resume()), errc::stale_handle);
  EXPECT_EQ(survivor.state(), coro_state::free);
  EXPECT_EQ(fresh->state(), coro_state::ready);
}

TEST(Handle, ADefaultHandleRefersToNothing) {
  coro_ref<int, int, int> nothing;
  EXPECT_EQ(test::kind_of(nothing.resume(1)), errc::stale_handle);
  EXPECT_EQ(test::kind_of(nothing.release()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(nothing.returned()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(nothing.set_name("x")), errc::stale_handle);
  EXPECT_EQ(nothing.name(), nullptr);
  EXPECT_EQ(nothing.state(), coro_state::free);
}

TEST(Handle, AnOwnerReleasesWhenItDies) {
  coro_pool pool = *coro_pool::create();
  {
    auto c = pool.acquire();
    EXPECT_EQ(pool.stats().ready, 1U);
    auto moved = std::move(*c);
    EXPECT_EQ(pool.stats().ready, 1U);
    *c = std::move(moved);
    EXPECT_EQ(pool.stats().ready, 1U);
  }
  EXPECT_EQ(pool.stats().ready, 0U);
  EXPECT_EQ(pool.stats().free, 1U);
}

TEST(Handle, AnOwnerThatDiesInsideItsCoroutineLeavesItToThePool) {
  coro_pool pool = *coro_pool::create();
  std::optional<coro<>> c = *pool.acquire();
  coro_ref<> watching = *c;
  ASSERT_TRUE(watching.start([&] { c.reset(); }).finished());
  EXPECT_EQ(watching.state(), coro_state::finished);
  EXPECT_TRUE(watching.release());
}

TEST(Handle, AnOwnerWhoseReleaseIsRefusedOwnsItStill) {
  coro_pool pool = *coro_pool::create();
  {
    auto c = *pool.acquire();
    const coro_ref<> watching = c;
    ASSERT_TRUE(c.start([&] {
                   EXPECT_EQ(test::kind_of(c.release(abandon)), errc::busy);
                   EXPECT_TRUE(c == watching);
                   EXPECT_EQ(test::kind_of(c.release()), errc::busy);
                   EXPECT_TRUE(c == watching);
                 }).finished());
    EXPECT_EQ(c.state(), coro_state::finished);
  }
  EXPECT_EQ(pool.stats().free, 1U);
  auto next = *pool.acquire();
  EXPECT_TRUE(next.release(abandon));
  EXPECT_EQ(test::kind_of(next.release(abandon)), errc::stale_handle) << "the handle is empty";
}

TEST(Handle, UserDataAndNameBelongToOneLife) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int mine = 0;
  EXPECT_TRUE(c->set_user_data(&mine));
  EXPECT_EQ(c->user_data(), &mine);
  EXPECT_EQ(test::kind_of(c->set_name("early")), errc::bad_state);
  ASSERT_FALSE(c->start("walker", [&](yielder<>& out) {
                  EXPECT_STREQ(this_coro::name(), "walker");
                  EXPECT_EQ(this_coro::user_data(), &mine);
                  EXPECT_TRUE(this_coro::set_name("renamed"));
                  out.yield();
                }).failed());
  EXPECT_STREQ(c->name(), "renamed");
  EXPECT_TRUE(c->set_name("again"));
  EXPECT_STREQ(c->name(), "again");
  ASSERT_FALSE(c->resume().failed());
  ASSERT_TRUE(c->release());
  auto next = pool.acquire();
  EXPECT_EQ(next->user_data(), nullptr);
  EXPECT_EQ(next->name(), nullptr);
  ASSERT_FALSE(next->start([] { EXPECT_EQ(this_coro::name(), nullptr); }).failed());
}

TEST(Handle, OutsideACoroutineThereIsNoneToAskAbout) {
  EXPECT_FALSE(this_coro::exists());
  EXPECT_EQ(this_coro::name(), nullptr);
  EXPECT_EQ(this_coro::user_data(), nullptr);
  EXPECT_FALSE(this_coro::unwinding());
  EXPECT_EQ(this_coro::stack_left(), bytes{0});
  EXPECT_EQ(this_coro::stack_used(), bytes{0});
  EXPECT_EQ(test::kind_of(this_coro::set_name("nobody")), errc::not_in_fiber);
  EXPECT_EQ(test::kind_of(this_coro::set_user_data(nullptr)), errc::not_in_fiber);
}

TEST(Handle, ARunningCoroutineSetsItsOwnData) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int mine = 0;
  ASSERT_FALSE(c->start([&] {
                  EXPECT_TRUE(this_coro::set_user_data(&mine));
                  EXPECT_EQ(this_coro::user_data(), &mine);
                }).failed());
  EXPECT_EQ(c->user_data(), &mine);
}

TEST(Handle, MovingACoroutineOrAPoolOntoItselfKeepsIt) {
  coro_pool pool = *coro_pool::create();
  coro_pool& same_pool = pool;
  pool = std::move(same_pool);
  auto c = *pool.acquire();
  auto& same = c;
  c = std::move(same);
  EXPECT_TRUE(c.start([] {}).finished());
  coro_pool other = *coro_pool::create();
  c = coro<>();
  other = std::move(pool);  // Releases its contents and takes over those of `pool`.
  EXPECT_TRUE(other.acquire().has_value());
}

}  // namespace
}  // namespace bast
