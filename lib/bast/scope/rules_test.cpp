// SPDX-License-Identifier: Apache-2.0
//
// Scopes: who may do what, and when.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "bast/scope/scope_test.hpp"

namespace bast::test {
namespace {

using messages = std::vector<std::string>;

TEST(Scope, S2_CloseRefusesFibersAndScopesAndCancelsNothing) {
  in_fibers([] {
    std::atomic<int> lives = 0;
    EXPECT_TRUE(run_scope([&](scope& s) {
      EXPECT_TRUE(s.spawn([&] {
        EXPECT_TRUE(yield_now());
        const auto refused = run_scope([](scope&) { ADD_FAILURE(); });
        EXPECT_EQ(refused.error().primary.why, errc::closed);
        EXPECT_EQ(s.close().error(), errc::wrong_thread);
      }));
      EXPECT_TRUE(s.close("full"));
      EXPECT_TRUE(s.close("a second time"));
      auto kept = [mine = counted(lives)] { ADD_FAILURE(); };
      const auto refused = s.spawn(std::move(kept));
      EXPECT_EQ(refused.error().message(), "spawn: closed: full");
      EXPECT_EQ(lives, 1);  // NOLINT(bugprone-use-after-move): that is the promise
      EXPECT_FALSE(s.is_cancelled());
      EXPECT_TRUE(this_coro::checkpoint());
    }));
  });
}

TEST(Scope, S2_CloseWhileScopesWithinOpen) {
  in_fibers(
      [] {
        EXPECT_TRUE(run_scope([](scope& s) {
          for (int i = 0; i < 8; ++i) {
            EXPECT_TRUE(s.spawn([] {
              auto within = run_scope([](scope&) {});
              while (within) {
                EXPECT_TRUE(yield_now());
                within = run_scope([](scope&) {});
              }
              EXPECT_EQ(within.error().primary.why, errc::closed);
            }));
          }
          EXPECT_TRUE(perform(sleep_for(1ms)));
          EXPECT_TRUE(s.close());
        }));
      },
      4);
}

TEST(Scope, S2_AClosedScopeRefusesBatchesAndConcurrents) {
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& s) {
      EXPECT_TRUE(s.close("full"));
      EXPECT_EQ(concurrent([] { ADD_FAILURE(); }).error().message(), "spawn: closed: full");
      EXPECT_EQ(spawn_batch(2, [](std::size_t) { ADD_FAILURE(); }).error(), errc::closed);
      EXPECT_EQ(s.size(), 0U);
    }));
  });
}

TEST(Scope, S9_OnlyItsOwnerJoinsIt) {
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& s) {
      int ended = 0;
      EXPECT_TRUE(s.spawn([&] {
        EXPECT_EQ(s.join().error(), errc::wrong_thread);
        ++ended;
      }));
      EXPECT_TRUE(s.join());
      EXPECT_EQ(ended, 1);
      EXPECT_EQ(s.size(), 0U);
      // More may come.
      EXPECT_TRUE(s.spawn([&] { ++ended; }));
      EXPECT_TRUE(s.join());
      EXPECT_EQ(ended, 2);
    }));
  });
}

TEST(Scope, S9_JoinIsCancelledWithTheScope) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn(wait_long));
      EXPECT_TRUE(s.spawn([&] { EXPECT_TRUE(s.cancel()); }));
      return s.join();
    });
    EXPECT_EQ(got.error().status, scope_status::cancelled);
  });
}

TEST(Scope, FaultAndIdleAreOps) {
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& s) {
      EXPECT_TRUE(poll(s.idle()));
      EXPECT_FALSE(poll(s.fault()));
      EXPECT_TRUE(s.spawn([] { EXPECT_TRUE(perform(sleep_for(1ms))); }));
      EXPECT_FALSE(poll(s.idle()));
      EXPECT_EQ(perform(first_ready(s.fault(), s.idle())), 1U);
    }));
    const auto got = run_scope([](scope& s) {
      auto watched = s.spawn([&] { return shield([&] { return perform(s.fault()); }); }).value();
      EXPECT_TRUE(yield_now());
      EXPECT_TRUE(s.spawn([] { return broken("x"); }));
      shield([&] { EXPECT_TRUE(watched.join()); });
    });
    EXPECT_EQ(got.error().status, scope_status::failed);
  });
}

