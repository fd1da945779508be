// SPDX-License-Identifier: Apache-2.0
//
// Scopes: their fibers, failures and status.
#include "bast/scope/scope_test.hpp"

#include <stdexcept>

namespace bast::test {
namespace {

using messages = std::vector<std::string>;

TEST(Scope, S1_ReturnsWhenItsFibersHaveEnded) {
  for (const std::size_t workers : {1U, 2U, 4U}) {
    in_fibers(
        [] {
          std::atomic<int> ended = 0;
          const auto got = run_scope([&](scope& s) {
            for (int i = 0; i < 50; ++i) {
              EXPECT_TRUE(s.spawn([&, i] {
                for (int turn = 0; turn < i; ++turn) EXPECT_TRUE(yield_now());
                ++ended;
              }));
            }
            return 7;
          });
          EXPECT_EQ(got.value(), 7);
          EXPECT_EQ(ended, 50);
        },
        workers);
  }
}

TEST(Scope, S1_WhatItsFibersSpawnBelongsToIt) {
  in_fibers([] {
    std::vector<int> order;
    EXPECT_TRUE(run_scope([&](scope& s) {
      EXPECT_TRUE(spawn([&] {
        EXPECT_TRUE(spawn([&] {
          EXPECT_TRUE(perform(sleep_for(1ms)));
          order.push_back(1);
        }));
      }));
      EXPECT_EQ(s.size(), 1U);
    }));
    order.push_back(2);
    EXPECT_EQ(order, (std::vector{1, 2}));
  });
}

TEST(Scope, S1_BatchesAsyncsAndConcurrentsBelongToIt) {
  in_fibers([] {
    int ended = 0;
    const auto slowly = [&] {
      EXPECT_TRUE(yield_now());
      ++ended;
    };
    EXPECT_TRUE(run_scope([&](scope& s) {
      const auto batch = spawn_batch(3, [&](std::size_t) { slowly(); });
      const auto beside = concurrent(slowly);
      const auto perhaps = async(slowly);
      EXPECT_TRUE(batch);
      EXPECT_TRUE(beside);
      EXPECT_EQ(s.size(), 5U);
    }));
    EXPECT_EQ(ended, 5);
  });
}

TEST(Scope, S1_ScopesNest) {
  in_fibers([] {
    std::vector<int> order;
    const auto outer = run_scope([&](scope& s) {
      EXPECT_TRUE(s.spawn([&] {
        EXPECT_TRUE(run_scope([&](scope& inner) {
          EXPECT_TRUE(inner.spawn([&] {
            EXPECT_TRUE(yield_now());
            order.push_back(1);
          }));
          // Into the outer one, from the inner one's body.
          EXPECT_TRUE(s.spawn([&] {
            EXPECT_TRUE(perform(sleep_for(2ms)));
            order.push_back(3);
          }));
        }));
        order.push_back(2);
      }));
    });
    EXPECT_TRUE(outer);
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
  });
}

TEST(Scope, S3_TheFirstFailureCancelsTheOthersAndIsThePrimary) {
  for (const std::size_t workers : {1U, 3U}) {
    in_fibers(
        [] {
          std::atomic<int> cancelled = 0;
          const auto got = run_scope([&](scope& s) {
            for (int i = 0; i < 5; ++i) {
              EXPECT_TRUE(s.spawn([&] {
                const auto waited = wait_for_cancel();
                cancelled += !waited && waited.error() == errc::cancelled ? 1 : 0;
              }));
            }
            EXPECT_TRUE(s.spawn([] { return broken("first"); }, {.name = "breaks"}));
          });
          EXPECT_EQ(cancelled, 5);
          EXPECT_EQ(got.error().status, scope_status::failed);
          EXPECT_EQ(messages_of(got.error()),
                    messages{"fiber 'breaks': test: invalid argument: first"});
          EXPECT_EQ(got.error().reason->code, cancel_code::sibling_failed);
          EXPECT_EQ(got.error().reason->error, make_error_code(errc::invalid));
          EXPECT_TRUE(got.error().absorbed);
        },
        workers);
  }
}

TEST(Scope, S3_LaterFailuresAreSuppressedInTheirOrder) {
  in_fibers([] {
    const auto got = run_scope([&](scope& s) -> result<void> {
      auto late = s.spawn(
                       [] {
                         (void)wait_long();
                         return broken("second");
                       },
                       {.name = "late"})
                      .value();
      EXPECT_TRUE(s.spawn([] { return broken("first"); }, {.name = "one"}));
      shield([&] { EXPECT_FALSE(late.join()); });
      return broken("third");
    });
    EXPECT_EQ(messages_of(got.error()), (messages{"fiber 'one': test: invalid argument: first",
                                                  "fiber 'late': test: invalid argument: second",
                                                  "fiber 'main': test: invalid argument: third"}));
    EXPECT_EQ(got.error().dropped, 0U);
    EXPECT_EQ(got.error().as_error().kind(), errc::invalid);
  });
}

TEST(Scope, X7_OfManyFailuresTheFirstSixteenAreKept) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(s.spawn([] { return broken("one of many"); }));
      }
    });
    EXPECT_EQ(got.error().suppressed_count, failures::kept_max);
    EXPECT_EQ(got.error().dropped, 4U);
  });
}

