// SPDX-License-Identifier: Apache-2.0
//
// F-15 and related laws: every counter of a pool, through reuse, failures, a change of thread and
// the pool's end.
#include <gtest/gtest.h>

#include <cfenv>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace bast::literals;

using counters = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t, std::size_t,
                            std::size_t, std::size_t>;

/// created, free, ready, running, suspended, finished, live stacks.
counters counters_of(coro_pool& pool) {
  pool.check_invariants();
  const coro_pool_stats s = pool.stats();
  EXPECT_EQ(s.retired, 0U);
  return {s.created, s.free, s.ready, s.running, s.suspended, s.finished, s.stacks.live};
}

/// swallowed, abandoned, unhandled.
std::tuple<std::uint64_t, std::uint64_t, std::uint64_t> ends_of(const coro_pool& pool) {
  const coro_pool_stats s = pool.stats();
  return {s.swallowed_unwinds, s.abandoned, s.unhandled};
}

TEST(PoolLife, F15_EveryCounterFollowsEveryState) {
  coro_pool pool = *coro_pool::create({.max_coros = 7});
  EXPECT_EQ(pool.stats().max, 7U);
  EXPECT_EQ(counters_of(pool), counters(0, 0, 0, 0, 0, 0, 0));
  for (int life = 0; life < 3; ++life) {
    const std::size_t created = life == 0 ? 0 : 3;
    EXPECT_EQ(counters_of(pool), counters(created, created, 0, 0, 0, 0, 0));
    auto a = pool.acquire();
    auto b = pool.acquire();
    auto c = pool.acquire();
    EXPECT_EQ(counters_of(pool), counters(3, 0, 3, 0, 0, 0, 0));
    ASSERT_FALSE(a->start([](yielder<>& out) { out.yield(); }).failed());
    EXPECT_EQ(counters_of(pool), counters(3, 0, 2, 0, 1, 0, 1));
    ASSERT_FALSE(b->start([&] {
                    EXPECT_EQ(counters_of(pool), counters(3, 0, 1, 1, 1, 0, 2));
                    ASSERT_FALSE(c->start([&] {
                                    EXPECT_EQ(counters_of(pool), counters(3, 0, 0, 2, 1, 0, 3))
                                        << "both run";
                                    ASSERT_FALSE(a->resume().failed());
                                  }).failed());
                  }).failed());
    EXPECT_EQ(counters_of(pool), counters(3, 0, 0, 0, 0, 3, 3));
    ASSERT_TRUE(c->release());
    EXPECT_EQ(counters_of(pool), counters(3, 1, 0, 0, 0, 2, 2));
    ASSERT_TRUE(a->release());
    ASSERT_TRUE(b->release());
  }
  EXPECT_EQ(ends_of(pool), std::tuple(0U, 0U, 0U));
}

TEST(PoolLife, F15_TheMaximumIsExactAlsoAcrossChunks) {
  for (const std::size_t most : {1U, 62U, 63U, 64U, 126U, 127U}) {
    coro_pool pool = *coro_pool::create({.max_coros = most});
    std::vector<coro<>> all;
    for (int life = 0; life < 2; ++life) {
      for (std::size_t i = 0; i < most; ++i) {
        auto c = pool.acquire();
        ASSERT_TRUE(c) << i;
        all.push_back(std::move(*c));
      }
      EXPECT_EQ(test::kind_of(pool.acquire()), errc::limit);
      EXPECT_EQ(counters_of(pool), counters(most, 0, most, 0, 0, 0, 0));
      all.clear();
      EXPECT_EQ(counters_of(pool), counters(most, most, 0, 0, 0, 0, 0));
    }
  }
}

TEST(PoolLife, F12_AbandoningIsCountedWhereThereWasSomethingToUnwind) {
  coro_pool pool = *coro_pool::create();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    auto c = pool.acquire();
    ASSERT_TRUE(c->release(abandon));  // never ran
    c = pool.acquire();
    ASSERT_FALSE(c->start([] {}).failed());
    ASSERT_TRUE(c->release(abandon));  // finished
    c = pool.acquire();
    ASSERT_FALSE(c->start([] { (void)this_coro::yield(); }).failed());
    ASSERT_TRUE(c->release(abandon));
    EXPECT_EQ(ends_of(pool), std::tuple(0U, round, 0U));
    EXPECT_EQ(counters_of(pool), counters(1, 1, 0, 0, 0, 0, 0));
  }
}

#if BAST_EXCEPTIONS
TEST(PoolLife, F10_EndsAreCountedOncePerCoroutine) {
  int heard = 0;
  coro_pool pool = *coro_pool::create(
      {.unhandled = {.take = [](void* n, std::exception_ptr,
                                const char*) noexcept { ++*static_cast<int*>(n); },
                     .context = &heard}});
  for (int round = 1; round <= 3; ++round) {
    auto swallows = pool.acquire();
    ASSERT_FALSE(swallows
                     ->start([](yielder<>& out) {
                       try {
                         out.yield();
                       } catch (...) {
                       }
                     })
                     .failed());
    ASSERT_TRUE(swallows->release());
    auto throws = pool.acquire();
    ASSERT_FALSE(throws->start([] { throw 7; }).failed());
    ASSERT_TRUE(throws->release());
    auto unwound = pool.acquire();
    ASSERT_FALSE(unwound->start([](yielder<>& out) { out.yield(); }).failed());
    ASSERT_TRUE(unwound->release());
    auto taken = pool.acquire();
    ASSERT_FALSE(taken->start([] { throw 7; }).failed());
    EXPECT_THROW((void)taken->returned(), int);
    EXPECT_TRUE(taken->returned()) << "the exception was taken, and it returned nothing";
    ASSERT_TRUE(taken->release());
    const auto number = static_cast<std::uint64_t>(round);
    EXPECT_EQ(ends_of(pool), std::tuple(number, 0U, number));
    EXPECT_EQ(heard, round);
  }
}
#endif

