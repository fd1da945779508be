// SPDX-License-Identifier: Apache-2.0
//
// Arms with fibers of their own, and ops about tokens.
#include <memory>
#include <stdexcept>
#include <thread>

#include "bast/scope/scope_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast::test {
namespace {

/// An arm whose fiber runs `body`, and that commits with what it returns.
template <class F>
auto arm_of(F body) {
  return scope_op([body](scope& s) {
    auto handle = std::make_shared<fiber<internal::fiber_value<F>>>(s.spawn(body).value());
    return wrap(handle->joined(), [handle](auto value) { return value; });
  });
}

TEST(ScopeOp, O15_CommitsWithItsOp) {
  in_fibers([] {
    EXPECT_EQ(perform(arm_of([] { return 3; })).value(), 3);
    EXPECT_EQ(perform(arm_of([] {
                EXPECT_TRUE(perform(sleep_for(1ms)));
                return 4;
              })).value(),
              4);
    // A copyable op is performed anew each time.
    int builds = 0;
    const auto op = scope_op([&](scope&) {
      ++builds;
      return always(builds);
    });
    EXPECT_EQ(perform(op).value(), 1);
    EXPECT_EQ(perform(op).value(), 2);
  });
}

TEST(ScopeOp, O15_TheValueComesWhenTheFibersHaveEnded) {
  for (const std::size_t workers : {1U, 2U}) {
    in_fibers(
        [] {
          std::atomic<bool> ended = false;
          EXPECT_EQ(perform(scope_op([&](scope& s) {
                      EXPECT_TRUE(s.spawn([&] {
                        EXPECT_TRUE(perform(sleep_for(1ms)));
                        ended = true;
                      }));
                      return always(1);
                    })).value(),
                    1);
          EXPECT_TRUE(ended);
        },
        workers);
  }
}

TEST(ScopeOp, O15_ALosingArmIsCancelledAndAwaited) {
  for (const std::size_t workers : {1U, 2U}) {
    in_fibers(
        [] {
          std::atomic<int> ended = 0;
          const auto slow = [&] {
            (void)wait_long();
            ++ended;
            return 1;
          };
          const auto quick = wrap(sleep_for(1ms), [] { return 2; });
          EXPECT_EQ(perform(choice(arm_of(slow), arm_of(slow), quick)).value(), 2);
          EXPECT_EQ(ended, 2);
          EXPECT_EQ(perform(timeout(arm_of(slow), 1ms)).error(), errc::timed_out);
          EXPECT_EQ(ended, 3);
          EXPECT_FALSE(poll(arm_of(slow)));
          EXPECT_EQ(ended, 4);
        },
        workers);
  }
}

TEST(ScopeOp, O15_IsCancelledWithItsCaller) {
  in_fibers([] {
    int ended = 0;
    EXPECT_EQ(fail_after(1ms,
                         [&] {
                           return perform(arm_of([&] {
                             (void)wait_long();
                             ++ended;
                             return 1;
                           }));
                         })
                  .error(),
              errc::timed_out);
    EXPECT_EQ(ended, 1);
  });
}

TEST(ScopeOp, AFailureInItIsThatOfThePerform) {
  in_fibers([] {
    // While it waits.
    EXPECT_EQ(perform(scope_op([](scope& s) {
                EXPECT_TRUE(s.spawn([] { return broken("below"); }));
                return sleep_for(1h);
              }))
                  .error()
                  .message(),
              "test: invalid argument: below");
    // After its op has committed.
    EXPECT_EQ(perform(scope_op([](scope& s) {
                EXPECT_TRUE(s.spawn([] { return broken("late"); }));
                return always(1);
              })).error(),
              errc::invalid);
    // Of the function.
    EXPECT_EQ(perform(scope_op([](scope&) -> result<always_op<int>> {
                return fail(errc::limit, "test", "no");
              })).error(),
              errc::limit);
    EXPECT_EQ(perform(scope_op([](scope&) { return always(1); }, {.grace = -1ns})).error(),
              errc::invalid);
    EXPECT_TRUE(this_coro::checkpoint());
  });
  EXPECT_EQ(perform(scope_op([](scope&) { return always(1); })).error(), errc::not_in_fiber);
}

#if BAST_EXCEPTIONS
TEST(ScopeOp, IsAwaitedWhenItsFunctionOrAnotherArmThrows) {
  in_fibers([] {
    int ended = 0;
    const auto spawns = [&](scope& s) {
      EXPECT_TRUE(s.spawn([&] {
        (void)wait_long();
        ++ended;
      }));
    };
    const auto throws = scope_op([&](scope& s) -> always_op<int> {
      spawns(s);
      throw std::runtime_error("x");
    });
    EXPECT_THROW((void)perform(throws), std::runtime_error);
    EXPECT_EQ(ended, 1);
    const auto wraps = wrap(scope_op([&](scope& s) {
                              spawns(s);
                              s.cancel();
                              return always(1);
                            }),
                            [](int) -> int { throw std::runtime_error("y"); });
    EXPECT_THROW((void)perform(wraps), std::runtime_error);
    EXPECT_EQ(ended, 2);
  });
}
#endif

TEST(CancelledOp, CommitsOnceTheTokenHasFired) {
  in_fibers([] {
    const auto source = cancel_source::create().value();
    EXPECT_FALSE(poll(cancelled(source.token())));
    EXPECT_FALSE(poll(cancelled(cancel_token())));
    auto waits = spawn([&] { return perform(cancelled(source.token())); }).value();
    auto chooses = spawn([&] {
                     return perform(first_ready(cancelled(source.token()), sleep_for(1h)));
                   }).value();
    let_others_run();
    EXPECT_FALSE(waits.is_done());
    EXPECT_TRUE(source.cancel());
    EXPECT_TRUE(waits.join());
    EXPECT_EQ(chooses.join().value(), 0U);
    EXPECT_TRUE(perform(cancelled(source.token())));
    EXPECT_TRUE(poll(cancelled(source.token())));
    // Of one that loses nothing is left.
    const auto other = cancel_source::create().value();
    EXPECT_EQ(perform(first_ready(cancelled(other.token()), sleep_for(1ms))).value(), 1U);
    EXPECT_TRUE(other.cancel());
  });
}

TEST(CancelledOp, FiresFromOtherThreadsWhileItIsArmed) {
  in_fibers([] {
    for (int round = 0; round < 300; ++round) {
      const auto source = cancel_source::create().value();
      const joined_thread other([&] { EXPECT_TRUE(source.cancel()); });
      EXPECT_TRUE(perform(cancelled(source.token())));
    }
  });
  for (int round = 0; round < 300; ++round) {
    const auto source = cancel_source::create().value();
    const joined_thread other([&] { EXPECT_TRUE(source.cancel()); });
    EXPECT_TRUE(perform(cancelled(source.token())));
  }
}

TEST(CancelledOp, OfAScopeIsNotOk) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      EXPECT_FALSE(poll(s.not_ok()));
      EXPECT_TRUE(s.spawn([] { return broken("x"); }));
      EXPECT_TRUE(shield([&] { return perform(s.not_ok()); }));
      EXPECT_TRUE(poll(s.fault()));
    });
    EXPECT_FALSE(got);
  });
}

}  // namespace
}  // namespace bast::test
