// SPDX-License-Identifier: Apache-2.0
//
// Cancelling a runtime: from where, whom it reaches, and what it leaves alone.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::rendezvous;

void cancel_here() { EXPECT_TRUE(runtime_handle::current()->cancel()); }

TEST(RuntimeCancel, C10_IsLevelTriggered) {
  EXPECT_TRUE(run(
      [] {
        EXPECT_TRUE(this_coro::checkpoint());
        EXPECT_TRUE(runtime_handle::current()->cancel({.text = "test says so"}));
        EXPECT_FALSE(runtime_handle::current()->cancel()) << "the first reason stays (C-2)";
        for (int i = 0; i < 3; ++i) {
          EXPECT_EQ(kind_of(this_coro::checkpoint()), errc::cancelled);
          EXPECT_EQ(kind_of(yield_now()), errc::cancelled);
          EXPECT_EQ(kind_of(perform(always(1))), errc::cancelled) << "though it is ready";
          EXPECT_NE(test::words_of(yield_now()).find("test says so"), std::string::npos);
        }
        EXPECT_EQ(this_coro::cancellation().reason()->code, cancel_code::requested);
      },
      {.workers = 1}));
}

TEST(RuntimeCancel, C16_AChildOfACancelledRuntimeIsBornCancelled) {
  std::atomic<int> ran = 0;
  EXPECT_TRUE(run(
      [&] {
        auto before = spawn([&] {
                        ++ran;
                        return kind_of(this_coro::checkpoint());
                      }).value();
        cancel_here();
        EXPECT_TRUE(spawn([&] {
          ++ran;
          EXPECT_EQ(kind_of(this_coro::checkpoint()), errc::cancelled);
        }));
        EXPECT_EQ(kind_of(before.join()), errc::cancelled);
        const cancel_binding shielded{cancel_token()};
        EXPECT_EQ(before.join().value(), errc::cancelled);
      },
      {.workers = 1}));
  EXPECT_EQ(ran, 2);
}

TEST(RuntimeCancel, C18_WhoIsParkedHereIsQueuedAtTheReturn) {
  std::string order;
  EXPECT_TRUE(run(
      [&] {
        rendezvous<int> never;
        std::vector<fiber<void>> all;
        for (const char name : {'a', 'b', 'c'}) {
          all.push_back(spawn([&, name] {
                          EXPECT_EQ(kind_of(perform(never.receive())), errc::cancelled);
                          order += name;
                        }).value());
        }
        test::yield_until([&] { return never.waiting() == 3; });
        const cancel_binding shielded{cancel_token()};
        cancel_here();
        EXPECT_EQ(order, "") << "none runs within the call";
        EXPECT_TRUE(yield_now());
        EXPECT_EQ(order.size(), 3U);
        EXPECT_EQ(never.waiting(), 0U);
      },
      {.workers = 1}));
}

/// Fibers that wait in every way, on every worker, and what ends them.
template <class Cancel>
void all_waits_end(Cancel cancel) {
  std::atomic<int> waiting = 0;
  std::atomic<int> ended = 0;
  rendezvous<int> never, other;
  const auto expect_cancelled = [&](const auto& got) {
    EXPECT_EQ(kind_of(got), errc::cancelled);
    ++ended;
  };
  EXPECT_TRUE(run(
      [&] {
        auto group = wait_group::create().value();
        auto member = group.begin();
        for (int i = 0; i < 6; ++i) {
          (void)spawn([&] {
            ++waiting;
            expect_cancelled(perform(never.receive()));
          });
          (void)spawn([&] {
            ++waiting;
            expect_cancelled(perform(choice(never.receive(), other.receive())));
          });
          (void)spawn([&] {
            ++waiting;
            expect_cancelled(group.wait());
          });
          (void)spawn([&] {
            auto pool = coro_pool::create().value();
            auto outer = pool.make([&] {
                               auto inner = pool.make([&] {
                                                  ++waiting;
                                                  expect_cancelled(perform(never.receive()));
                                                })
                                                .value();
                               (void)inner.resume();
                             })
                             .value();
            (void)outer.resume();
          });
          (void)spawn([&] {
            ++waiting;
            while (yield_now()) {
            }
            ++ended;
          });
          (void)spawn([&] {
            auto child = spawn([&] {
                           ++waiting;
                           expect_cancelled(perform(never.receive()));
                         }).value();
            ++waiting;
            // Unless the child, on another worker, has ended before (C-11).
            const auto joined = child.join();
            EXPECT_TRUE(joined.has_value() || kind_of(joined) == errc::cancelled);
            ++ended;
          });
        }
        test::yield_until([&] { return waiting == 42; });
        cancel();
        const cancel_binding shielded{cancel_token()};
        test::yield_until([&] { return ended == 42; });
        member.done();
      },
      {.workers = 3}));
  EXPECT_EQ(ended, 42);
  EXPECT_EQ(never.waiting(), 0U);
  EXPECT_EQ(other.waiting(), 0U);
}

