// SPDX-License-Identifier: Apache-2.0
//
// F-5, F-13, F-14, F-15: the pool's counters, its limits, its thread; a recycled coroutine has no
// state of the earlier one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace bast::literals;

TEST(Pool, F15_TheCountersAddUpThroughALife) {
  coro_pool pool = *coro_pool::create({.max_coros = 4});
  const auto expect = [&](std::size_t free, std::size_t ready, std::size_t suspended,
                          std::size_t finished) {
    const coro_pool_stats s = pool.stats();
    EXPECT_EQ(s.free, free);
    EXPECT_EQ(s.ready, ready);
    EXPECT_EQ(s.suspended, suspended);
    EXPECT_EQ(s.finished, finished);
    EXPECT_EQ(s.created, free + ready + suspended + finished);
    EXPECT_LE(s.created, s.max);
    pool.check_invariants();
  };
  expect(0, 0, 0, 0);
  auto a = pool.acquire();
  auto b = pool.acquire();
  expect(0, 2, 0, 0);
  ASSERT_FALSE(a->start([](yielder<>& out) { out.yield(); }).failed());
  ASSERT_FALSE(b->start([] {}).failed());
  expect(0, 0, 1, 1);
  ASSERT_TRUE(b->release());
  expect(1, 0, 1, 0);
  ASSERT_FALSE(a->resume().failed());
  ASSERT_TRUE(a->release());
  expect(2, 0, 0, 0);
}

TEST(Pool, F15_AcquireAtTheMaximumIsALimit) {
  coro_pool pool = *coro_pool::create({.max_coros = 3});
  std::vector<coro<>> held;
  for (int i = 0; i < 3; ++i) held.push_back(*pool.acquire());
  const auto refused = pool.acquire();
  ASSERT_FALSE(refused);
  EXPECT_EQ(test::words_of(refused),
            "coro_pool.acquire: limit reached: the pool has its maximum of coroutines (3)");
  held.pop_back();
  EXPECT_TRUE(pool.acquire());
}

TEST(Pool, BadOptionsAreRefusedByName) {
  EXPECT_EQ(test::words_of(coro_pool::create({.max_coros = 0})),
            "coro_pool.create: invalid argument: max_coros must be at least 1");
  EXPECT_EQ(test::words_of(coro_pool::create({.stack = {.limit = 1_KiB}})),
            "stack_options: invalid argument: limit must be at least 16 KiB (1024)");
}

TEST(Pool, D14_AReadyCoroutineOwnsNoStack) {
  coro_pool pool = *coro_pool::create();
  std::vector<coro<>> ready;
  for (int i = 0; i < 10'000; ++i) ready.push_back(*pool.acquire());
  EXPECT_EQ(pool.stats().stacks.live, 0U);
  EXPECT_EQ(pool.stats().stacks.slots_opened, 0U);
}

TEST(Pool, F13_ARecycledCoroutineIsAFreshOne) {
  const auto trace_of = [](coro_pool& pool) {
    std::string trace;
    auto c = pool.acquire<int, int, int>();
    trace += c->user_data() == nullptr ? "-" : "u";
    trace += name_of(c->state());
    auto step = c->start([&](yielder<int, int>& out) {
      trace += this_coro::name() == nullptr ? "-" : "n";
      trace += this_coro::user_data() == nullptr ? "-" : "u";
      trace += this_coro::unwinding() ? "w" : "-";
      return out.yield(1) + out.yield(2);
    });
    while (step.yielded()) {
      trace += std::to_string(step.value());
      step = c->resume(step.value() * 10);
    }
    trace += std::to_string(*c->returned());
    return trace;
  };
  coro_pool fresh = *coro_pool::create();
  const std::string expected = trace_of(fresh);

  coro_pool used = *coro_pool::create();
  {
    auto c = used.acquire<int, int, int>();
    int data = 0;
    ASSERT_TRUE(c->set_user_data(&data));
    ASSERT_FALSE(c->start("named", [](yielder<int, int>& out) { return out.yield(99); }).failed());
#if BAST_EXCEPTIONS
    ASSERT_TRUE(c->release());
#else
    ASSERT_TRUE(c->release(abandon));
#endif
  }
  EXPECT_EQ(trace_of(used), expected);
}

TEST(Pool, F14_UnderZeroUsedNothingIsLeftToRead) {
  coro_pool pool = *coro_pool::create({.stack = {.scrub = stack_scrub::zero_used}});
  struct secret {
    [[gnu::noinline]] static void leave() {
      volatile char buffer[8000];
      for (volatile char& byte : buffer) byte = 0x5a;
    }
    [[gnu::noinline]] static int find() {
      volatile char buffer[8000];
      int longest = 0;
      int found = 0;
      // Reading indeterminate bytes is the point: they are the previous coroutine's.
      for (volatile char& byte : buffer) {
        found = byte == 0x5a ? found + 1 : 0;
        longest = std::max(longest, found);
      }
      return longest;
    }
  };
  auto a = pool.acquire();
  ASSERT_FALSE(a->start([] { secret::leave(); }).failed());
  ASSERT_TRUE(a->release());
  pool.check_invariants();  // stack_pool I4: all of it is zero.
  auto b = pool.acquire<void, void, int>();
#if !BAST_WITH_MSAN && !BAST_WITH_VALGRIND
  ASSERT_FALSE(b->start([] { return secret::find(); }).failed());
  EXPECT_LT(*b->returned(), 8) << "a byte of an address may be one by chance";
#endif
}

TEST(Pool, F5_AnotherThreadIsRefused) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
  std::thread([&] {
    coro_ref<> there = *c;
    EXPECT_EQ(test::kind_of(there.resume()), errc::wrong_thread);
    EXPECT_EQ(test::kind_of(there.release()), errc::wrong_thread);
    EXPECT_EQ(test::kind_of(there.start([] {})), errc::wrong_thread);
    EXPECT_EQ(test::kind_of(pool.acquire()), errc::wrong_thread);
    EXPECT_EQ(test::kind_of(pool.reserve(1)), errc::wrong_thread);
    // Having its own pool makes no difference.
    coro_pool own = *coro_pool::create();
    EXPECT_EQ(test::kind_of(there.resume()), errc::wrong_thread);
  }).join();
  EXPECT_TRUE(c->resume().finished());
}