TEST(PoolLife, AnOwnerThatIsAssignedOverReleasesWhatItHad) {
  coro_pool pool = *coro_pool::create();
  auto one = *pool.acquire();
  auto other = *pool.acquire();
  ASSERT_FALSE(one.start([] {}).failed());
  const coro_ref<> was = one;
  const coro_ref<> is = other;
  one = std::move(other);
  EXPECT_EQ(was.state(), coro_state::free);
  EXPECT_TRUE(static_cast<coro_ref<>&>(one) == is);
  EXPECT_EQ(counters_of(pool), counters(2, 1, 1, 0, 0, 0, 0));
  other = std::move(one);
  EXPECT_EQ(counters_of(pool), counters(2, 1, 1, 0, 0, 0, 0)) << "there was nothing to release";
  EXPECT_TRUE(static_cast<coro_ref<>&>(one) == coro_ref<>());
  ASSERT_TRUE(other.release());
  EXPECT_TRUE(static_cast<coro_ref<>&>(other) == coro_ref<>());
  EXPECT_EQ(test::kind_of(other.release()), errc::stale_handle);
  EXPECT_EQ(test::kind_of(other.release(abandon)), errc::stale_handle);
}

TEST(PoolLife, ADetachedCoroutineBelongsToItsPoolAlone) {
  coro_pool pool = *coro_pool::create();
  coro_ref<> left;
  {
    auto owner = *pool.acquire();
    left = owner.detach();
    EXPECT_TRUE(static_cast<coro_ref<>&>(owner) == coro_ref<>());
  }
  EXPECT_EQ(left.state(), coro_state::ready);
  {
    auto owner = *pool.acquire();
    ASSERT_TRUE(owner.release(abandon));
    EXPECT_TRUE(static_cast<coro_ref<>&>(owner) == coro_ref<>());
  }
  EXPECT_EQ(counters_of(pool), counters(2, 1, 1, 0, 0, 0, 0));
}

// --- threads -------------------------------------------------------------------------------------

TEST(PoolLife, F5_AnAdoptedPoolKeepsWhatItHolds) {
  coro_pool pool = *coro_pool::create({.own_float_control = true});
  auto ready = pool.acquire<void, void, std::string>();
  auto finished = pool.acquire<void, void, std::string>();
  int data = 0;
  ASSERT_TRUE(ready->set_user_data(&data));
  ASSERT_FALSE(finished->start("early", [] { return std::string("kept"); }).failed());
  const auto before = counters_of(pool);
  std::thread([&] {
    EXPECT_EQ(test::kind_of(pool.reserve(1)), errc::wrong_thread);
    EXPECT_EQ(test::kind_of(pool.acquire()), errc::wrong_thread);
    ASSERT_TRUE(pool.adopt());
    EXPECT_EQ(counters_of(pool), before);
    EXPECT_STREQ(finished->name(), "early");
    EXPECT_EQ(*finished->returned(), "kept");
    EXPECT_EQ(ready->user_data(), &data);
    ASSERT_FALSE(ready
                     ->start([](yielder<>& out) {
                       std::fesetround(FE_UPWARD);
                       out.yield();
                       EXPECT_EQ(std::fegetround(), FE_UPWARD)
                           << "its control words travel with it";
                       return std::string();
                     })
                     .failed());
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    ASSERT_TRUE(ready->resume().finished());
    auto fresh = pool.acquire();
    EXPECT_TRUE(fresh->start([] {}).finished());
  }).join();
  EXPECT_EQ(test::kind_of(ready->release()), errc::wrong_thread);
  ASSERT_TRUE(pool.adopt());
  EXPECT_TRUE(ready->release());
  EXPECT_TRUE(finished->release());
}

TEST(PoolLife, F5_ARefusedAdoptionChangesNothing) {
  if (BAST_WITH_ASAN) GTEST_SKIP() << "the sanitizer gives each thread an alternate stack";
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
  std::thread([&] {
    EXPECT_EQ(test::words_of(pool.adopt()),
              "coro_pool.adopt: busy: a coroutine has started and is not finished; it stays on its "
              "thread");
    EXPECT_EQ(test::kind_of(pool.acquire()), errc::wrong_thread);
  }).join();
  ASSERT_TRUE(c->resume().finished());
  std::thread([&] {
    {
      const os::fault_scope fault({.kind = os::call::map, .nth = 1, .error_number = ENOMEM});
      EXPECT_EQ(test::kind_of(pool.adopt()), errc::no_memory);
    }
    EXPECT_EQ(test::kind_of(pool.acquire()), errc::wrong_thread);
  }).join();
  EXPECT_TRUE(pool.acquire()) << "still this thread's";
  auto running = pool.acquire();
  ASSERT_FALSE(
      running->start([&] { EXPECT_EQ(test::kind_of(pool.adopt()), errc::busy); }).failed());
}

TEST(PoolLife, X6_AStackThatCannotBeHadLeavesTheCoroutineReady) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const auto before = counters_of(pool);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const os::fault_scope fault({.kind = os::call::map, .nth = 1, .persistent = true});
    EXPECT_EQ(test::kind_of(c->start([] { ADD_FAILURE() << "it has no stack"; })), errc::no_memory);
    EXPECT_EQ(c->state(), coro_state::ready);
  }
  EXPECT_EQ(counters_of(pool), before);
  EXPECT_TRUE(c->start([] {}).finished());
}

}  // namespace
}  // namespace bast
