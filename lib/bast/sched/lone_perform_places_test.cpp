// SPDX-License-Identifier: Apache-2.0
//
// Where a perform of one leaf may be called, and what its value, its wraps and its stack may be.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cfenv>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bast/io.hpp"
#include "bast/sched/sched_test.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/once_event.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using internal::worker;
using test::kind_of;
using test::once_event;
using test::rendezvous;

TEST(LonePerformPlaces, WhereNoneMayWaitItIsRefused) {
  std::vector<std::optional<errc>> refused;
  const auto waits = [&] {
    once_event never_fired;
    refused.push_back(kind_of(perform(never_fired.happened())));
  };
  const auto untaken = [](void* context, failure&&) noexcept {
    (*static_cast<decltype(waits)*>(context))();
  };
  EXPECT_TRUE(run(
      [&] {
        const auto source = cancel_source::create().value();
        const cancel_callback callback(source.token(), [&]() noexcept { waits(); });
        source.cancel();
        EXPECT_TRUE(perform(guard([&] {
          waits();
          return always();
        })));
        wait_queue queue;
        EXPECT_TRUE(perform(retry_on(queue, [&]() noexcept {
          waits();
          return true;
        })));
        {
          const auto failed =
              spawn([]() -> result<void> { return fail(errc::io, "test", "it failed"); }).value();
          test::let_others_run();
        }
      },
      {.workers = 1,
       // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): called through
       .unhandled = {.take = untaken,
                     .context = const_cast<void*>(static_cast<const void*>(&waits))}}));
  EXPECT_EQ(refused, std::vector<std::optional<errc>>(4, errc::bad_state));
}

TEST(LonePerformPlaces, IO15_InAForkedChildItIsRefused) {
  EXPECT_TRUE(run([] {
    once_event fired;
    fired.fire();
    EXPECT_EQ(test::in_child([&] {
                if (kind_of(perform(fired.happened())) != errc::forked) return 1;
                if (kind_of(perform(sleep_for(1ns))) != errc::forked) return 2;
                return 0;
              }),
              0);
    EXPECT_TRUE(perform(fired.happened()));
  }));
}

// A coroutine that is resumed there would suspend the thread's loop, or the code that may not.
TEST(LonePerformPlaces, WhereNoneMayWaitACoroutineIsRefusedToo) {
  EXPECT_TRUE(run(
      [] {
        auto pool = coro_pool::create().value();
        once_event never_fired;
        int refused = 0;
        const auto waits = [&] {
          auto inner = pool.make([&] {
                             EXPECT_EQ(kind_of(perform(never_fired.happened())), errc::bad_state);
                             for (std::uint32_t i = 0; i <= worker::ops_max; ++i) {
                               EXPECT_EQ(kind_of(perform(always())), errc::bad_state);
                             }
                             ++refused;
                           })
                           .value();
          EXPECT_FALSE(inner.resume().failed());
          EXPECT_EQ(inner.state(), coro_state::finished);
        };
        // The loop of the worker calls it.
        once_event called;
        timed_call timed([&]() noexcept {
          waits();
          called.fire();
        });
        EXPECT_TRUE(timed.call_after(1us));
        EXPECT_TRUE(perform(called.happened()));
        // What a fiber calls, and may not suspend it.
        const auto source = cancel_source::create().value();
        const cancel_callback callback(source.token(), [&]() noexcept { waits(); });
        source.cancel();
        EXPECT_EQ(refused, 2);
        // A fiber-local that ends on the worker's own stack, or on that of another fiber.
        struct waits_at_the_end {
          const std::function<void()>* run;
          ~waits_at_the_end() { (*run)(); }
        };
        const std::function<void()> function = waits;
        static fiber_local<std::shared_ptr<waits_at_the_end>> local;
        once_event go;
        {
          auto value = std::make_shared<waits_at_the_end>(&function);
          const auto bound = local.bind(std::move(value)).value();
          (void)spawn([&] { EXPECT_TRUE(perform(go.happened())); });
        }
        test::yield_until([&] { return go.waiting() == 1; });
        go.fire();
        test::let_others_run();
        EXPECT_EQ(refused, 3);
      },
      {.workers = 1}));
}

TEST(LonePerformPlaces, O10_AWrapMayWait) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> numbers;
        auto sender = spawn([&] {
                        for (int i = 0; i < 2; ++i) EXPECT_TRUE(perform(numbers.send(i)));
                      }).value();
        const auto waits = [&](int n) {
          EXPECT_TRUE(perform(sleep_for(1us)));
          return 10 * n + perform(numbers.receive()).value();
        };
        const auto got =
            perform(wrap(wrap(numbers.receive(), waits), [](int n) { return n + 100; }));
        EXPECT_EQ(got.value(), 101);
        EXPECT_TRUE(sender.join());
      },
      {.workers = 1}));
}

#if BAST_EXCEPTIONS
TEST(LonePerformPlaces, O10_AWrapThatThrowsUndoesNothing) {
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> numbers;
        auto sender = spawn([&] {
                        int value = 1;
                        EXPECT_TRUE(perform(numbers.send(value)));
                      }).value();
        const auto throws = [](int n) -> int { throw std::runtime_error(std::to_string(n)); };
        EXPECT_THROW((void)perform(wrap(numbers.receive(), throws)), std::runtime_error);
        EXPECT_TRUE(sender.join());
        EXPECT_EQ(numbers.waiting(), 0U);
      },
      {.workers = 1}));
}
#endif

