// SPDX-License-Identifier: Apache-2.0
//
// F-12: callbacks, bindings and tickets on an abandoned stack end with it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

/// The next user of a stack, which overwrites all of it.
void write_over_the_stack(coro_pool& pool) {
  auto next = pool.acquire();
  EXPECT_FALSE(next->start([] {
                     volatile unsigned char all[8 << 10];
                     for (auto& byte : all) byte = 0x41;
                   })
                   .failed());
}

TEST(Abandon, F12_ACallbackOnTheStackIsUnregistered) {
  const cancel_source source = test::root_source();
  coro_pool pool = *coro_pool::create();
  int ran = 0;
  for (int life = 0; life < 3; ++life) {
    auto c = pool.acquire();
    ASSERT_FALSE(c->start([&] {
                    const cancel_callback one(source.token(), [&]() noexcept { ++ran; });
                    const cancel_callback other(source.token(), [&]() noexcept { ++ran; });
                    (void)this_coro::yield();
                  }).failed());
    ASSERT_TRUE(c->release(abandon));
    write_over_the_stack(pool);
  }
  int heard = 0;
  const cancel_callback outside(source.token(), [&]() noexcept { ++heard; });
  source.cancel();
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(heard, 1);
  // And one whose callback has run.
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([&] {
                  const cancel_callback late(source.token(), [&]() noexcept { ++ran; });
                  (void)this_coro::yield();
                }).failed());
  EXPECT_EQ(ran, 1);
  ASSERT_TRUE(c->release(abandon));
  pool.check_invariants();
}

TEST(Abandon, F12_WhoeverRegisteredIt) {
  const cancel_source source = test::root_source();
  coro_pool pool = *coro_pool::create();
  int ran = 0;
  const auto count = [&ran]() noexcept { ++ran; };
  std::optional<cancel_callback<decltype(count)>>* place = nullptr;
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([&] {
                  std::optional<cancel_callback<decltype(count)>> mine[2];
                  place = mine;
                  (void)this_coro::yield();
                }).failed());
  place[0].emplace(source.token(), count);
  std::thread([&] { place[1].emplace(source.token(), count); }).join();
  ASSERT_TRUE(c->release(abandon));
  write_over_the_stack(pool);
  source.cancel();
  EXPECT_EQ(ran, 0);
}

TEST(Abandon, F12_ABindingOnTheStackEnds) {
  const test::leak_baseline before;
  {
    const cancel_source source = test::root_source();
    coro_pool pool = *coro_pool::create();
    auto c = pool.acquire();
    ASSERT_FALSE(c->start([&] {
                    const cancel_binding outer(source.token());
                    const cancel_binding inner(source.token());
                    (void)this_coro::yield();
                  }).failed());
    ASSERT_TRUE(c->release(abandon));
    write_over_the_stack(pool);
    source.cancel();
    EXPECT_FALSE(this_coro::cancellation().can_be_cancelled());
  }
  EXPECT_EQ(before.differences(), "") << "memory held by its tokens";
}

/// A binding need not lie on the stack of the coroutine that it governs.
TEST(Abandon, F12_ABindingOnTheStackOfAnotherCoroutineEnds) {
  const cancel_source source = test::root_source();
  const cancel_source other = test::root_source();
  source.cancel();
  coro_pool pool = *coro_pool::create();
  std::optional<cancel_binding>* place = nullptr;
  auto owner = pool.acquire();
  ASSERT_FALSE(owner
                   ->start([&] {
                     std::optional<cancel_binding> mine;
                     place = &mine;
                     (void)this_coro::yield();
                   })
                   .failed());
  bool was_governed = false;
  bool is_governed = true;
  auto governed = pool.acquire();
  ASSERT_FALSE(governed
                   ->start([&] {
                     const cancel_binding around(other.token());
                     place->emplace(source.token());
                     const cancel_binding within(other.token());
                     was_governed = !this_coro::checkpoint().has_value();
                     (void)this_coro::yield();
                     is_governed = this_coro::cancellation() != other.token();
                   })
                   .failed());
  EXPECT_FALSE(was_governed) << "the innermost governs";
  ASSERT_TRUE(owner->release(abandon));
  write_over_the_stack(pool);
  ASSERT_TRUE(governed->resume().finished());
  EXPECT_FALSE(is_governed);
}