TEST(RuntimeCancel, FromMainAllWaitsEnd) { all_waits_end(cancel_here); }

TEST(RuntimeCancel, FromAnotherFiberAllWaitsEnd) {
  all_waits_end([] { EXPECT_TRUE(spawn(cancel_here)); });
}

TEST(RuntimeCancel, FromAnOsThreadAllWaitsEnd) {
  all_waits_end([] {
    auto runtime = runtime_handle::current().value();
    const test::joined_thread other([&] { EXPECT_TRUE(runtime.cancel()); });
  });
}

TEST(RuntimeCancel, FromACancellationCallback) {
  all_waits_end([] {
    const auto source = cancel_source::create().value();
    auto runtime = runtime_handle::current().value();
    const cancel_callback relay(source.token(), [&]() noexcept { (void)runtime.cancel(); });
    source.cancel();
  });
}

TEST(RuntimeCancel, FromAGuardOfThePerformItself) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> never;
        const auto got = perform(guard([&] {
          cancel_here();
          return never.receive();
        }));
        EXPECT_EQ(kind_of(got), errc::cancelled);
      },
      {.workers = 1}));
}

TEST(RuntimeCancel, AFiberUnderItsOwnTokenIsNotReached) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> meeting;
        const auto own = cancel_source::create().value();
        auto shielded = spawn([&] {
                          const cancel_binding bound(own.token());
                          return perform(meeting.receive()).value();
                        }).value();
        test::yield_until([&] { return meeting.waiting() == 1; });
        const cancel_binding shield{cancel_token()};
        cancel_here();
        for (int i = 0; i < 300; ++i) EXPECT_TRUE(yield_now());
        EXPECT_FALSE(shielded.is_done());
        int value = 4;
        EXPECT_TRUE(perform(meeting.send(value)));
        EXPECT_EQ(shielded.join().value(), 4);
      },
      {.workers = 1}));
}

TEST(RuntimeCancel, AFiberUnderItsOwnTokenIsCancelledByThat) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> never;
        const auto own = cancel_source::create().value();
        auto bound = spawn([&] {
                       const cancel_binding governs(own.token());
                       return kind_of(perform(never.receive()));
                     }).value();
        test::yield_until([&] { return never.waiting() == 1; });
        own.cancel();
        EXPECT_EQ(bound.join().value(), errc::cancelled);
        EXPECT_TRUE(this_coro::checkpoint());
      },
      {.workers = 2}));
}

TEST(RuntimeCancel, C11_AValueThatWasCommittedIsNotLost) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> meeting;
        auto receiver = spawn([&] { return perform(meeting.receive()); }).value();
        test::yield_until([&] { return meeting.waiting() == 1; });
        int value = 8;
        EXPECT_TRUE(poll(meeting.send(value)));
        cancel_here();  // Between the commit and the resumption.
        const cancel_binding shield{cancel_token()};
        EXPECT_EQ(receiver.join().value(), 8);
      },
      {.workers = 1}));
}

TEST(RuntimeCancel, C9_ACallbackMayNotSuspend) {
  std::optional<errc> yielded, performed, joined;
  EXPECT_TRUE(run(
      [&] {
        const auto source = cancel_source::create().value();
        auto child = spawn([] {}).value();
        const cancel_callback suspends(source.token(), [&]() noexcept {
          const cancel_binding shield{cancel_token()};
          yielded = kind_of(yield_now());
          performed = kind_of(perform(never_ready<int>()));
          joined = kind_of(child.join());
          EXPECT_TRUE(spawn([] {})) << "but it may spawn";
        });
        source.cancel();
        EXPECT_TRUE(child.join());
      },
      {.workers = 1}));
  EXPECT_EQ(yielded, errc::bad_state);
  EXPECT_EQ(performed, errc::bad_state);
  EXPECT_EQ(joined, errc::bad_state);
}

TEST(RuntimeCancel, AfterTheEndItDoesNothing) {
  std::optional<runtime_handle> kept;
  EXPECT_TRUE(run([&] { kept = runtime_handle::current().value(); }));
  EXPECT_FALSE(kept->cancel());
}

#if BAST_EXCEPTIONS
TEST(RuntimeCancel, AFailureOfMainCancels) {
  std::atomic<int> ended = 0;
  const auto failed = run(
      [&]() -> result<void> {
        for (int i = 0; i < 5; ++i) {
          (void)spawn([&] {
            const auto got = perform(never_ready<int>());
            EXPECT_EQ(kind_of(got), errc::cancelled);
            EXPECT_EQ(this_coro::cancellation().reason()->code, cancel_code::sibling_failed);
            ++ended;
          });
        }
        return fail(errc::closed, "test", "main fails");
      },
      {.workers = 2});
  EXPECT_EQ(test::primary_of(failed), errc::closed);
  EXPECT_EQ(ended, 5);
}
#endif

}  // namespace
}  // namespace bast
