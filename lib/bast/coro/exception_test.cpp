// SPDX-License-Identifier: Apache-2.0
//
// F-6, F-7: exceptions of a coroutine reach its owner, and the exception state of one flow of
// control does not leak into another.
#include <bast/config.hpp>
#if BAST_EXCEPTIONS
#include <gtest/gtest.h>

#include <cfenv>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/coro.hpp"

namespace bast {
namespace {

struct caught_by_sink {
  std::vector<std::string> texts;
  static void take(void* self, std::exception_ptr failure, const char* name) noexcept {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      static_cast<caught_by_sink*>(self)->texts.push_back(std::string(name) + ": " + e.what());
    } catch (...) {
      static_cast<caught_by_sink*>(self)->texts.emplace_back("?");
    }
  }
  unhandled_sink sink() { return {.take = take, .context = this}; }
};

TEST(Exception, F6_IsCarriedToWhoeverTakesTheResult) {
  caught_by_sink sink;
  coro_pool pool = *coro_pool::create({.unhandled = sink.sink()});
  auto c = pool.acquire<void, void, int>();
  const auto step = c->start([]() -> int { throw std::runtime_error("from inside"); });
  ASSERT_TRUE(step.finished());
  try {
    (void)c->returned();
    FAIL() << "returned() must rethrow";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "from inside");
  }
  ASSERT_TRUE(c->release());
  EXPECT_TRUE(sink.texts.empty());  // It was taken, so the sink is not called.
}

TEST(Exception, F6_AnOutcomeThatNobodyTookReachesTheSinkOnce) {
  caught_by_sink sink;
  {
    coro_pool pool = *coro_pool::create({.unhandled = sink.sink()});
    auto c = pool.acquire();
    ASSERT_FALSE(c->start("loud", [] { throw std::runtime_error("unheard"); }).failed());
    ASSERT_TRUE(c->release());
    EXPECT_EQ(sink.texts, (std::vector<std::string>{"loud: unheard"}));
    EXPECT_EQ(pool.stats().unhandled, 1U);
    auto d = pool.acquire()->detach();
    ASSERT_FALSE(d.start("late", [] { throw std::runtime_error("at the end"); }).failed());
  }
  EXPECT_EQ(sink.texts, (std::vector<std::string>{"loud: unheard", "late: at the end"}));
}

TEST(Exception, F6_TheDefaultSinkWritesOneLine) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start("loud", [] { throw std::runtime_error("unheard"); }).failed());
  testing::internal::CaptureStderr();
  ASSERT_TRUE(c->release());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "bast: unhandled exception left coroutine loud: unheard\n");
}

TEST(Exception, F6_TheDefaultSinkKnowsNothingOfWhatIsNoException) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([] { throw 7; }).failed());
  testing::internal::CaptureStderr();
  ASSERT_TRUE(c->release());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "bast: unhandled exception left coroutine (unnamed): "
            "not a std::exception\n");
}

TEST(Exception, WhatTheCallablesCopyThrowsReachesTheStarter) {
  struct refuses_copies {
    refuses_copies() = default;
    refuses_copies(const refuses_copies&) { throw std::runtime_error("no copies"); }
    void operator()() const {}
  };
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const refuses_copies original;
  EXPECT_THROW((void)c->start(original), std::runtime_error);
  EXPECT_EQ(c->state(), coro_state::ready);
  EXPECT_EQ(pool.stats().stacks.live, 0U);
  pool.check_invariants();
}

TEST(Exception, F7_ASuspensionInsideAHandlerKeepsItsOwnException) {
  coro_pool pool = *coro_pool::create();
  auto a = pool.acquire<void, void, std::string>();
  auto b = pool.acquire<void, void, std::string>();
  const auto body = [](const char* words) {
    return [words](yielder<>& out) -> std::string {
      try {
        throw std::runtime_error(words);
      } catch (...) {
        out.yield();
        try {
          throw;  // Rethrows this coroutine's exception, not the one handled by the other.
        } catch (const std::runtime_error& e) {
          return e.what();
        }
      }
    };
  };
  ASSERT_FALSE(a->start(body("a's")).failed());
  ASSERT_FALSE(b->start(body("b's")).failed());
  EXPECT_EQ(std::current_exception(), nullptr);
  ASSERT_FALSE(a->resume().failed());
  ASSERT_FALSE(b->resume().failed());
  EXPECT_EQ(*a->returned(), "a's");
  EXPECT_EQ(*b->returned(), "b's");
}

TEST(Exception, F7_TheResumersHandlerIsNotVisibleInside) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  try {
    throw 1;
  } catch (int) {
    ASSERT_FALSE(c->start([](yielder<>& out) {
                    EXPECT_EQ(std::current_exception(), nullptr);
                    out.yield();
                    EXPECT_EQ(std::current_exception(), nullptr);
                  }).failed());
    EXPECT_NE(std::current_exception(), nullptr);
    ASSERT_FALSE(c->resume().failed());
    EXPECT_NE(std::current_exception(), nullptr);
  }
}

/// Suspends in a destructor, in the middle of an unwinding.
struct suspends_while_unwinding {
  yielder<>& out;
  int& uncaught_after;
  ~suspends_while_unwinding() {
    out.yield();
    uncaught_after = std::uncaught_exceptions();
  }
};

TEST(Exception, F7_UncaughtExceptionsAreCountedPerCoroutine) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  int inside = -1;
  ASSERT_TRUE(c->start([&](yielder<>& out) {
                 try {
                   const suspends_while_unwinding guard{out, inside};
                   throw 1;
                 } catch (int) {
                 }
               }).yielded());
  EXPECT_EQ(std::uncaught_exceptions(), 0);  // One is in flight, but not here.
  ASSERT_TRUE(c->resume().finished());
  EXPECT_EQ(inside, 1);
  EXPECT_EQ(std::uncaught_exceptions(), 0);
}

TEST(Exception, F7_AskedForFloatControlWordsTravel) {
  coro_pool pool = *coro_pool::create({.own_float_control = true});
  auto c = pool.acquire();
  ASSERT_EQ(std::fegetround(), FE_TONEAREST);
  ASSERT_TRUE(c->start([](yielder<>& out) {
                 std::fesetround(FE_UPWARD);
                 out.yield();
                 EXPECT_EQ(std::fegetround(), FE_UPWARD);
               }).yielded());
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  std::fesetround(FE_DOWNWARD);
  ASSERT_TRUE(c->resume().finished());
  EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  std::fesetround(FE_TONEAREST);
}

TEST(Exception, F7_WithoutAskingFloatControlWordsAreTheThreads) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_FALSE(c->start([](yielder<>& out) {
                  std::fesetround(FE_UPWARD);
                  out.yield();
                }).failed());
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
}

TEST(Exception, ThrowingThroughAGrownStackWorks) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<void, void, int>();
  struct deep {
    static int down(int depth) {
      volatile char frame[2000];
      frame[0] = static_cast<char>(depth);
      if (depth == 0) throw 42;
      const int below = down(depth - 1);
      return below + frame[0];
    }
  };
  ASSERT_FALSE(c->start([] {
                  try {
                    return deep::down(60);
                  } catch (int n) {
                    return n;
                  }
                }).failed());
  EXPECT_EQ(*c->returned(), 42);
}

}  // namespace
}  // namespace bast
#endif
