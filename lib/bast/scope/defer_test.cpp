// SPDX-License-Identifier: Apache-2.0
//
// Defers, and reports.
#include <memory>
#include <stdexcept>

#include "bast/scope/scope_test.hpp"

namespace bast::test {
namespace {

using messages = std::vector<std::string>;

TEST(Defer, S6_RunsAfterAllFibersTheLatestFirst) {
  for (const std::size_t workers : {1U, 2U}) {
    in_fibers(
        [] {
          std::vector<int> order;
          std::atomic<int> ended = 0;
          EXPECT_TRUE(run_scope([&](scope& s) {
            EXPECT_TRUE(s.defer([&] { order.push_back(1); }));
            EXPECT_TRUE(s.spawn([&] {
              EXPECT_TRUE(perform(sleep_for(1ms)));
              EXPECT_TRUE(s.defer([&] { order.push_back(3); }));
              ++ended;
            }));
            EXPECT_TRUE(s.defer([&] {
              EXPECT_EQ(ended, 1);
              order.push_back(2);
            }));
          }));
          EXPECT_EQ(order, (std::vector{3, 2, 1}));
        },
        workers);
  }
}

#if BAST_EXCEPTIONS
TEST(Defer, WhatACopyThrowsLeavesNothing) {
  struct not_copied {
    not_copied() = default;
    not_copied(const not_copied& /*other*/) { throw std::runtime_error("not copied"); }
    not_copied(not_copied&&) noexcept = default;
    void operator()() const { ADD_FAILURE(); }
  };
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& s) {
      const not_copied kept;
      EXPECT_THROW((void)s.defer(kept), std::runtime_error);  // LeakSanitizer looks.
    }));
  });
}
#endif

// The scope begins to finalize while a fiber outside it registers a defer.
TEST(Defer, S2_OneThatComesTooLateLeavesItsFunctionUnchanged) {
  class slow {
   public:
    explicit slow(bool& moves) noexcept : moves_(&moves) {}
    slow(slow&& other) noexcept : moves_(other.moves_) {
      other.is_there_ = false;
      if (!std::exchange(*moves_, true)) let_others_run();
    }
    slow& operator=(slow&&) = delete;
    slow(const slow&) = delete;
    slow& operator=(const slow&) = delete;
    ~slow() = default;
    void operator()() const { ADD_FAILURE(); }
    bool is_there() const { return is_there_; }

   private:
    bool is_there_ = true;
    bool* moves_;
  };
  in_fibers([] {
    EXPECT_TRUE(run_scope([](scope& outer) {
      bool moves = false;
      EXPECT_TRUE(run_scope([&](scope& s) {
        auto guest = outer
                         .spawn([&] {
                           slow late(moves);
                           const auto refused = s.defer(std::move(late));
                           EXPECT_EQ(refused.error(), errc::closed);
                           // NOLINTNEXTLINE(bugprone-use-after-move): that is the promise
                           EXPECT_TRUE(late.is_there());
                         })
                         .value();
        EXPECT_TRUE(s.defer([mine = std::move(guest)]() mutable { EXPECT_TRUE(mine.join()); }));
        yield_until([&] { return moves; });
      }));
    }));
  });
}

TEST(Defer, S6_IsToldHowTheScopeEnds) {
  in_fibers([] {
    std::vector<scope_status> told;
    messages why;
    const auto tell = [&](const scope_end& how) {
      told.push_back(how.status);
      if (how.why != nullptr) why.push_back(how.why->primary.message());
    };
    EXPECT_TRUE(run_scope([&](scope& s) { EXPECT_TRUE(s.defer(tell)); }));
    EXPECT_FALSE(run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer(tell));
      s.cancel();
      return this_coro::checkpoint();
    }));
    EXPECT_FALSE(run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer(tell));
      return broken("body");
    }));
    EXPECT_EQ(told, (std::vector{scope_status::ok, scope_status::cancelled, scope_status::failed}));
    EXPECT_EQ(why, messages{"fiber 'main': test: invalid argument: body"});
  });
}

TEST(Defer, S7_ItsFailureIsTheScopes) {
  in_fibers([] {
    std::vector<scope_status> told;
    const auto got = run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer([&](const scope_end& how) { told.push_back(how.status); }));
      EXPECT_TRUE(s.defer([] { return broken("second"); }));
      EXPECT_TRUE(s.defer([&](const scope_end& how) -> result<void> {
        told.push_back(how.status);
        return broken("first");
      }));
      return 1;
    });
    EXPECT_EQ(messages_of(got.error()), (messages{"fiber 'main': test: invalid argument: first",
                                                  "fiber 'main': test: invalid argument: second"}));
    EXPECT_EQ(told, (std::vector{scope_status::ok, scope_status::failed}));
  });
}

#if BAST_EXCEPTIONS
TEST(Defer, S7_MayThrow) {
  in_fibers([] {
    bool ran = false;
    const auto got = run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer([&] { ran = true; }));
      EXPECT_TRUE(s.defer([] { throw std::runtime_error("of a defer"); }));
    });
    EXPECT_EQ(messages_of(got.error()), messages{"fiber 'main': of a defer"});
    EXPECT_TRUE(ran);
  });
}
#endif

TEST(Defer, S7_MayWaitInACancelledScope) {
  in_fibers([] {
    bool waited = false;
    const auto got = run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer([&] { waited = perform(sleep_for(1ms)).has_value(); }));
      s.cancel();
      return this_coro::checkpoint();
    });
    EXPECT_FALSE(got);
    EXPECT_TRUE(waited);
  });
}

