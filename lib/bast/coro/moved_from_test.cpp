// SPDX-License-Identifier: Apache-2.0
//
// Every call on a moved-from pool or handle is valid.
#include <gtest/gtest.h>

#include <utility>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace bast::literals;

void expect_empty(coro_pool& pool) {
  EXPECT_EQ(test::words_of(pool.acquire()),
            "coro_pool.acquire: not legal in this state: the pool was moved from");
  EXPECT_EQ(test::kind_of(pool.acquire<int, int, int>()), errc::bad_state);
  EXPECT_EQ(test::kind_of(pool.adopt()), errc::bad_state);
  EXPECT_EQ(test::kind_of(pool.reserve(1)), errc::bad_state);
  EXPECT_EQ(pool.shrink(), bytes{});
  EXPECT_EQ(pool.stats().created, 0U);
  EXPECT_EQ(pool.stats().max, 0U);
  EXPECT_EQ(pool.stats().stacks.live, 0U);
  pool.for_each_stack([](const stack_view&) { ADD_FAILURE() << "it has no stacks"; });
  pool.for_each_site([](const site_stats&) { ADD_FAILURE() << "it has no sites"; });
  EXPECT_EQ(pool.budget().open(), bytes{});
  EXPECT_EQ(pool.budget().limit(), bytes{});
  pool.check_invariants();
}

TEST(MovedFrom, APoolAnswersBadState) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  coro_ref<> nothing;
  for (int time = 0; time < 2; ++time) {
    coro_pool other = std::move(pool);
    expect_empty(pool);
    EXPECT_FALSE(pool.owns(*c));
    EXPECT_FALSE(pool.owns(nothing));
    EXPECT_EQ(test::kind_of(pool.release(*c)), errc::stale_handle);
    EXPECT_EQ(test::kind_of(pool.release(nothing)), errc::stale_handle);
    EXPECT_TRUE(other.owns(*c));
    pool = std::move(other);  // Now it is a pool again.
    expect_empty(other);
    EXPECT_TRUE(pool.acquire());
  }
  EXPECT_TRUE(c->start([] {}).finished());
}

TEST(MovedFrom, AnOwnerAnswersStaleHandle) {
  coro_pool pool = *coro_pool::create();
  auto c = *pool.acquire<int, int, int>();
  auto other = std::move(c);
  EXPECT_EQ(test::kind_of(c.start([] { return 1; })), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.resume(1)), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.peek()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.returned()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.release()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.release(abandon)), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.set_name("x")), errc::stale_handle);
  EXPECT_EQ(test::kind_of(c.set_user_data(&c)), errc::stale_handle);
  EXPECT_EQ(c.name(), nullptr);
  EXPECT_EQ(c.user_data(), nullptr);
  EXPECT_EQ(c.state(), coro_state::free);
  EXPECT_FALSE(pool.owns(c));
  EXPECT_TRUE(c.detach() == (coro_ref<int, int, int>()));
  EXPECT_EQ(other.state(), coro_state::ready);
  c = std::move(other);
  EXPECT_TRUE(c.start([] { return 2; }).finished());
  EXPECT_EQ(*c.returned(), 2);
}

}  // namespace
}  // namespace bast