TEST(Pool, F5_AnIdlePoolCanBeAdopted) {
  coro_pool pool = *coro_pool::create();
  auto ready = pool.acquire();
  auto suspended = pool.acquire();
  ASSERT_FALSE(suspended->start([](yielder<>& out) { out.yield(); }).failed());
  std::thread([&] { EXPECT_EQ(test::kind_of(pool.adopt()), errc::busy); }).join();
  ASSERT_FALSE(suspended->resume().failed());
  ASSERT_TRUE(suspended->release());
  std::thread([&] {
    ASSERT_TRUE(pool.adopt());
    EXPECT_TRUE(ready->start([] {}).finished());
    EXPECT_TRUE(ready->release());
    pool.check_invariants();
  }).join();
  EXPECT_EQ(test::kind_of(pool.acquire()), errc::wrong_thread);
  EXPECT_TRUE(pool.adopt());
}

TEST(PoolDeath, F5_DestroyingAPoolElsewhereEndsTheProcess) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create();
        std::thread([&] { const coro_pool gone = std::move(pool); }).join();
      },
      "a coro_pool was destroyed on another thread");
}

TEST(PoolDeath, APoolOfStaticStorageDurationIsDestroyedAtExit) {
  EXPECT_EXIT(
      {
        static coro_pool pool = *coro_pool::create();
        coro_ref<> c = pool.acquire()->detach();
        (void)c.start([](yielder<>& out) { out.yield(); });
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^$");
}

TEST(Pool, ReservePreparesStacksAndRefusesTooMany) {
  coro_pool pool = *coro_pool::create({.max_coros = 100});
  ASSERT_TRUE(pool.reserve(100));
  EXPECT_GE(pool.stats().stacks.slots_opened, 100U);
  EXPECT_EQ(test::kind_of(pool.reserve(101)), errc::limit);
}

TEST(Pool, ShrinkGivesEverythingIdleBack) {
  coro_pool pool = *coro_pool::create();
  {
    std::vector<coro<>> many;
    for (int i = 0; i < 100; ++i) {
      many.push_back(*pool.acquire());
      ASSERT_FALSE(many.back().start([](yielder<>& out) { out.yield(); }).failed());
    }
    for (auto& c : many) ASSERT_FALSE(c.resume().failed());
  }
  EXPECT_GT(pool.stats().stacks.reserved, 0_B);
  EXPECT_GT(pool.shrink(), 0_B);
  EXPECT_EQ(pool.stats().stacks.reserved, 0_B);
  EXPECT_EQ(pool.budget().open(), 0_B);
  auto again = pool.acquire();
  EXPECT_FALSE(again->start([] {}).failed());
}

TEST(Pool, ManyPoolsOnOneThreadAreIndependent) {
  std::vector<coro_pool> pools;
  for (int i = 0; i < 50; ++i) pools.push_back(*coro_pool::create());
  for (coro_pool& pool : pools) {
    auto c = pool.acquire();
    ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
    ASSERT_FALSE(c->resume().failed());
  }
  pools.clear();
  coro_pool next = *coro_pool::create();
  EXPECT_TRUE(next.acquire());
}

TEST(Pool, AMovedPoolTakesItsCoroutinesAlong) {
  coro_pool first = *coro_pool::create();
  auto c = first.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
  coro_pool second = std::move(first);
  EXPECT_TRUE(second.owns(*c));
  EXPECT_TRUE(c->resume().finished());
}

}  // namespace
}  // namespace bast
