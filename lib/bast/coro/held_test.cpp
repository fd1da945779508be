// SPDX-License-Identifier: Apache-2.0
//
// F-1 during an operation: user code that the operation calls (a conversion, a move, a destructor,
// the sink) finds the coroutine running whatever it tries, and the operation completes.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using test::kind_of;

/// The result of each operation when called during another one.
template <class Ref>
std::string tried_on(Ref handle) {
  std::string answers;
  const auto add = [&](std::optional<errc> kind) {
    answers += kind ? error(*kind, "", "").message() + "; " : "worked; ";
  };
  add(kind_of(handle.start([](auto&) -> int { return 0; })));
  add(kind_of(handle.resume(1)));
  add(kind_of(handle.peek()));
  add(kind_of(handle.release()));
  add(kind_of(handle.release(abandon)));
  add(kind_of(handle.returned()));
  return answers;
}

std::string all_refused() {
  std::string answers;
  for (const errc kind :
       {errc::bad_state, errc::busy, errc::busy, errc::busy, errc::busy, errc::bad_state}) {
    answers += error(kind, "", "").message() + "; ";
  }
  return answers;
}

/// The code to run during an operation; set while it is to be called.
std::function<void()> in_the_middle;

void call() {
  if (in_the_middle) in_the_middle();
}

/// A value whose conversion, copy, move and destruction call it.
struct calling {
  int number = 0;
  calling() = default;
  calling(int n) : number(n) { call(); }
  calling(calling&& other) noexcept : number(std::exchange(other.number, -1)) { call(); }
  calling(const calling&) = delete;
  calling& operator=(const calling&) = delete;
  ~calling() {
    if (number > 0) call();
  }
};

struct stops_calling {
  ~stops_calling() { in_the_middle = nullptr; }
};

TEST(Held, F1_WhileAResultThatNobodyTookIsDestroyed) {
  const stops_calling after;
  coro_pool pool = *coro_pool::create();
  for (int life = 1; life <= 2; ++life) {
    coro_ref<int, int, calling> c = pool.acquire<int, int, calling>()->detach();
    ASSERT_FALSE(c.start([](yielder<int, int>&) { return calling(5); }).failed());
    std::vector<std::string> answers;
    in_the_middle = [&] {
      answers.push_back(tried_on(coro_ref<int, int, calling>(c)));
      pool.check_invariants();
    };
    ASSERT_TRUE(c.release());
    in_the_middle = nullptr;
    EXPECT_EQ(answers, std::vector{all_refused()});
    EXPECT_EQ(kind_of(c.release()), errc::stale_handle);
    pool.check_invariants();
    EXPECT_EQ(pool.stats().free, 1U);
  }
  const auto one = pool.acquire();
  const auto other = pool.acquire();
  EXPECT_FALSE(static_cast<const coro_ref<>&>(*one) == static_cast<const coro_ref<>&>(*other));
}

/// The session is destroyed with the result, and the owner of the coroutine with the session.
TEST(Held, F16_AResultMayOwnTheOwnerOfItsCoroutine) {
  struct session {
    coro<void, void, std::shared_ptr<session>> worker;
  };
  coro_pool pool = *coro_pool::create();
  const auto make = [&] {
    auto made = std::make_shared<session>();
    made->worker = *pool.acquire<void, void, std::shared_ptr<session>>();
    session* const left = made.get();
    EXPECT_FALSE(
        left->worker.start([s = std::move(made)]() mutable { return std::move(s); }).failed());
    return left;
  };
  EXPECT_TRUE(make()->worker.release());
  EXPECT_EQ(pool.stats().free, 1U);
  make()->worker = {};
  EXPECT_EQ(pool.stats().free, 1U);
  make()->worker = *pool.acquire<void, void, std::shared_ptr<session>>();
  EXPECT_EQ(pool.stats().free, 2U) << "the new one went with the session too";
  pool.check_invariants();
  make();
  // The pool ends with the session.
}

TEST(Held, F1_WhileAValueIsConvertedForAResume) {
  const stops_calling after;
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int, calling, int>();
  std::vector<int> got;
  ASSERT_FALSE(c->start([&](yielder<int, calling>& out) {
                  for (int i = 0; i < 2; ++i) got.push_back(out.yield(i).number);
                  return 0;
                }).failed());
  std::vector<std::string> answers;
  in_the_middle = [&] {
    const auto again = std::exchange(in_the_middle, nullptr);
    coro_ref<int, calling, int> handle = *c;
    answers.push_back(tried_on(handle));
    in_the_middle = again;
  };
  struct converts {
    operator calling() const { return calling(7); }
  };
  ASSERT_EQ(c->resume(converts()).value(), 1);
  in_the_middle = nullptr;
  ASSERT_FALSE(answers.empty());
  EXPECT_EQ(answers.front(), all_refused());
  EXPECT_EQ(got, std::vector{7});
  EXPECT_TRUE(c->resume(calling(8)).finished());
  EXPECT_EQ(got, (std::vector{7, 8}));
  pool.check_invariants();
}

TEST(Held, F1_WhileTheCallableIsStored) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int, int, int>();
  std::vector<std::string> answers;
  bool ran = false;
  struct copied {
    std::vector<std::string>& answers;
    coro_ref<int, int, int> own;
    bool& ran;
    copied(std::vector<std::string>& a, coro_ref<int, int, int> o, bool& r)
        : answers(a), own(o), ran(r) {}
    copied(const copied& other) : answers(other.answers), own(other.own), ran(other.ran) {
      answers.push_back(tried_on(own));
    }
    copied& operator=(const copied&) = delete;
    ~copied() = default;
    int operator()() {
      ran = true;
      return 3;
    }
  };
  const copied job(answers, *c, ran);
  ASSERT_TRUE(c->start(job).finished());
  EXPECT_EQ(answers, std::vector{all_refused()});
  EXPECT_TRUE(ran);
  EXPECT_EQ(*c->returned(), 3);
  pool.check_invariants();
}