TEST(Defer, S7_WaitsFailAfterTheGrace) {
  in_fibers([] {
    for (const auto grace : {0ns, std::chrono::nanoseconds(1ms)}) {
      int ran = 0;
      std::optional<cancel_reason> why;
      const auto got = run_scope(
          [&](scope& s) {
            EXPECT_TRUE(s.defer([&] { ++ran; }));
            EXPECT_TRUE(s.defer([&]() -> result<void> {
              const auto waited = wait_for_cancel();
              why = this_coro::cancellation().reason();
              return waited;
            }));
          },
          {.grace = grace});
      EXPECT_EQ(why->code, cancel_code::grace_expired);
      EXPECT_EQ(ran, 1);
      EXPECT_EQ(messages_of(got.error()),
                messages{"fiber 'main': perform: cancelled: cleanup took too long"});
    }
    // Without end.
    EXPECT_TRUE(run_scope(
        [&](scope& s) {
          EXPECT_TRUE(s.defer([&] {
            EXPECT_EQ(this_coro::cancellation().deadline(), never);
            EXPECT_TRUE(perform(sleep_for(1ms)));
          }));
        },
        {.grace = std::chrono::nanoseconds::max()}));
  });
}

TEST(Defer, S2_IsRefusedWhenTheScopeIsFinalizing) {
  in_fibers([] {
    std::atomic<int> lives = 0;
    EXPECT_TRUE(run_scope([&](scope& s) {
      EXPECT_TRUE(s.defer([&] {
        auto kept = [mine = counted(lives)] { ADD_FAILURE(); };
        EXPECT_EQ(s.defer(std::move(kept)).error(), errc::closed);
        EXPECT_EQ(lives, 1);  // NOLINT(bugprone-use-after-move): that is the promise
        EXPECT_EQ(s.spawn([] { ADD_FAILURE(); }).error().message(),
                  "spawn: closed: the scope is finalizing");
        EXPECT_EQ(spawn([] { ADD_FAILURE(); }).error(), errc::closed);
        // A scope of its own, however, ends before the defer does.
        EXPECT_TRUE(run_scope([](scope& own) { EXPECT_TRUE(own.spawn([] {})); }));
      }));
    }));
    EXPECT_EQ(lives, 0);
  });
}

TEST(Defer, MayBeForgotten) {
  in_fibers([] {
    std::vector<int> order;
    std::atomic<int> lives = 0;
    EXPECT_TRUE(run_scope([&](scope& s) {
      const auto note = [&](int what) {
        return s.defer([&order, what, mine = counted(lives)] { order.push_back(what); }).value();
      };
      deferred first = note(1);
      (void)note(2);
      deferred third = note(3);
      deferred last = note(4);
      EXPECT_EQ(lives, 4);
      EXPECT_TRUE(last.forget());
      EXPECT_FALSE(last.forget());
      EXPECT_TRUE(first.forget());
      EXPECT_EQ(lives, 2);
      EXPECT_TRUE(s.defer([third]() mutable { EXPECT_TRUE(third.forget()); }));
    }));
    EXPECT_EQ(order, std::vector{2});
    EXPECT_EQ(lives, 0);
  });
}

TEST(Report, OfASecondScopeHasNothingOfTheFirst) {
  in_fibers([] {
    scope_report report;
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(
          run_scope([](scope&) { EXPECT_TRUE(run_scope([](scope&) {})); }, {.report = &report}));
      EXPECT_EQ(report.children.size(), 1U);
    }
  });
}

TEST(Report, HasATreeOfAllScopes) {
  for (const std::size_t workers : {1U, 2U}) {
    in_fibers(
        [] {
          scope_report report;
          std::uint64_t ids[3] = {};
          const auto got = run_scope(
              [&](scope& s) {
                ids[0] = s.id();
                EXPECT_TRUE(
                    run_scope([&](scope& inner) { ids[1] = inner.id(); }, {.name = "good"}));
                auto fiber = s.spawn([&] {
                                EXPECT_FALSE(run_scope(
                                    [&](scope& inner) {
                                      ids[2] = inner.id();
                                      EXPECT_FALSE(run_scope([](scope& innermost) {
                                        innermost.cancel();
                                        return this_coro::checkpoint();
                                      }));
                                      return broken("below");
                                    },
                                    {.name = "bad"}));
                              }).value();
                EXPECT_TRUE(fiber.join());
                return 5;
              },
              {.name = "top", .report = &report});
          EXPECT_EQ(got.value(), 5);
          EXPECT_EQ(report.id, ids[0]);
          ASSERT_EQ(report.children.size(), 2U);
          EXPECT_EQ(report.children[0].id, ids[1]);
          EXPECT_EQ(report.children[1].id, ids[2]);
          std::string text = report.to_string();
          for (std::size_t at = 0; (at = text.find(" #", at)) != std::string::npos;) {
            text.erase(at, text.find(':', at) - at);
          }
          EXPECT_EQ(text,
                    "top: ok\n"
                    "  good: ok\n"
                    "  bad: failed\n"
                    "    ! fiber (unnamed): test: invalid argument: below\n"
                    "    (unnamed): cancelled\n");
        },
        workers);
  }
}

}  // namespace
}  // namespace bast::test