TEST(Scope, C18_ACancelEndsTheWaitsOfAllWorkers) {
  for (const std::size_t workers : {2U, 4U}) {
    for (int round = 0; round < 20; ++round) {
      in_fibers(
          [] {
            constexpr int count = 20;
            std::atomic<int> waiting = 0;
            std::atomic<int> cancelled = 0;
            std::atomic<bool> elsewhere = false;
            EXPECT_TRUE(run_scope([&](scope& s) {
              const std::size_t home = this_fiber::worker();
              for (int i = 0; i < count; ++i) {
                EXPECT_TRUE(s.spawn([&, home] {
                  if (this_fiber::worker() != home) elsewhere = true;
                  ++waiting;
                  cancelled += wait_for_cancel() ? 0 : 1;
                }));
              }
              // The others take some while this one does not let its worker go.
              const auto until = std::chrono::steady_clock::now() + 1s;
              while (!elsewhere && std::chrono::steady_clock::now() < until) continue;
              yield_until([&] { return waiting == count; });
              EXPECT_TRUE(s.cancel());
            }));
            EXPECT_TRUE(elsewhere);
            EXPECT_EQ(cancelled, count);
          },
          workers);
    }
  }
}

TEST(Scope, C16_InACancelledScopeAFiberRunsToItsFirstCheckpoint) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      EXPECT_TRUE(s.cancel());
      int ran = 0;
      auto born = s.spawn([&]() -> result<void> {
                     ++ran;
                     return this_coro::checkpoint();
                   }).value();
      EXPECT_EQ(s.spawn_unless_cancelled([] { ADD_FAILURE(); }).error(), errc::cancelled);
      shield([&] { EXPECT_EQ(born.join().error(), errc::cancelled); });
      EXPECT_EQ(ran, 1);
    });
    EXPECT_EQ(got.error().status, scope_status::cancelled);
  });
}

TEST(Scope, C14_ItsFibersAreGovernedByItNotByWhoSpawnsThem) {
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& outer) {
      const auto inner = run_scope([&](scope& s) {
        EXPECT_TRUE(s.cancel());
        // Spawned by code that is cancelled, into a scope that is not.
        EXPECT_TRUE(outer.spawn([] { EXPECT_TRUE(perform(sleep_for(1ms))); }));
        return this_coro::checkpoint();
      });
      EXPECT_FALSE(inner);
    }));
  });
}

// The daemon runs after the end of the last other fiber, and before the owner that this has woken:
// of a scope that is watched the owner does not run next.
TEST(Scope, S4_WhatADaemonSpawnsInTimeEndsBeforeTheDaemonsAreCancelled) {
  in_fibers([] {
    wait_queue changed;
    bool is_last = false;
    bool ended = false;
    EXPECT_TRUE(run_scope([&](scope& s) {
      EXPECT_TRUE(poll(s.idle()));
      EXPECT_TRUE(s.spawn(
          [&] {
            EXPECT_TRUE(perform(retry_on(changed, [&]() noexcept { return is_last; })));
            EXPECT_TRUE(spawn([&] {
              EXPECT_TRUE(yield_now());
              EXPECT_TRUE(yield_now());
              ended = true;
            }));
            EXPECT_EQ(wait_long().error(), errc::cancelled);
            EXPECT_TRUE(ended);
          },
          {.daemon = true}));
      EXPECT_TRUE(s.spawn([&] {
        EXPECT_TRUE(yield_now());
        changed.wake_all([&]() noexcept { is_last = true; });
      }));
    }));
  });
}

TEST(Scope, PerformUnderItsPolicy) {
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& outer) {
      const auto inner = run_scope([&](scope& s) {
        EXPECT_TRUE(s.cancel());
        EXPECT_EQ(perform(sleep_for(1ms)).error(), errc::cancelled);
        EXPECT_TRUE(outer.perform(sleep_for(1ms)));
        return this_coro::checkpoint();
      });
      EXPECT_FALSE(inner);
    }));
  });
}