TEST(Abandon, F12_ABindingThatOutlivesItsCoroutineEndsWithoutIt) {
  const cancel_source source = test::root_source();
  coro_pool pool = *coro_pool::create();
  std::unique_ptr<cancel_binding> bound;
  std::unique_ptr<cancel_binding> bound_too;
  for (const bool abandoned : {true, false}) {
    auto c = pool.acquire();
    ASSERT_FALSE(c->start([&] {
                    bound = std::make_unique<cancel_binding>(source.token());
                    bound_too = std::make_unique<cancel_binding>(source.token());
                    if (abandoned) (void)this_coro::yield();
                  }).failed());
    ASSERT_TRUE(abandoned ? c->release(abandon) : c->release());
    auto next = pool.acquire();
    ASSERT_FALSE(next->start([&] {
                       const cancel_binding own(source.token());
                       bound.reset();
                       bound_too.reset();
                       EXPECT_TRUE(this_coro::cancellation() == source.token());
                     })
                     .failed());
  }
}

/// Constructed in a callback, behind a stand-in for the coroutine, and kept.
TEST(Abandon, ABindingOfACallbackGovernsItsCoroutine) {
  const cancel_source source = test::root_source();
  const cancel_source governs = test::root_source();
  coro_pool pool = *coro_pool::create();
  std::unique_ptr<cancel_binding> bound;
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([&] {
                  const cancel_callback binds(source.token(), [&]() noexcept {
                    bound = std::make_unique<cancel_binding>(governs.token());
                  });
                  source.cancel();
                  EXPECT_TRUE(this_coro::cancellation() == governs.token());
                }).failed());
  ASSERT_TRUE(c->release());
  write_over_the_stack(pool);
  bound.reset();
}

TEST(Abandon, F12_ATicketOnTheStackIsDone) {
  coro_pool pool = *coro_pool::create();
  const wait_group members = wait_group::create().value();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([first = members.begin(), &members] {
                  const ticket second = members.begin();
                  ticket third = members.begin();
                  const ticket fourth = std::move(third);
                  ticket fifth = members.begin();
                  fifth.done();
                  (void)this_coro::yield();
                }).failed());
  EXPECT_EQ(members.active(), 3U);
  ASSERT_TRUE(c->release(abandon));
  EXPECT_EQ(members.active(), 0U);
  EXPECT_TRUE(members.wait());
}

TEST(Abandon, C8_WaitsForACallbackThatRunsOnAnotherThread) {
  const cancel_source source = test::root_source();
  coro_pool pool = *coro_pool::create();
  std::atomic<bool> runs = false;
  std::atomic<bool> goes_on = false;
  std::atomic<bool> over = false;
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([&] {
                  const cancel_callback slow(source.token(), [&]() noexcept {
                    runs = true;
                    while (!goes_on) std::this_thread::yield();
                    over = true;
                  });
                  (void)this_coro::yield();
                }).failed());
  std::thread cancels([&] { source.cancel(); });
  while (!runs) std::this_thread::yield();
  const auto self = static_cast<std::uint32_t>(::gettid());
  std::thread lets_go([&] {
    test::wait_until_asleep(self);
    goes_on = true;
  });
  ASSERT_TRUE(c->release(abandon));
  EXPECT_TRUE(over);
  lets_go.join();
  cancels.join();
  pool.check_invariants();
}

TEST(Abandon, C9_ACallbackMayAbandonTheCoroutineItLiesOn) {
  const cancel_source source = test::root_source();
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int ran = 0;
  ASSERT_FALSE(c->start([&] {
                  const cancel_callback older(source.token(), [&]() noexcept { ran += 100; });
                  const cancel_callback newer(source.token(), [&]() noexcept {
                    ++ran;
                    EXPECT_TRUE(c->release(abandon));
                  });
                  (void)this_coro::yield();
                }).failed());
  source.cancel();
  EXPECT_EQ(ran, 1);
  write_over_the_stack(pool);
  pool.check_invariants();
}

#if !BAST_EXCEPTIONS
TEST(Abandon, F17_APoolThatCannotUnwindEndsThemToo) {
  const cancel_source source = test::root_source();
  const wait_group members = wait_group::create().value();
  int ran = 0;
  {
    coro_pool pool = *coro_pool::create();
    auto c = pool.acquire()->detach();
    ASSERT_FALSE(c.start([&] {
                    const cancel_callback mine(source.token(), [&]() noexcept { ++ran; });
                    const ticket works = members.begin();
                    (void)this_coro::yield();
                  }).failed());
  }
  source.cancel();
  EXPECT_EQ(ran, 0);
  EXPECT_TRUE(members.is_idle());
}
#endif

}  // namespace
}  // namespace bast