#if BAST_EXCEPTIONS
TEST(LonePerformPlaces, F7_InAHandlerAndWhileADestructorUnwinds) {
  struct receives_in_destructor {
    rendezvous<int>& from;
    int& into;
    ~receives_in_destructor() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      into = perform(from.receive()).value();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  EXPECT_TRUE(run(
      [] {
        rendezvous<int> numbers;
        std::vector<fiber<void>> all;
        for (int i = 0; i < 8; ++i) {
          all.push_back(spawn([&, i] {
                          int got = -1;
                          try {
                            const receives_in_destructor last{numbers, got};
                            throw std::runtime_error(std::to_string(i));
                          } catch (const std::runtime_error& e) {
                            EXPECT_GE(got, 0);
                            EXPECT_TRUE(perform(numbers.receive()));
                            EXPECT_EQ(e.what(), std::to_string(i));
                          }
                          EXPECT_EQ(std::uncaught_exceptions(), 0);
                        }).value());
        }
        for (int i = 0; i < 16; ++i) EXPECT_TRUE(perform(numbers.send(i)));
        for (auto& each : all) EXPECT_TRUE(each.join());
      },
      {.workers = 2}));
}
#endif

// One with control words of its own waits, nested, and the plain wait of another fiber goes on.
TEST(LonePerformPlaces, F7_RoundingStaysWithItsCoroutine) {
  EXPECT_TRUE(run(
      [] {
        once_event go;
        const int before = std::fegetround();
        auto holder = spawn([&] {
                        auto pool = coro_pool::create({.own_float_control = true}).value();
                        auto inner = pool.make([&] {
                                           EXPECT_EQ(std::fesetround(FE_UPWARD), 0);
                                           EXPECT_TRUE(perform(go.happened()));
                                           EXPECT_EQ(std::fegetround(), FE_UPWARD);
                                         })
                                         .value();
                        EXPECT_FALSE(inner.resume().failed());
                        EXPECT_EQ(std::fegetround(), before);
                      }).value();
        auto plain = spawn([&] {
                       EXPECT_TRUE(perform(go.happened()));
                       EXPECT_EQ(std::fegetround(), before);
                     }).value();
        test::yield_until([&] { return go.waiting() == 2; });
        EXPECT_EQ(std::fegetround(), before);
        go.fire();
        EXPECT_TRUE(perform(plain.joined()));
        EXPECT_TRUE(perform(holder.joined()));
        EXPECT_EQ(std::fegetround(), before);
      },
      {.workers = 1}));
}

// --- the budget of ops ---------------------------------------------------------------------------

template <class Op>
void expect_others_run(Op make_op) {
  const test::counting_yielder other;
  for (std::uint32_t i = 0; i < 10 * (worker::ops_max + 1); ++i) EXPECT_TRUE(perform(make_op()));
  EXPECT_GE(other.ran(), 9);
  EXPECT_LE(other.ran(), 11);
}

TEST(LonePerformPlaces, IO7_OpsOfEachKindThatAreReadyLetOthersRun) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const os::descriptor reads(ends[0]);
  const os::descriptor writes(ends[1]);
  EXPECT_TRUE(run(
      [&] {
        once_event fired;
        fired.fire();
        expect_others_run([&] { return fired.happened(); });
        wait_queue queue;
        expect_others_run([&] { return retry_on(queue, []() noexcept { return true; }); });
        auto done = spawn([] {}).value();
        EXPECT_TRUE(perform(done.done()));
        expect_others_run([&] { return done.done(); });
        expect_others_run([&] { return writable(writes.get()); });
        expect_others_run([] { return sleep_for(0ns); });
        expect_others_run([] { return wrap(always(1), [](int n) { return n; }); });
      },
      {.workers = 1}));
}

// --- stacks --------------------------------------------------------------------------------------

/// What it receives lies below the open part of its stack, and is written by other threads.
TEST(LonePerformPlaces, D2_ALargeValueIsReceivedBelowTheOpenPart) {
  using large = std::array<char, 60'000>;
  const run_options options{.workers = 2, .stack = {.limit = bytes{2 << 20}}};
  for (const bool is_thread : {false, true}) {
    EXPECT_TRUE(run(
        [&] {
          rendezvous<large> values;
          for (int i = 0; i < 20; ++i) {
            const auto send = [&values, i] {
              const auto value = std::make_unique<large>();
              value->fill(static_cast<char>(i));
              return perform(values.send(*value)).has_value();
            };
            auto receiver = spawn([&values, i] {
                              const auto got = perform(values.receive());
                              return got && got->front() == i && got->back() == i;
                            }).value();
            test::yield_until([&] { return values.receiving() == 1; });
            if (is_thread) {
              const test::joined_thread sends([&] { EXPECT_TRUE(send()); });
            } else {
              EXPECT_TRUE(spawn(send)->join().value());
            }
            EXPECT_TRUE(receiver.join().value());
          }
        },
        options));
  }
}

}  // namespace
}  // namespace bast
