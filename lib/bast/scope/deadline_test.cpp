// SPDX-License-Identifier: Apache-2.0
//
// Deadlines and shields, of scopes and of parts of a fiber.
#include <stdexcept>

#include "bast/scope/scope_test.hpp"

namespace bast::test {
namespace {

time_point now() { return std::chrono::steady_clock::now(); }

TEST(Deadline, C14_OfAScopeCancelsItsFibers) {
  for (const std::size_t workers : {1U, 2U}) {
    in_fibers(
        [] {
          const time_point begun = now();
          const auto got = run_scope(
              [](scope& s) {
                EXPECT_TRUE(s.spawn(wait_long));
                return wait_long();
              },
              {.deadline = begun + 2ms});
          EXPECT_GE(now(), begun + 2ms);
          EXPECT_EQ(got.error().status, scope_status::cancelled);
          EXPECT_EQ(got.error().reason->code, cancel_code::deadline);
          EXPECT_TRUE(got.error().absorbed);
          EXPECT_TRUE(this_coro::checkpoint());
        },
        workers);
  }
}

TEST(Deadline, C14_IsInheritedAndTheEarliestCounts) {
  in_fibers([] {
    const time_point soon = now() + 2ms;
    const auto outer = run_scope(
        [&](scope& s) {
          EXPECT_EQ(s.deadline(), soon);
          const auto inner = run_scope(
              [&](scope& later) {
                EXPECT_EQ(later.deadline(), soon);
                return wait_long();
              },
              {.deadline = soon + 1h});
          EXPECT_EQ(inner.error().reason->code, cancel_code::parent);
          EXPECT_EQ(inner.error().reason->cause, cancel_code::deadline);
          EXPECT_FALSE(inner.error().absorbed);  // C-15
          return this_coro::checkpoint();
        },
        {.deadline = soon});
    EXPECT_TRUE(outer.error().absorbed);
  });
}

TEST(Deadline, C14_IsExtendedAndShortened) {
  in_fibers([] {
    const auto got = run_scope(
        [](scope& s) {
          EXPECT_TRUE(s.set_deadline(now() + 1h));
          EXPECT_TRUE(perform(sleep_for(4ms)));
          EXPECT_TRUE(s.set_deadline(never));
          EXPECT_EQ(s.deadline(), never);
          EXPECT_TRUE(s.set_deadline(now() + 1ms));
          EXPECT_EQ(wait_long().error(), errc::cancelled);
          // No effect any more.
          EXPECT_TRUE(s.set_deadline(now() + 1h));
          EXPECT_FALSE(this_coro::checkpoint());
          return 1;
        },
        {.deadline = now() + 3ms});
    EXPECT_EQ(got.value(), 1);
  });
}

TEST(Deadline, C14_APastOneCancelsBeforeTheNextCheckpoint) {
  in_fibers([] {
    EXPECT_EQ(run_scope([](scope&) { return this_coro::checkpoint(); }, {.deadline = now() - 1s})
                  .error()
                  .reason->code,
              cancel_code::deadline);
    const auto got = run_scope([](scope& s) {
      EXPECT_TRUE(this_coro::checkpoint());
      EXPECT_TRUE(s.set_deadline(now()));
      EXPECT_FALSE(this_coro::checkpoint());
    });
    EXPECT_TRUE(got);
  });
}

TEST(Deadline, S9_IsSetOnTheWorkerOfTheOwner) {
  in_fibers(
      [] {
        EXPECT_TRUE(run_scope([](scope& s) {
          EXPECT_TRUE(s.spawn([&, home = this_fiber::worker()] {
            const auto set = s.set_deadline(never);
            if (this_fiber::worker() == home) {
              EXPECT_TRUE(set);
            } else {
              EXPECT_EQ(set.error(), errc::wrong_thread);
            }
          }));
          const time_point until = now() + 5ms;  // The other worker takes it.
          while (now() < until) continue;
        }));
      },
      2);
}

TEST(Deadline, C15_FailAfterTurnsItsOwnIntoTimedOut) {
  in_fibers([] {
    EXPECT_EQ(fail_after(1ms, wait_long).error(), errc::timed_out);
    EXPECT_EQ(fail_at(now() + 1ms, wait_long).error(), errc::timed_out);
    EXPECT_EQ(fail_after(1h, [] { return 3; }).value(), 3);
    EXPECT_EQ(fail_after(1h, [] { return broken("x"); }).error(), errc::invalid);
    EXPECT_EQ(fail_after(-1ns, [] { return this_coro::checkpoint(); }).error(), errc::timed_out);
    // A value that came late is kept.
    EXPECT_EQ(fail_after(1ms,
                         [] {
                           (void)wait_long();
                           return 4;
                         })
                  .value(),
              4);
    // Of two, the one whose deadline it was.
    const auto inner_first = fail_after(1h, [] { return fail_after(1ms, wait_long); });
    EXPECT_EQ(inner_first.error(), errc::timed_out);
    bool inner_was_cancelled = false;
    const auto outer_first = fail_after(1ms, [&] {
      const auto inner = fail_after(1h, wait_long);
      inner_was_cancelled = inner.error() == errc::cancelled;
      return inner;
    });
    EXPECT_EQ(outer_first.error(), errc::timed_out);
    EXPECT_TRUE(inner_was_cancelled);
  });
}

TEST(Deadline, C15_MoveOnAfterReturnsNothing) {
  in_fibers([] {
    EXPECT_FALSE(move_on_after(1ms, wait_long).value());
    EXPECT_TRUE(move_on_after(1h, [] { return result<void>(); }).value());
    EXPECT_EQ(move_on_after(1h, [] { return 3; }).value(), 3);
    EXPECT_EQ(move_on_at(now() + 1ms,
                         []() -> result<int> {
                           if (auto waited = wait_long(); !waited) {
                             return std::unexpected(waited.error());
                           }
                           return 1;
                         })
                  .value(),
              std::nullopt);
    EXPECT_EQ(move_on_after(1h, [] { return broken("x"); }).error(), errc::invalid);
    // Partial results are where the body has left them.
    std::vector<int> parts;
    const auto all = move_on_after(5ms, [&]() -> result<void> {
      for (int i = 0;; ++i) {
        if (auto waited = perform(sleep_for(1ms)); !waited) return waited;
        parts.push_back(i);
      }
    });
    EXPECT_FALSE(all.value());
    EXPECT_LE(parts.size(), 5U);
    EXPECT_TRUE(this_coro::checkpoint());
  });
}

TEST(Deadline, LeavesNothingWhenItsCodeThrows) {
#if BAST_EXCEPTIONS
  in_fibers([] {
    EXPECT_THROW((void)fail_after(1ms, []() -> int { throw std::runtime_error("x"); }),
                 std::runtime_error);
    EXPECT_TRUE(perform(sleep_for(3ms)));
  });
#endif
}

TEST(Deadline, WhatItsCodeSpawnsIsNotUnderIt) {
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& s) {
      EXPECT_FALSE(move_on_after(1ms, [] {
                     EXPECT_TRUE(spawn([] { EXPECT_TRUE(perform(sleep_for(4ms))); }));
                     return wait_long();
                   }).value());
      EXPECT_EQ(s.size(), 1U);
    }));
  });
}

