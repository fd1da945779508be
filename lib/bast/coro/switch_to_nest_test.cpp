// SPDX-License-Identifier: Apache-2.0
//
// Scheduled coroutines that wait while a raw one that they resumed runs.
#include <gtest/gtest.h>

#include <cfenv>
#include <string>

#include "bast/coro.hpp"
#include "bast/coro/no_suspension.hpp"
#include "bast/coro/switch_to.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/scheduler.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

using scheduler = minimal_scheduler;

/// A raw coroutine that a scheduled one resumed waits, and its resumer with it.
TEST(SwitchTo, F4_ANestMayWaitAndGoesOnWhereItWas) {
  scheduler all;
  coro_pool pool = *coro_pool::create();
  std::string order;
  auto inner = pool.acquire();
  auto innermost = pool.acquire();
  scheduler::record& base = all.spawn_void([&] {
    order += "base ";
    EXPECT_TRUE(inner
                    ->start([&](yielder<>& out) {
                      order += "inner ";
                      EXPECT_TRUE(innermost
                                      ->start([&](yielder<>& further_out) {
                                        order += "innermost ";
                                        scheduler::yield();
                                        order += "again ";
                                        further_out.yield();
                                        scheduler::yield_to_the_thread();
                                        order += "and again ";
                                      })
                                      .yielded());
                      order += "between ";
                      out.yield();
                      scheduler::yield();
                      EXPECT_TRUE(innermost->resume().finished());
                      order += "inner ends ";
                    })
                    .yielded());
    order += "base again ";
    scheduler::yield();
    EXPECT_TRUE(inner->resume().finished());
    order += "base ends ";
  });
  all.spawn_void([&] {
    order += "other ";
    EXPECT_EQ(test::kind_of(innermost->resume()), errc::not_owner);
    EXPECT_EQ(test::kind_of(innermost->release()), errc::not_owner);
    EXPECT_EQ(test::kind_of(innermost->release(abandon)), errc::not_owner);
    EXPECT_EQ(test::kind_of(inner->resume()), errc::busy) << "it has resumed another";
    EXPECT_EQ(test::kind_of(inner->release()), errc::busy);
    EXPECT_EQ(state_of(base.block.tag), coro_state::running);
    scheduler::yield();
    order += "other again ";
    scheduler::yield_to_the_thread();
    order += "other ends ";
  });
  all.run();
  EXPECT_EQ(order,
            "base inner innermost other again between base again other again other ends and again "
            "inner ends base ends ");
  pool.check_invariants();
}

/// A nest uses the control words of the coroutine below it, also while it waits.
TEST(SwitchTo, F7_ANestKeepsTheControlWordsItRanWith) {
  scheduler all;
  coro_pool pool = *coro_pool::create();
  auto inner = pool.acquire();
  int seen = 0;
  all.spawn_void(
      [&] {
        std::fesetround(FE_UPWARD);
        EXPECT_TRUE(inner
                        ->start([&] {
                          scheduler::yield();
                          seen = std::fegetround();
                          scheduler::yield();
                        })
                        .finished());
      },
      flag_own_float);
  const auto other = [&] {
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
    scheduler::yield();
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  };
  all.spawn_void(other);
  std::fesetround(FE_DOWNWARD);
  all.run();
  EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  EXPECT_EQ(seen, FE_UPWARD);
  std::fesetround(FE_TONEAREST);
}

TEST(SwitchToDeath, C9_NothingWaitsWithinWhatMayNotSuspend) {
  const auto wait_there = [] {
    scheduler all;
    coro_pool pool = *coro_pool::create();
    auto inner = pool.acquire();
    all.spawn_void([&] {
      const no_suspension here;
      (void)inner->start([] { scheduler::park(); });
    });
    all.run();
  };
  EXPECT_DEATH(wait_there(), "a coroutine waits in code that may not suspend");
}

/// Between two of its waits the thread enters it by another call, from elsewhere, and has left the
/// place where the nest began.
TEST(SwitchTo, F4_ANestEndsAtWhoeverRunsItThen) {
  scheduler all;
  coro_pool pool = *coro_pool::create();
  auto inner = pool.acquire();
  coro_block* waits = nullptr;
  int rounds = 0;
  const auto wait = [&] {
    waits = this_thread.current;
    park_for_resumer();
    ++rounds;
  };
  all.spawn_void([&] {
    EXPECT_TRUE(inner
                    ->start([&] {
                      for (int i = 0; i < 3; ++i) wait();
                    })
                    .finished());
    wait();
  });
  all.run();
  const auto run_from = [&](const auto& self, int depth) -> void {
    volatile char frame[200];
    frame[0] = 0;
    if (depth != 0) {
      self(self, depth - 1);
      if (frame[0] != 0) rounds = -1;  // No tail call: each call has its own frame.
      return;
    }
    all.ready.push_back(waits);
    all.run();
  };
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(rounds, round);
    run_from(run_from, 5 * (3 - round));
  }
  EXPECT_EQ(rounds, 4);
  EXPECT_EQ(all.taken_back, 1U);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