#if BAST_EXCEPTIONS
TEST(Scope, S3_ExceptionsAreFailures) {
  in_fibers([] {
    const auto of_fiber = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn([] { throw std::runtime_error("thrown"); }));
      EXPECT_EQ(wait_long().error(), errc::cancelled);
    });
    EXPECT_EQ(messages_of(of_fiber.error()), messages{"fiber (unnamed): thrown"});
    EXPECT_EQ(of_fiber.error().as_error().kind(), errc::failed_scope);
    EXPECT_THROW(of_fiber.error().rethrow(), std::runtime_error);

    bool cancelled = false;
    const auto of_body = run_scope([&](scope& s) {
      EXPECT_TRUE(s.spawn([&] { cancelled = !wait_long(); }));
      EXPECT_TRUE(yield_now());
      throw std::runtime_error("of the body");
    });
    EXPECT_TRUE(cancelled);
    EXPECT_EQ(messages_of(of_body.error()), messages{"fiber 'main': of the body"});
  });
}

TEST(Scope, S3_JoinReportsTheSameFailure) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [] {
        const auto got = run_scope([](scope& s) {
          auto thrower = s.spawn([] { throw std::runtime_error("thrown"); }).value();
          // Cancelled, but what has ended is ready (C-10: join is a wait).
          shield([&] { EXPECT_THROW((void)thrower.join(), std::runtime_error); });
          auto broke = s.spawn([] { return broken("returned"); }).value();
          shield([&] { EXPECT_EQ(broke.join().error(), errc::invalid); });
        });
        EXPECT_EQ(messages_of(got.error()),
                  (messages{"fiber (unnamed): thrown",
                            "fiber (unnamed): test: invalid argument: returned"}));
      },
      {.workers = 1, .unhandled = unhandled.sink()}));
  // Not untaken either: the scope has them.
  EXPECT_EQ(unhandled.messages(), messages{});
}
#endif

TEST(Scope, S4_CancelledIfItsBodyOrAFiberEndedSo) {
  in_fibers([] {
    const auto body = run_scope([](scope& s) {
      EXPECT_TRUE(s.cancel({.text = "enough"}));
      return wait_long();
    });
    EXPECT_EQ(body.error().status, scope_status::cancelled);
    EXPECT_TRUE(body.error().absorbed);
    EXPECT_EQ(messages_of(body.error()), messages{"fiber (unnamed): run_scope: cancelled: enough"});

    const auto fiber = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn(wait_long));
      EXPECT_TRUE(s.cancel());
      return 3;
    });
    EXPECT_EQ(fiber.error().status, scope_status::cancelled);

    // What took no notice has its value.
    const auto unaware = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn([] { (void)wait_long(); }));
      EXPECT_TRUE(s.cancel());
      return 3;
    });
    EXPECT_EQ(unaware.value(), 3);
  });
}

TEST(Scope, S4_FailedPrevailsOverCancelled) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn([] {
        (void)wait_long();
        return broken("late");
      }));
      EXPECT_TRUE(yield_now());
      EXPECT_TRUE(s.cancel());
      return wait_long();
    });
    EXPECT_EQ(got.error().status, scope_status::failed);
    EXPECT_EQ(got.error().reason->code, cancel_code::requested);
  });
}

TEST(Scope, S4_DaemonsAreCancelledWhenNoOtherIsLeft) {
  for (const std::size_t workers : {1U, 2U}) {
    in_fibers(
        [] {
          std::atomic<int> served = 0;
          std::atomic<bool> ended = false;
          const auto got = run_scope([&](scope& s) {
            EXPECT_TRUE(s.spawn(
                [&]() -> result<void> {
                  while (auto went = perform(sleep_for(1ms))) ++served;
                  ended = true;
                  return this_coro::checkpoint();
                },
                {.daemon = true}));
            EXPECT_TRUE(s.spawn([&] {
              yield_until([&] { return served >= 2 || ended; });
              EXPECT_FALSE(ended);
            }));
          });
          EXPECT_TRUE(got);  // The end of a daemon by its scope's end is no cancellation of that.
          EXPECT_TRUE(ended);
        },
        workers);
  }
}