TEST(Held, F1_WhileAYieldedValueIsMovedOut) {
  const stops_calling after;
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<calling, int, int>();
  std::vector<std::string> answers;
  auto step = c->start([&](yielder<calling, int>& out) {
    for (int i = 1; i < 3; ++i) {
      calling value(i);
      in_the_middle = [&] {
        if (this_coro::exists()) return;  // it moves the value into its own frame first
        in_the_middle = nullptr;
        if (c->state() != coro_state::running) answers.emplace_back("not held");
        answers.push_back(tried_on(coro_ref<calling, int, int>(*c)));
      };
      (void)out.yield(std::move(value));
    }
    return 0;
  });
  EXPECT_EQ(step.value().number, 1);
  EXPECT_EQ(c->state(), coro_state::suspended);
  auto second = c->resume(0);
  EXPECT_EQ(second.value().number, 2);
  for (const std::string& answer : answers) EXPECT_EQ(answer, all_refused());
  EXPECT_EQ(answers.size(), 2U);
  EXPECT_TRUE(c->resume(0).finished());
}

TEST(Held, F1_WhileAResultIsTaken) {
  const stops_calling after;
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int, int, calling>();
  ASSERT_FALSE(c->start([](yielder<int, int>&) { return calling(5); }).failed());
  std::vector<std::string> answers;
  in_the_middle = [&] { answers.push_back(tried_on(coro_ref<int, int, calling>(*c))); };
  auto taken = c->returned();
  in_the_middle = nullptr;
  ASSERT_FALSE(answers.empty());
  for (const std::string& answer : answers) EXPECT_EQ(answer, all_refused());
  EXPECT_EQ(taken->number, 5);
  EXPECT_EQ(c->state(), coro_state::finished);
  EXPECT_EQ(kind_of(c->returned()), errc::bad_state);
  EXPECT_TRUE(c->release());
  pool.check_invariants();
}

#if BAST_EXCEPTIONS

TEST(Held, F6_TheSinkMayTryToReleaseToo) {
  struct heard {
    coro_ref<int, int, int> own;
    std::vector<std::string> answers;
  } context;
  coro_pool pool =
      *coro_pool::create({.unhandled = {.take =
                                            [](void* to, std::exception_ptr, const char*) noexcept {
                                              auto& h = *static_cast<heard*>(to);
                                              h.answers.push_back(tried_on(h.own));
                                            },
                                        .context = &context}});
  context.own = pool.acquire<int, int, int>()->detach();
  ASSERT_FALSE(context.own.start([]() -> int { throw 1; }).failed());
  ASSERT_TRUE(context.own.release());
  EXPECT_EQ(context.answers, std::vector{all_refused()});
  EXPECT_EQ(pool.stats().free, 1U);
  pool.check_invariants();
}

TEST(Held, F1_WhatIsThrownInTheMiddleLeavesEverythingAsItWas) {
  coro_pool pool = *coro_pool::create();
  struct throws_when_copied {
    throws_when_copied() = default;
    throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
    throws_when_copied& operator=(const throws_when_copied&) = delete;
    ~throws_when_copied() = default;
    void operator()() const {}
  };
  struct throws_when_converted {
    operator int() const { throw std::runtime_error("conversion"); }
  };
  struct throws_when_moved {
    bool throws = true;
    throws_when_moved() = default;
    throws_when_moved(throws_when_moved&& other) : throws(other.throws) {
      if (std::exchange(other.throws, false)) throw std::runtime_error("move");
    }
    throws_when_moved& operator=(const throws_when_moved&) = delete;
    ~throws_when_moved() = default;
  };
  auto starts = pool.acquire();
  const throws_when_copied job;
  EXPECT_THROW((void)starts->start(job), std::runtime_error);
  EXPECT_EQ(starts->state(), coro_state::ready);
  EXPECT_EQ(pool.stats().stacks.live, 0U);
  EXPECT_EQ(starts->name(), nullptr);
  EXPECT_TRUE(starts->start([] {}).finished());

  auto resumes = pool.acquire<void, int, int>();
  ASSERT_FALSE(resumes->start([](yielder<void, int>& out) { return out.yield(); }).failed());
  EXPECT_THROW((void)resumes->resume(throws_when_converted()), std::runtime_error);
  EXPECT_EQ(resumes->state(), coro_state::suspended);
  EXPECT_TRUE(resumes->resume(4).finished());
  EXPECT_EQ(*resumes->returned(), 4);

  auto takes = pool.acquire<void, void, throws_when_moved>();
  ASSERT_FALSE(takes->start([] { return throws_when_moved(); }).failed());
  EXPECT_THROW((void)takes->returned(), std::runtime_error);
  EXPECT_EQ(takes->state(), coro_state::finished);
  EXPECT_TRUE(takes->returned()) << "it is still there";
  pool.check_invariants();
}

#endif

result<coro<void, void, calling>> acquire_calling(coro_pool& pool) {
  return pool.acquire<void, void, calling>();
}

TEST(HeldDeath, F17_APoolThatDiesInTheMiddleNamesTheCoroutine) {
  EXPECT_DEATH(
      {
        auto pool = std::make_unique<coro_pool>(*coro_pool::create());
        auto c = acquire_calling(*pool);
        (void)c->start("owner", [] { return calling(1); });
        in_the_middle = [&] { pool.reset(); };
        (void)c->release();
      },
      "a coro_pool was destroyed while coroutine 'owner' was running");
}

}  // namespace
}  // namespace bast