TEST(Scope, X7_OfAProgramThatIsOneScopeTheAggregateIsThatOfRun) {
  const auto failed = run(
      [] {
        return run_scope([](scope& s) -> result<int> {
          auto late = s.spawn([] {
                         (void)wait_long();
                         return broken("second");
                       }).value();
          EXPECT_TRUE(s.spawn([] { return broken("first"); }));
          shield([&] { EXPECT_FALSE(late.join()); });
          return 1;
        });
      },
      {.workers = 1});
  EXPECT_EQ(messages_of(failed.error()),
            (messages{"fiber (unnamed): test: invalid argument: first",
                      "fiber (unnamed): test: invalid argument: second"}));
  const auto good = run([] { return run_scope([](scope&) { return 5; }); }, {.workers = 1});
  EXPECT_EQ(good.value(), 5);
  const auto nothing = run([] { return run_scope([](scope&) {}); }, {.workers = 1});
  EXPECT_TRUE(nothing);
}

TEST(Scope, ItsFailureIsAnErrorWhereAResultIsReturned) {
  in_fibers([] {
    const auto outer = run_scope([](scope& s) {
      EXPECT_TRUE(s.spawn(
          []() -> result<void> { return run_scope([](scope&) { return broken("inside"); }); }));
    });
    EXPECT_EQ(messages_of(outer.error()),
              messages{"fiber (unnamed): test: invalid argument: inside"});
  });
}

TEST(Scope, S2_TheDefersOfAClosedScopeMayOpenScopes) {
  in_fibers([] {
    bool opened = false;
    EXPECT_TRUE(run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer([&] { opened = run_scope([](scope&) {}).has_value(); }));
      EXPECT_TRUE(s.close());
    }));
    EXPECT_TRUE(opened);
  });
}

TEST(Scope, C15_ItsOwnCancelIsItsOwnWhateverItsCode) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      EXPECT_TRUE(s.cancel({.code = cancel_code::parent}));
      return this_coro::checkpoint();
    });
    EXPECT_TRUE(got.error().absorbed);
  });
}

TEST(Scope, WhereNoScopeCanBe) {
  const auto elsewhere = run_scope([](scope&) { ADD_FAILURE(); });
  EXPECT_EQ(elsewhere.error().primary.why, errc::not_in_fiber);
  in_fibers([] {
    const auto negative = run_scope([](scope&) { ADD_FAILURE(); }, {.grace = -1ns});
    EXPECT_EQ(messages_of(negative.error()),
              messages{"fiber (unnamed): run_scope: invalid argument: scope_options::grace is "
                       "negative"});
    auto pool = coro_pool::create().value();
    auto inside = pool.make([](yielder<int>&) {
      const auto refused = run_scope([](scope&) { ADD_FAILURE(); });
      EXPECT_EQ(refused.error().primary.why, errc::not_in_fiber);
    });
    EXPECT_TRUE(inside.value().resume().finished());
  });
}

TEST(Scope, IO15_AScopeThatWouldWaitInAForkedChildEndsTheProcess) {
  if (BAST_WITH_TSAN) GTEST_SKIP() << "TSan follows neither threads nor fibers across fork";
  EXPECT_DEATH(in_fibers([] {
                 (void)run_scope([](scope& s) {
                   EXPECT_TRUE(s.spawn([] { return perform(sleep_for(1ms)); }));
                   const pid_t child = ::fork();
                   if (child == 0) return;
                   int status = 0;
                   EXPECT_EQ(::waitpid(child, &status, 0), child);
                   if (WIFSIGNALED(status)) ::raise(WTERMSIG(status));
                   ::_exit(0);
                 });
               }),
               "a scope waits for its fibers in a forked child");
}

TEST(Scope, AThousandScopesAndAMillionFibersLeaveNothing) {
  in_fibers([] {
    std::size_t ended = 0;
    for (int i = 0; i < 1000; ++i) {
      const auto got = run_scope([&](scope& s) {
        for (int task = 0; task < 100; ++task) EXPECT_TRUE(s.spawn([&] { ++ended; }));
      });
      ASSERT_TRUE(got);
    }
    EXPECT_EQ(ended, 100'000U);
    EXPECT_LE(this_fiber::worker_stacks().live, 1U);
  });
}

}  // namespace
}  // namespace bast::test
