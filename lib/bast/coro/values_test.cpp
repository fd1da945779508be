// SPDX-License-Identifier: Apache-2.0
//
// F-2: start runs to the first suspension, resume returns only at the next one, and every value
// arrives exactly once and in order.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

TEST(Values, F2_YieldedValuesArriveOnceAndInOrder) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int>();
  std::vector<int> seen;
  auto step = c->start([](yielder<int>& out) {
    for (int i = 0; i < 100; ++i) out.yield(i);
  });
  while (step.yielded()) {
    seen.push_back(step.value());
    step = c->resume();
  }
  ASSERT_EQ(seen.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(Values, F2_ResumedValuesArriveOnceAndInOrder) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int, int, int>();
  auto step = c->start([](yielder<int, int>& out) {
    int sum = 0;
    for (int i = 0; i < 10; ++i) sum = 10 * sum + out.yield(i);
    return sum;
  });
  for (int i = 0; step.yielded(); ++i) {
    EXPECT_EQ(step.value(), i);
    step = c->resume(i == 0 ? 1 : 0);
  }
  EXPECT_EQ(*c->returned(), 1'000'000'000);
}

TEST(Values, F2_MoveOnlyValuesCrossByMove) {
  coro_pool pool = *coro_pool::create();
  using owned = std::unique_ptr<std::string>;
  auto c = pool.acquire<owned, owned, owned>();
  auto step = c->start([](yielder<owned, owned>& out) {
    owned got = out.yield(std::make_unique<std::string>("first"));
    *got += "!";
    return got;
  });
  ASSERT_TRUE(step.yielded());
  EXPECT_EQ(*step.value(), "first");
  ASSERT_TRUE(c->resume(std::make_unique<std::string>("answer")).finished());
  EXPECT_EQ(**c->returned(), "answer!");
}

TEST(Values, F2_ARefusedResumeLeavesTheValueWithTheCaller) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<void, std::unique_ptr<int>>();
  auto value = std::make_unique<int>(5);
  EXPECT_EQ(test::kind_of(c->resume(std::move(value))), errc::bad_state);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 5);
}

TEST(Values, F2_StartRunsOnTheCallersThreadToTheFirstSuspension) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  std::vector<int> order;
  order.push_back(1);
  ASSERT_FALSE(c->start([&](yielder<>& out) {
                  order.push_back(2);
                  out.yield();
                  order.push_back(4);
                }).failed());
  order.push_back(3);
  ASSERT_FALSE(c->resume().failed());
  order.push_back(5);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(Values, TheResultIsTakenOnce) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<void, void, std::string>();
  ASSERT_FALSE(
      c->start([] { return std::string("a result that does not fit in place"); }).failed());
  EXPECT_EQ(*c->returned(), "a result that does not fit in place");
  EXPECT_EQ(test::kind_of(c->returned()), errc::bad_state);
  EXPECT_TRUE(c->release());
}

TEST(Values, F18_WhatWasTakenOutlivesTheCoroutineAndItsPool) {
  std::optional<std::string> taken;
  {
    coro_pool pool = *coro_pool::create({.stack = {.scrub = stack_scrub::poison}});
    auto c = pool.acquire<void, void, std::string>();
    // Long enough for the heap, and short enough for the object.
    for (const std::string& word : {std::string(100, 'w'), std::string("short")}) {
      c = pool.acquire<void, void, std::string>();
      ASSERT_FALSE(c->start([&] { return word; }).failed());
      taken = *c->returned();
      ASSERT_TRUE(c->release());
      EXPECT_EQ(*taken, word);
    }
  }
  EXPECT_EQ(*taken, "short");
}

TEST(Values, AResultThatNobodyTakesIsDestroyed) {
  coro_pool pool = *coro_pool::create();
  const auto watched = std::make_shared<int>(1);
  auto c = pool.acquire<void, void, std::shared_ptr<int>>();
  ASSERT_FALSE(c->start([watched] { return watched; }).failed());
  EXPECT_EQ(watched.use_count(), 2);  // The callable is gone, its result is kept.
  EXPECT_TRUE(c->release());
  EXPECT_EQ(watched.use_count(), 1);
}

