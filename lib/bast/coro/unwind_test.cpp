// SPDX-License-Identifier: Apache-2.0
//
// F-8 .. F-12, F-17: releasing a suspended coroutine destroys its locals, whatever its code does
// with the unwinding.
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/terminate.hpp"

namespace bast {
namespace {

struct writes_down {
  std::vector<int>& order;
  int number;
  ~writes_down() { order.push_back(number); }
};

#if BAST_EXCEPTIONS

TEST(Unwind, F9_EveryLocalIsDestroyedOnceInnermostFirst) {
  coro_pool pool = *coro_pool::create();
  struct nest {
    static void down(yielder<>& out, std::vector<int>& order, int depth) {
      const writes_down local{order, depth};
      if (depth == 0) {
        out.yield();
        ADD_FAILURE() << "the code after the suspension must not run";
      } else {
        down(out, order, depth - 1);
      }
    }
  };
  for (int depth = 0; depth < 50; ++depth) {
    std::vector<int> order;
    auto c = pool.acquire();
    ASSERT_FALSE(c->start([&](yielder<>& out) { nest::down(out, order, depth); }).failed());
    EXPECT_TRUE(order.empty());
    ASSERT_TRUE(c->release());
    ASSERT_EQ(order.size(), static_cast<std::size_t>(depth) + 1);
    for (int i = 0; i <= depth; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
  pool.check_invariants();
}

TEST(Unwind, F8_IsAnOrdinaryThrowThatIsNoStdException) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  bool seen = false;
  int uncaught = 0;
  ASSERT_FALSE(c->start([&](yielder<>& out) {
                  struct counts {
                    int& uncaught;
                    ~counts() { uncaught = std::uncaught_exceptions(); }
                  };
                  const counts guard{uncaught};
                  try {
                    out.yield();
                  } catch (const std::exception&) {
                    ADD_FAILURE() << "forced_unwind must not look like an error";
                  } catch (const forced_unwind&) {
                    seen = true;
                    EXPECT_TRUE(this_coro::unwinding());
                    throw;
                  }
                }).failed());
  ASSERT_TRUE(c->release());
  EXPECT_TRUE(seen);
  EXPECT_EQ(uncaught, 1);
  EXPECT_EQ(pool.stats().swallowed_unwinds, 0U);
}

TEST(Unwind, F10_SwallowingItIsHarmlessAndCounted) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int attempts = 0;
  ASSERT_FALSE(c->start([&](yielder<>& out) {
                  for (int i = 0; i < 5; ++i) {
                    try {
                      out.yield();
                    } catch (...) {  // As iostreams do.
                      ++attempts;
                    }
                  }
                }).failed());
  ASSERT_TRUE(c->release());
  EXPECT_EQ(attempts, 5);  // Every later suspension threw again, without switching.
  EXPECT_EQ(pool.stats().swallowed_unwinds, 1U);
  EXPECT_EQ(pool.stats().free, 1U);
}

TEST(Unwind, F11_AnotherExceptionWhileUnwindingReachesTheSink) {
  int heard = 0;
  coro_pool pool = *coro_pool::create(
      {.unhandled = {.take = [](void* n, std::exception_ptr,
                                const char*) noexcept { ++*static_cast<int*>(n); },
                     .context = &heard}});
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) {
                  try {
                    out.yield();
                  } catch (const forced_unwind&) {
                    throw std::runtime_error("instead");
                  }
                }).failed());
  ASSERT_TRUE(c->release());
  EXPECT_EQ(heard, 1);
}

TEST(Unwind, F11_ReleaseInsideItsOwnUnwindingIsBusy) {
  coro_pool pool = *coro_pool::create();
  coro_ref<> c = pool.acquire()->detach();
  errc seen{};
  ASSERT_FALSE(c.start([&](yielder<>& out) {
                  struct releases {
                    coro_ref<>& self;
                    errc& seen;
                    ~releases() { seen = test::kind_of(self.release()).value_or(errc{}); }
                  };
                  const releases guard{c, seen};
                  out.yield();
                }).failed());
  ASSERT_TRUE(c.release());
  EXPECT_EQ(seen, errc::busy);
}

