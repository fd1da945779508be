// SPDX-License-Identifier: Apache-2.0
//
// coro_pool::make: the types that it deduces, and coroutines that are suspended before their first
// statement.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "bast/coro.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::words_of;

int three() { return 3; }
void into(yielder<int>& out) noexcept { out.yield(1); }

TEST(Make, TheTypesAreThoseOfTheFunction) {
  const auto letters = [](yielder<int>&) { return 'x'; };
  auto changing = [n = 0]() mutable { return ++n; };
  struct qualified {
    int operator()() const& noexcept { return 4; }
  };
  using constant = const std::string (*)();
  static_assert(std::is_same_v<coro_of<constant>, coro<void, void, std::string>>);
  static_assert(std::is_same_v<coro_of<qualified>, coro<void, void, int>>);
  const auto answered = [](std::string, yielder<int, std::string>&) noexcept { return 1.0; };
  static_assert(std::is_same_v<coro_of<decltype(three)>, coro<void, void, int>>);
  static_assert(std::is_same_v<coro_of<decltype(into)>, coro<int>>);
  static_assert(std::is_same_v<coro_of<decltype(letters)>, coro<int, void, char>>);
  static_assert(std::is_same_v<coro_of<decltype(changing)>, coro<void, void, int>>);
  static_assert(std::is_same_v<coro_of<decltype(answered)>, coro<int, std::string, double>>);
  coro_pool pool = *coro_pool::create();
  auto plain = pool.make(three);
  ASSERT_TRUE(plain->resume().finished());
  EXPECT_EQ(*plain->returned(), 3);
  auto generating = pool.make(&into);
  EXPECT_EQ(generating->resume().value(), 1);
  EXPECT_TRUE(generating->resume().finished()) << "a noexcept function cannot be unwound";
  auto four = pool.make(qualified{});
  ASSERT_TRUE(four->resume().finished());
  EXPECT_EQ(*four->returned(), 4);
  auto counting = pool.make(changing);
  ASSERT_TRUE(counting->resume().finished());
  EXPECT_EQ(*counting->returned(), 1);
}

TEST(Make, AGeneratorEndsWithItsResult) {
  coro_pool pool = *coro_pool::create();
  auto numbers = pool.make([](yielder<int>& out) {
    for (int i = 1; i <= 3; ++i) out.yield(i);
    return 6;
  });
  int sum = 0;
  for (auto step = numbers->resume(); step.yielded(); step = numbers->resume()) sum += step.value();
  EXPECT_EQ(sum, 6);
  EXPECT_EQ(*numbers->returned(), 6);
  EXPECT_EQ(kind_of(numbers->resume()), errc::finished);
}

TEST(Make, F2_TheFirstResumePassesTheFirstArgument) {
  coro_pool pool = *coro_pool::create();
  auto echo = pool.make([](std::unique_ptr<int> first, yielder<int, std::unique_ptr<int>>& out) {
    int total = 0;
    for (auto next = std::move(first); next != nullptr; next = out.yield(total)) total += *next;
    return total;
  });
  EXPECT_EQ(echo->resume(std::make_unique<int>(5)).value(), 5);
  EXPECT_EQ(echo->resume(std::make_unique<int>(7)).value(), 12);
  ASSERT_TRUE(echo->resume(nullptr).finished());
  EXPECT_EQ(*echo->returned(), 12);
}