#if BAST_EXCEPTIONS
TEST(Values, F10_AResultThatIsReturnedAfterASwallowedUnwindingIsDestroyedToo) {
  coro_pool pool = *coro_pool::create();
  const auto watched = std::make_shared<int>(1);
  auto c = pool.acquire<void, void, std::shared_ptr<int>>();
  ASSERT_FALSE(c->start([watched](yielder<>& out) {
                  try {
                    out.yield();
                  } catch (...) {
                  }
                  return watched;
                }).failed());
  ASSERT_TRUE(c->release());
  EXPECT_EQ(watched.use_count(), 1);
  EXPECT_EQ(pool.stats().swallowed_unwinds, 1U);
}
#endif

TEST(Values, ThePassedCallableIsMovedAndDestroyedWhenItReturned) {
  coro_pool pool = *coro_pool::create();
  auto captured = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = captured;
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([owned = std::move(captured)](yielder<>& out) { out.yield(); }).failed());
  EXPECT_FALSE(watched.expired());
  ASSERT_TRUE(c->resume().finished());
  EXPECT_TRUE(watched.expired());
}

TEST(Values, ALargeCallableIsStoredOnItsOwnStack) {
  coro_pool pool = *coro_pool::create();
  struct large {
    unsigned char bytes[100'000];
  };
  const auto big = std::make_unique<large>();
  big->bytes[99'999] = 7;
  auto c = pool.acquire<void, void, int>();
  ASSERT_FALSE(c->start([copy = *big] { return int{copy.bytes[99'999]}; }).failed());
  EXPECT_EQ(*c->returned(), 7);
}

TEST(Values, ACallableTooLargeForTheStackIsRefused) {
  coro_pool pool = *coro_pool::create({.stack = {.limit = 16_KiB}});
  struct large {
    unsigned char bytes[20'000];
  };
  auto c = pool.acquire();
  const auto refused = c->start([copy = large{}] { (void)copy.bytes[0]; });
  ASSERT_TRUE(refused.failed());
  EXPECT_EQ(test::kind_of(refused), errc::limit);
  EXPECT_EQ(c->state(), coro_state::ready);
  pool.check_invariants();
  EXPECT_TRUE(c->start([] {}).finished());
}

TEST(Values, OverAlignedCallablesAndResultsAreAligned) {
  coro_pool pool = *coro_pool::create();
  struct alignas(256) wide {
    unsigned char byte = 3;
  };
  auto c = pool.acquire<void, void, wide>();
  ASSERT_FALSE(c->start([w = wide{}] {
                  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&w) % 256, 0U);
                  return w;
                }).failed());
  EXPECT_EQ(c->returned()->byte, 3);
}

TEST(Values, CoroutinesNest) {
  coro_pool pool = *coro_pool::create();
  // A tree walk as nested generators: each level resumes the next one.
  struct walker {
    static void walk(coro_pool& from, yielder<int>& out, int depth) {
      out.yield(depth);
      if (depth == 0) return;
      auto child = from.acquire<int>();
      auto step = child->start([&](yielder<int>& inner) { walk(from, inner, depth - 1); });
      while (step.yielded()) {
        out.yield(step.value());
        step = child->resume();
      }
    }
  };
  auto root = pool.acquire<int>();
  std::vector<int> seen;
  auto step = root->start([&](yielder<int>& out) { walker::walk(pool, out, 20); });
  while (step.yielded()) {
    seen.push_back(step.value());
    step = root->resume();
  }
  ASSERT_EQ(seen.size(), 21U);
  for (int i = 0; i <= 20; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], 20 - i);
  pool.check_invariants();
}

}  // namespace
}  // namespace bast
