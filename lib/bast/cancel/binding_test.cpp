// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/binding.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"
#include "bast/coro.hpp"

namespace bast {
namespace {

TEST(CancelBinding, C10_ACheckpointFailsOnceCancelledAndAgain) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const cancel_source source = test::root_source();
  ASSERT_TRUE(c->start([&] {
                 const cancel_binding bound(source.token());
                 EXPECT_EQ(this_coro::cancellation(), source.token());
                 ASSERT_TRUE(this_coro::checkpoint());
                 ASSERT_TRUE(this_coro::yield());
                 EXPECT_EQ(this_coro::checkpoint().error(), errc::cancelled);
                 EXPECT_EQ(this_coro::checkpoint().error(), errc::cancelled);
               }).yielded());
  EXPECT_TRUE(this_coro::checkpoint()) << "the thread is not governed";
  source.cancel();
  EXPECT_TRUE(c->resume().finished());
}

TEST(CancelBinding, C10_ACancelledYieldYieldsNothing) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int>();
  const cancel_source source = test::root_source();
  int yields = 0;
  const auto step = c->start([&](yielder<int>& out) {
    const cancel_binding bound(source.token());
    while (cancellable_yield(out, ++yields)) {
    }
  });
  EXPECT_EQ(step.yielded(), true);
  EXPECT_TRUE(c->resume().yielded());
  source.cancel();
  EXPECT_TRUE(c->resume().finished());
  EXPECT_EQ(yields, 2);
}

TEST(CancelBinding, C11_AValueThatWasHandedOverIsNotLost) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int, int>();
  const cancel_source source = test::root_source();
  int received = 0;
  ASSERT_TRUE(c->start([&](yielder<int, int>& out) {
                 const cancel_binding bound(source.token());
                 const auto first = cancellable_yield(out, 1);
                 ASSERT_TRUE(first);
                 received = *first;
                 EXPECT_EQ(cancellable_yield(out, 2).error(), errc::cancelled);
               }).yielded());
  source.cancel();
  EXPECT_TRUE(c->resume(42).finished());
  EXPECT_EQ(received, 42);
}

TEST(CancelBinding, BindingsNest) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const cancel_source outer = test::root_source();
  const cancel_source inner = test::root_source();
  ASSERT_TRUE(c->start([&] {
                 const cancel_binding a(outer.token());
                 {
                   const cancel_binding b(inner.token());
                   inner.cancel();
                   EXPECT_FALSE(this_coro::checkpoint());
                 }
                 EXPECT_TRUE(this_coro::checkpoint());
               }).finished());
}

TEST(CancelBinding, AThreadIsGovernedToo) {
  const cancel_source source = test::root_source();
  const cancel_binding bound(source.token());
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  source.cancel();
  ASSERT_TRUE(c->start([] { EXPECT_TRUE(this_coro::checkpoint()); }).finished())
      << "a coroutine has its own";
  EXPECT_FALSE(this_coro::checkpoint());
}

TEST(CancelBinding, F13_TheNextUserOfAStackIsNotBound) {
  coro_pool pool = *coro_pool::create();
  const cancel_source source = test::root_source();
  for (int i = 0; i < 2; ++i) {
    auto c = pool.acquire();
    ASSERT_TRUE(c->start([&] {
                   EXPECT_TRUE(this_coro::checkpoint());
                   EXPECT_FALSE(this_coro::cancellation().can_be_cancelled());
                   const cancel_binding bound(source.token());
                   source.cancel();
                 }).finished());
    ASSERT_TRUE(c->release());
  }
}

TEST(CancelBinding, C9_ACallbackMayNotSuspendTheCoroutineThatCancels) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const cancel_source source = test::root_source();
  errc refused{};
  const cancel_callback yields(source.token(),
                               [&]() noexcept { refused = this_coro::yield().error().kind(); });
  ASSERT_TRUE(c->start([&] { source.cancel(); }).finished());
  EXPECT_EQ(refused, errc::bad_state);
}

TEST(CancelBindingDeathTest, BindingsEndInnermostFirst) {
  EXPECT_DEATH(
      {
        auto* const a = new cancel_binding(cancel_token());
        const cancel_binding b{cancel_token()};
        delete a;
      },
      "innermost first");
}

}  // namespace
}  // namespace bast