using UnwindDeathTest = testing::Test;

TEST(UnwindDeathTest, F11_ANoexceptFrameOnTheWayTerminates) {
  EXPECT_DEATH(
      {
        test::announce_terminate();
        coro_pool pool = *coro_pool::create();
        auto c = pool.acquire();
        (void)c->start([](yielder<>& out) { [&]() noexcept { out.yield(); }(); });
        (void)c->release();
      },
      "std::terminate was called");
}

TEST(Unwind, F11_DestructorsMayUseThePoolMeanwhile) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int ran = 0;
  ASSERT_FALSE(c->start([&](yielder<>& out) {
                  struct spawns {
                    coro_pool& pool;
                    int& ran;
                    ~spawns() {
                      auto helper = pool.acquire();
                      EXPECT_FALSE(helper
                                       ->start([this](yielder<>& inner) {
                                         ++ran;
                                         inner.yield();
                                         ++ran;
                                       })
                                       .failed());
                      EXPECT_FALSE(helper->resume().failed());
                    }
                  };
                  const spawns guard{pool, ran};
                  out.yield();
                }).failed());
  ASSERT_TRUE(c->release());
  EXPECT_EQ(ran, 2);
  pool.check_invariants();
}

TEST(Unwind, F17_ThePoolUnwindsTheNewestFirst) {
  std::vector<int> order;
  {
    coro_pool pool = *coro_pool::create();
    for (int i = 0; i < 200; ++i) {
      auto c = pool.acquire()->detach();
      ASSERT_FALSE(c.start([&order, i](yielder<>& out) {
                      const writes_down local{order, i};
                      out.yield();
                    }).failed());
    }
  }
  ASSERT_EQ(order.size(), 200U);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], 199 - i);
}

TEST(Unwind, F17_WhatDestructorsStartAtThePoolsDeathIsUnwoundToo) {
  std::vector<int> order;
  {
    coro_pool pool = *coro_pool::create();
    auto c = pool.acquire()->detach();
    ASSERT_FALSE(c.start([&](yielder<>& out) {
                    struct spawns {
                      coro_pool& pool;
                      std::vector<int>& order;
                      ~spawns() {
                        auto late = pool.acquire()->detach();
                        EXPECT_FALSE(late.start([this](yielder<>& inner) {
                                           const writes_down local{order, 7};
                                           inner.yield();
                                         })
                                         .failed());
                      }
                    };
                    const spawns guard{pool, order};
                    out.yield();
                  }).failed());
  }
  EXPECT_EQ(order, (std::vector<int>{7}));
}

#else

TEST(Unwind, F12_WithoutExceptionsASuspendedCoroutineIsBusy) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) { out.yield(); }).failed());
  EXPECT_EQ(test::kind_of(c->release()), errc::busy);
  EXPECT_TRUE(c->resume().finished());
  EXPECT_TRUE(c->release());
}

#endif

TEST(Unwind, F12_AbandoningFreesTheStackWithoutRunningDestructors) {
  coro_pool pool = *coro_pool::create();
  std::vector<int> order;
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([&](yielder<>& out) {
                  const writes_down local{order, 1};
                  out.yield();
                }).failed());
  ASSERT_TRUE(c->release(abandon));
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(pool.stats().abandoned, 1U);
  EXPECT_EQ(pool.stats().stacks.live, 0U);
  pool.check_invariants();
}

TEST(UnwindDeath, F17_APoolThatDiesUnderARunningCoroutineNamesIt) {
  EXPECT_DEATH(
      {
        std::optional<coro_pool> pool = *coro_pool::create();
        auto c = pool->acquire();
        (void)c->start("restless", [&] { pool.reset(); });
      },
      "a coro_pool was destroyed while coroutine 'restless' was running");
}

TEST(UnwindDeath, X5_AYielderUsedOutsideItsCoroutineEndsTheProcess) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create();
        yielder<>* leaked = nullptr;
        auto c = pool.acquire();
        (void)c->start([&](yielder<>& out) {
          leaked = &out;
          out.yield();
        });
        leaked->yield();
      },
      "a yielder was used outside its coroutine");
}

}  // namespace
}  // namespace bast