TEST(Deadline, WhereThereIsNoFiber) {
  EXPECT_EQ(fail_after(1h, [] { return 1; }).error(), errc::not_in_fiber);
  EXPECT_EQ(shield([] { return 1; }), 1);
}

TEST(Shield, C13_BlocksWhatComesFromOutside) {
  in_fibers([] {
    const auto outer = run_scope([](scope& s) {
      EXPECT_TRUE(s.cancel());
      const auto shielded = run_scope(
          [](scope& inner) {
            EXPECT_FALSE(inner.is_cancelled());
            EXPECT_TRUE(perform(sleep_for(1ms)));
            EXPECT_TRUE(inner.spawn([] { EXPECT_TRUE(perform(sleep_for(1ms))); }));
          },
          {.shielded = true});
      EXPECT_TRUE(shielded);
      EXPECT_TRUE(shield([] { return perform(sleep_for(1ms)); }));
      // The first checkpoint after it.
      return this_coro::checkpoint();
    });
    EXPECT_EQ(outer.error().status, scope_status::cancelled);
  });
}

TEST(Shield, C13_NotItsOwnCancelDeadlineOrFailure) {
  in_fibers([] {
    const auto cancelled = run_scope(
        [](scope& s) {
          EXPECT_TRUE(s.cancel());
          return wait_long();
        },
        {.shielded = true});
    EXPECT_TRUE(cancelled.error().absorbed);
    const auto late =
        run_scope([](scope&) { return wait_long(); }, {.deadline = now() + 1ms, .shielded = true});
    EXPECT_EQ(late.error().reason->code, cancel_code::deadline);
    const auto failed = run_scope(
        [](scope& s) {
          EXPECT_TRUE(s.spawn([] { return broken("x"); }));
          EXPECT_EQ(wait_long().error(), errc::cancelled);
        },
        {.shielded = true});
    EXPECT_EQ(failed.error().status, scope_status::failed);
  });
}

TEST(Shield, C15_ACancelFromABindingComesFromOutside) {
  in_fibers([] {
    const auto outside = cancel_source::create().value();
    const cancel_binding bound(outside.token());
    const auto got = run_scope([&](scope& s) {
      EXPECT_TRUE(s.spawn(wait_long));
      EXPECT_TRUE(yield_now());
      EXPECT_TRUE(outside.cancel({.code = cancel_code::shutdown, .text = "by hand"}));
      return wait_long();
    });
    EXPECT_EQ(got.error().status, scope_status::cancelled);
    EXPECT_FALSE(got.error().absorbed);
    EXPECT_EQ(got.error().reason->code, cancel_code::parent);
    EXPECT_EQ(got.error().reason->cause, cancel_code::shutdown);
    // One that has fired before.
    EXPECT_FALSE(run_scope([](scope&) { return this_coro::checkpoint(); }));
    EXPECT_TRUE(run_scope([](scope&) { return this_coro::checkpoint(); }, {.shielded = true}));
  });
}

}  // namespace
}  // namespace bast::test