TEST(Scope, S5_AFailedScopeDoesNotFailTheOneAroundIt) {
  in_fibers([] {
    const auto outer = run_scope([](scope&) {
      const auto inner = run_scope([](scope&) { return broken("inside"); });
      EXPECT_EQ(inner.error().status, scope_status::failed);
      EXPECT_TRUE(this_coro::checkpoint());
      return 1;
    });
    EXPECT_EQ(outer.value(), 1);
  });
}

// The domain of the daemons is made once, though all of them ask for it, and the scope is being
// cancelled.
TEST(Scope, S4_TheFirstDaemonsOfACancelledScopeComeOnSeveralWorkersAtOnce) {
  in_fibers(
      [] {
        for (int i = 0; i < 200; ++i) {
          std::atomic<int> daemons = 0;
          EXPECT_TRUE(run_scope([&](scope& s) {
            for (int k = 0; k < 8; ++k) {
              EXPECT_TRUE(s.spawn([&, k] {
                if (k == 0) s.cancel();
                EXPECT_TRUE(s.spawn(
                    [&] {
                      while (yield_now()) continue;
                      ++daemons;
                    },
                    {.daemon = true}));
              }));
            }
          }));
          EXPECT_EQ(daemons, 8);
        }
      },
      4);
}

TEST(Scope, S4_WhatComesWhenTheDaemonsWereCancelledIsAwaitedAndItsDaemonsAreCancelled) {
  in_fibers([] {
    std::vector<int> order;
    EXPECT_TRUE(run_scope([&](scope& s) {
      EXPECT_TRUE(s.spawn(
          [&] {
            EXPECT_EQ(wait_long().error(), errc::cancelled);
            EXPECT_TRUE(s.spawn([&] {
              EXPECT_TRUE(perform(sleep_for(1ms)));  // It is no daemon.
              order.push_back(1);
              EXPECT_TRUE(s.spawn(
                  [&] {
                    EXPECT_EQ(wait_long().error(), errc::cancelled);
                    order.push_back(2);
                  },
                  {.daemon = true}));
            }));
          },
          {.daemon = true}));
    }));
    EXPECT_EQ(order, (std::vector{1, 2}));
  });
}

TEST(Scope, S5_ASupervisingScopeLetsItsFibersFailAlone) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [] {
        const auto got = run_scope(
            [](scope& s) {
              auto taken = s.spawn([] { return broken("taken"); }).value();
              EXPECT_TRUE(s.spawn([] { return broken("untaken"); }));
              EXPECT_EQ(taken.join().error(), errc::invalid);
              EXPECT_FALSE(s.is_cancelled());
              return 1;
            },
            {.supervise = true});
        EXPECT_EQ(got.value(), 1);
      },
      {.workers = 1, .unhandled = unhandled.sink()}));
  EXPECT_EQ(unhandled.messages(), messages{"fiber (unnamed): test: invalid argument: untaken"});
}

TEST(Scope, C17_CancelledInAScopeThatWasNotIsAFailure) {
  in_fibers([] {
    const auto of_fiber = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn([]() -> result<void> { return fail(errc::cancelled, "test", "leaked"); },
                          {.name = "leaks"}));
    });
    EXPECT_EQ(messages_of(of_fiber.error()),
              messages{"fiber 'leaks': run_scope: stray cancellation: a fiber ended as cancelled, "
                       "and its scope was not"});
    const auto of_body =
        run_scope([](scope&) -> result<void> { return fail(errc::cancelled, "test", "leaked"); });
    EXPECT_EQ(of_body.error().primary.why, errc::stray_cancel);
  });
}

// To its joiner `cancelled` would mean that the join was.
TEST(Scope, C17_S3_AJoinTakesTheStrayCancellation) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      auto leaks = s.spawn([] { return result<void>(fail(errc::cancelled, "test", "leaked")); });
      shield([&] { EXPECT_EQ(leaks->join().error(), errc::stray_cancel); });
      EXPECT_FALSE(*leaks);
    });
    EXPECT_EQ(got.error().primary.why, errc::stray_cancel);
  });
}

TEST(Scope, C17_S5_AStrayCancellationThatNoJoinerTakesIsReported) {
  unhandled_failures unhandled;
  EXPECT_TRUE(run(
      [] {
        EXPECT_TRUE(run_scope(
            [](scope& s) {
              EXPECT_TRUE(
                  s.spawn([] { return result<void>(fail(errc::cancelled, "test", "leaked")); }));
            },
            {.supervise = true}));
      },
      {.workers = 1, .unhandled = unhandled.sink()}));
  EXPECT_EQ(unhandled.messages(),
            messages{"fiber (unnamed): run_scope: stray cancellation: a fiber ended as cancelled, "
                     "and its scope was not"});
}

}  // namespace
}  // namespace bast::test
