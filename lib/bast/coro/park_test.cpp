// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/park.hpp"

#include <gtest/gtest.h>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using internal::coro_block;

coro_block* self() { return internal::this_thread.current; }

/// Returns false if it cannot be continued.
bool wake(coro_block* waiting) {
  if (!internal::is_parked(*waiting)) return false;
  internal::continue_parked(*waiting);
  return true;
}

/// The names of the predicates that hold.
template <class Yield>
std::string words_of(const step<Yield>& of) {
  return std::string(of.yielded() ? "yielded " : "") + (of.finished() ? "finished " : "") +
         (of.parked() ? "parked " : "");
}

TEST(Park, AStepIsOneOfThree) {
  coro_pool pool = *coro_pool::create();
  const auto steps_of = [&]<class Yield>(auto yields) {
    auto c = pool.acquire<Yield>();
    coro_block* waiting = nullptr;
    std::string all = words_of(c->start([&](yielder<Yield>& out) {
      waiting = self();
      internal::park();
      yields(out);
    }));
    all += words_of(c->peek());
    EXPECT_TRUE(wake(waiting));
    all += words_of(c->peek());
    all += words_of(c->resume());
    return all;
  };
  constexpr const char* wanted = "parked parked yielded finished ";
  EXPECT_EQ(steps_of.operator()<void>([](auto& out) { out.yield(); }), wanted);
  EXPECT_EQ(steps_of.operator()<int>([](auto& out) { out.yield(7); }), wanted);
}

TEST(Park, F4_OnlyTheWakerResumesAParkedCoroutine) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  coro_block* waiting = nullptr;
  int at = 0;
  auto step = c->start([&] {
    waiting = self();
    internal::park();
    at = 1;
    ASSERT_TRUE(this_coro::yield());
    at = 2;
  });
  EXPECT_TRUE(step.parked());
  EXPECT_FALSE(step.yielded());
  EXPECT_FALSE(step.finished());
  EXPECT_EQ(c->state(), coro_state::suspended);
  const auto refused = c->resume();
  ASSERT_TRUE(refused.failed());
  EXPECT_EQ(test::kind_of(refused), errc::not_owner);
  EXPECT_EQ(at, 0);
  EXPECT_TRUE(wake(waiting));
  EXPECT_EQ(at, 1);
  EXPECT_FALSE(wake(waiting)) << "it yielded, and is not parked";
  EXPECT_TRUE(c->peek().yielded());
  EXPECT_TRUE(c->resume().finished());
  EXPECT_EQ(at, 2);
  EXPECT_FALSE(wake(waiting));
}

TEST(Park, AYieldAfterAWakeKeepsItsValueForTheOwner) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire<int, int>();
  coro_block* waiting = nullptr;
  int answer = 0;
  ASSERT_TRUE(c->start([&](yielder<int, int>& out) {
                 waiting = self();
                 internal::park();
                 answer = out.yield(7);
               }).parked());
  ASSERT_TRUE(c->peek().parked());
  ASSERT_TRUE(wake(waiting));
  auto seen = c->peek();
  ASSERT_TRUE(seen.yielded());
  EXPECT_EQ(seen.value(), 7);
  ASSERT_TRUE(c->resume(8).finished());
  EXPECT_EQ(answer, 8);
}

#if BAST_EXCEPTIONS
TEST(Park, F8_ReleasingAParkedCoroutineUnwindsIt) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  bool destroyed = false;
  struct local {
    bool& destroyed;
    ~local() { destroyed = true; }
  };
  ASSERT_TRUE(c->start([&] {
                 const local l{destroyed};
                 internal::park();
               }).parked());
  EXPECT_TRUE(c->release());
  EXPECT_TRUE(destroyed);
}
#endif

TEST(NoSuspension, C9_YieldingAnswersBadState) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  auto other = pool.acquire();
  int seen = 0;
  ASSERT_TRUE(c->start([&] {
                 ASSERT_TRUE(this_coro::set_name("outer"));
                 {
                   const internal::no_suspension guard;
                   const auto yielded = this_coro::yield();
                   ASSERT_FALSE(yielded);
                   EXPECT_EQ(test::kind_of(yielded), errc::bad_state);
                   EXPECT_TRUE(this_coro::exists());
                   EXPECT_STREQ(this_coro::name(), "outer");
                   EXPECT_GT(this_coro::stack_left().count, 0U);
                   // Another coroutine may run and suspend here.
                   ASSERT_TRUE(other
                                   ->start([&] {
                                     ++seen;
                                     ASSERT_TRUE(this_coro::yield());
                                     ++seen;
                                   })
                                   .yielded());
                   ASSERT_TRUE(other->resume().finished());
                 }
                 ASSERT_TRUE(this_coro::yield());
                 ++seen;
               }).yielded());
  ASSERT_TRUE(c->resume().finished());
  EXPECT_EQ(seen, 3);
}

TEST(NoSuspensionDeathTest, C9_AYielderUsedThereEndsTheProcess) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  EXPECT_DEATH(
      {
        (void)c->start([&](yielder<>& out) {
          const internal::no_suspension guard;
          out.yield();
        });
      },
      "a yielder was used outside its coroutine");
}

}  // namespace
}  // namespace bast