TEST(Make, NothingRunsBeforeTheFirstResume) {
  coro_pool pool = *coro_pool::create();
  bool ran = false;
  auto made = pool.make("lazy", [&] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_EQ(made->state(), coro_state::suspended);
  EXPECT_STREQ(made->name(), "lazy");
  EXPECT_EQ(pool.stats().suspended, 1U);
  EXPECT_EQ(pool.stats().stacks.live, 1U);
  pool.check_invariants();
  EXPECT_EQ(words_of(made->peek()),
            "peek: not legal in this state: the coroutine has not been resumed");
  EXPECT_EQ(words_of(made->start([] {})),
            "start: not legal in this state: the coroutine is suspended");
  EXPECT_EQ(words_of(made->returned()),
            "returned: not legal in this state: the coroutine is suspended");
  EXPECT_TRUE(pool.adopt()) << "it has not begun";
  EXPECT_FALSE(ran);
  ASSERT_TRUE(made->resume().finished());
  EXPECT_TRUE(ran);
  EXPECT_TRUE(made->peek().finished());
}

TEST(Make, F5_OneThatHasNotBegunMayChangeItsThread) {
  coro_pool pool = *coro_pool::create();
  auto made = pool.make([](yielder<int>& out) {
    out.yield(1);
    return 2;
  });
  std::thread([&] {
    EXPECT_EQ(kind_of(made->resume()), errc::wrong_thread);
    ASSERT_TRUE(pool.adopt());
    EXPECT_EQ(made->resume().value(), 1);
    EXPECT_TRUE(made->resume().finished());
    EXPECT_EQ(*made->returned(), 2);
    EXPECT_TRUE(made->release());
  }).join();
  ASSERT_TRUE(pool.adopt());
}

TEST(Make, F11_ThisCoroYieldWorksInACoroutineWithoutValues) {
  coro_pool pool = *coro_pool::create();
  auto made = pool.make([] { EXPECT_TRUE(this_coro::yield()); });
  EXPECT_TRUE(made->resume().yielded());
  EXPECT_TRUE(made->resume().finished());
}

// Each way to end a coroutine that never ran: its function is destroyed once and its stack
// returned.
TEST(Make, F6_AFunctionThatIsNeverCalledIsDestroyed) {
  enum class end { release, owner, abandon, pool, moved };
  for (const end how : {end::release, end::owner, end::abandon, end::pool, end::moved}) {
    const auto token = std::make_shared<int>(1);
    auto pool = std::make_unique<coro_pool>(*coro_pool::create());
    bool ran = false;
    std::optional made = *pool->make([token, &ran] { ran = true; });
    EXPECT_EQ(token.use_count(), 2);
    switch (how) {
      case end::release: EXPECT_TRUE(made->release()); break;
      case end::owner: made.reset(); break;
      case end::abandon: EXPECT_TRUE(made->release(abandon)); break;
      case end::pool:
        (void)made->detach();
        pool.reset();
        break;
      case end::moved: *made = coro<>(); break;
    }
    EXPECT_EQ(token.use_count(), 1) << static_cast<int>(how);
    EXPECT_FALSE(ran);
    if (!pool) continue;
    const coro_pool_stats left = pool->stats();
    EXPECT_EQ(left.free, 1U);
    EXPECT_EQ(left.abandoned, 0U);
    EXPECT_EQ(left.swallowed_unwinds, 0U);
    EXPECT_EQ(left.stacks.live, 0U);
    pool->check_invariants();
  }
}

TEST(Make, TheFunctionIsDestroyedWhenItHasReturned) {
  coro_pool pool = *coro_pool::create();
  const auto token = std::make_shared<int>(1);
  auto made = pool.make([token](yielder<int>& out) { out.yield(*token); });
  EXPECT_EQ(made->resume().value(), 1);
  EXPECT_EQ(token.use_count(), 2);
  EXPECT_TRUE(made->resume().finished());
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_TRUE(made->release());
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Make, F13_ARecycledStackMakesAFreshCoroutine) {
  coro_pool pool = *coro_pool::create();
  for (int life = 0; life < 3; ++life) {
    auto made = pool.make([life](yielder<int>& out) {
      out.yield(life);
      return life;
    });
    if (life == 1) continue;  // released before it ran
    EXPECT_EQ(made->resume().value(), life);
    EXPECT_TRUE(made->resume().finished());
    EXPECT_EQ(*made->returned(), life);
  }
  EXPECT_EQ(pool.stats().created, 1U);
}

TEST(Make, AnOverAlignedOrLargeFunctionIsStoredWhole) {
  struct alignas(256) wide {
    std::array<std::byte, 64> bytes{};
    std::uintptr_t operator()() const { return reinterpret_cast<std::uintptr_t>(this) % 256; }
  };
  struct large {
    std::array<int, 20'000> numbers{};
    int operator()() const { return numbers[19'999]; }
  };
  coro_pool pool = *coro_pool::create();
  auto aligned = pool.make(wide{});
  ASSERT_TRUE(aligned->resume().finished());
  EXPECT_EQ(*aligned->returned(), 0U);
  auto big = std::make_unique<large>();
  big->numbers[19'999] = 7;
  auto whole = pool.make(*big);
  ASSERT_TRUE(whole->resume().finished());
  EXPECT_EQ(*whole->returned(), 7);
}

TEST(Make, AFunctionThatIsLargerThanTheStackIsRefusedByItsSize) {
  struct huge {
    std::array<char, 300'000> bytes{};
    void operator()() const {}
  };
  coro_pool pool = *coro_pool::create({.stack = {.limit = bytes{64 << 10}}});
  const auto made = std::make_unique<huge>();
  EXPECT_THAT(words_of(pool.make(*made)),
              testing::StartsWith("start: limit reached: the function and its result do not fit "
                                  "the stack (300"));
  EXPECT_EQ(pool.stats().free, 1U);
  pool.check_invariants();
}

TEST(Make, ItFailsAsAcquireAndStartDoAndNothingIsLost) {
  coro_pool pool = *coro_pool::create({.max_coros = 1});
  {
    auto only = pool.make(three);
    ASSERT_TRUE(only);
    EXPECT_EQ(words_of(pool.make(three)),
              "coro_pool.acquire: limit reached: the pool has its maximum of coroutines (1)");
  }
  coro_pool fresh = *coro_pool::create({.max_coros = 1});
  for (std::uint64_t nth = 1; nth < 100; ++nth) {
    const auto token = std::make_shared<int>(1);
    os::fault_scope fault({.kind = os::call::any, .nth = nth, .persistent = true});
    const auto made = fresh.make([token] { return *token; });
    if (fault.injected() == 0) {
      EXPECT_TRUE(made);
      break;
    }
    ASSERT_FALSE(made) << nth;
    EXPECT_EQ(made.error().kind(), errc::no_memory);
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_EQ(fresh.stats().ready, 0U);
    EXPECT_EQ(fresh.stats().stacks.live, 0U);
    fresh.check_invariants();
  }
  coro_pool gone = std::move(fresh);
  EXPECT_EQ(
      words_of(fresh.make(three)),  // NOLINT(bugprone-use-after-move): tests the moved-from object
      "coro_pool.make: not legal in this state: the pool was moved from");
}

#if BAST_EXCEPTIONS
TEST(Make, F6_WhatItsConstructionThrowsLeavesNothing) {
  struct throws {
    throws() = default;
    throws(const throws&) { throw 7; }
    void operator()() const {}
  };
  coro_pool pool = *coro_pool::create();
  const throws original;
  EXPECT_THROW((void)pool.make(original), int);
  EXPECT_EQ(pool.stats().free, 1U);
  EXPECT_EQ(pool.stats().stacks.live, 0U);
  pool.check_invariants();
}

TEST(Make, F6_WhatItThrowsIsRethrown) {
  coro_pool pool = *coro_pool::create();
  auto made = pool.make([]() -> int { throw 7; });
  ASSERT_TRUE(made->resume().finished());
  EXPECT_THROW((void)made->returned(), int);
}

TEST(Make, F7_AResumeInsideAHandlerBeginsWithoutItsException) {
  coro_pool pool = *coro_pool::create();
  auto made = pool.make([](yielder<bool>& out) {
    out.yield(std::current_exception() == nullptr);
    return std::current_exception() == nullptr;
  });
  try {
    throw 1;
  } catch (int) {
    EXPECT_TRUE(made->resume().value());
  }
  ASSERT_TRUE(made->resume().finished());
  EXPECT_TRUE(*made->returned());
}
#endif

TEST(Make, F7_OwnControlWordsAreThoseOfTheFirstResume) {
  coro_pool pool = *coro_pool::create({.own_float_control = true});
  auto made = pool.make([] { return this_coro::exists(); });
  ASSERT_TRUE(made->resume().finished());
  EXPECT_TRUE(*made->returned());
}

}  // namespace
}  // namespace bast
