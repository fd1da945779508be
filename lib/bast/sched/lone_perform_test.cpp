// SPDX-License-Identifier: Apache-2.0
//
// A perform of one leaf in a fiber, which takes the short path (op/perform.hpp): as the general one
// it neither loses nor doubles a commit, however the leaf and the wait end.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bast/io.hpp"
#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/once_event.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using internal::progress;
using internal::worker;
using test::kind_of;
using test::once_event;
using test::rendezvous;

void cancel_the_runtime() { EXPECT_TRUE(runtime_handle::current()->cancel()); }
/// Each fiber that is ready has run, also one that has not started.
void let_others_run() {
  for (int i = 0; i < 3 * worker::turns_max; ++i) EXPECT_TRUE(yield_now());
}

// --- leaves that end oddly -----------------------------------------------------------------------

/// When a peer commits the leaf, relative to its enlist() and to its end.
enum class committer { none, this_thread, other_thread };
enum class ending { waits, fails, throws };

class odd_leaf final : public internal::leaf {
 public:
  using performer = internal::performer;
  odd_leaf(committer by, ending how) noexcept : by_(by), how_(how) {}

  bool looks_ready() const noexcept override { return false; }
  progress attempt(performer& /*who*/) override { return progress::none; }
  progress enlist(performer& who) override {
    if (!who.number(*this)) return progress::failed;
    who.expect(*this);
    if (by_ == committer::this_thread) performer::complete(*this);
    if (by_ == committer::other_thread) {
      const test::joined_thread commits([this] { performer::complete(*this); });
    }
    if (how_ == ending::fails) {
      who.fail_with({errc::io, "test", "it fails after it was linked"});
      return progress::failed;
    }
#if BAST_EXCEPTIONS
    if (how_ == ending::throws) throw std::runtime_error("after it was linked");
#endif
    return progress::none;
  }
  void delist() noexcept override {}

 private:
  committer by_;
  ending how_;
};

struct odd_op {
  using value_type = int;
  committer by;
  ending how;

  template <class>
  struct plan : internal::leaf_plan<odd_leaf> {
    explicit plan(odd_op op) : leaf_plan(op.by, op.how) {}
    [[nodiscard]] result<int> take(const internal::leaf* /*chosen*/) { return 7; }
  };
};

std::string ending_of(odd_op op) {
#if BAST_EXCEPTIONS
  try {
#endif
    const auto got = perform(op);
    return got ? std::to_string(*got) : std::string(got.error().detail());
#if BAST_EXCEPTIONS
  } catch (const std::runtime_error&) {
    return "exception";
  }
#endif
}

TEST(LonePerform, O2_ALeafThatEndsOddlyEndsAsOnTheGeneralPath) {
  for (const std::size_t workers : {1U, 2U}) {
    EXPECT_TRUE(run(
        [] {
          rendezvous<int> afterwards;
          for (const auto by : {committer::none, committer::this_thread, committer::other_thread}) {
            for (const auto how : {ending::waits, ending::fails, ending::throws}) {
              if (how == ending::waits && by == committer::none) continue;
              if (how == ending::throws && BAST_EXCEPTIONS == 0) continue;
              std::string general;
              {
                const cancel_binding shielded{cancel_token()};
                general = ending_of({by, how});
              }
              EXPECT_EQ(ending_of({by, how}), general)
                  << static_cast<int>(by) << " " << static_cast<int>(how);
              // A wake that came too often would end this wait, or another one's.
              auto sender = spawn([&] {
                              int value = 5;
                              return perform(afterwards.send(value)).has_value();
                            }).value();
              EXPECT_EQ(perform(afterwards.receive()).value(), 5);
              EXPECT_TRUE(sender.join().value());
            }
          }
        },
        {.workers = workers}));
  }
}

// --- cancellation --------------------------------------------------------------------------------

TEST(LonePerform, C18_ACancelOnItsWorkerEndsTheWait) {
  EXPECT_TRUE(run(
      [] {
        once_event never_fired;
        int ended = 0;
        std::vector<fiber<void>> all;
        for (int i = 0; i < 3; ++i) {
          all.push_back(spawn([&] {
                          EXPECT_EQ(kind_of(perform(never_fired.happened())), errc::cancelled);
                          ++ended;
                        }).value());
        }
        test::yield_until([&] { return never_fired.waiting() == 3; });
        const cancel_binding shielded{cancel_token()};
        cancel_the_runtime();
        let_others_run();
        EXPECT_EQ(ended, 3);
        EXPECT_EQ(never_fired.waiting(), 0U);
        never_fired.fire();  // Also where they have missed the cancel.
      },
      {.workers = 1}));
}

TEST(LonePerform, C11_AFiberThatCancelsAndEndsIsLeftToAnotherJoin) {
  for (const bool by_op : {false, true}) {
    EXPECT_TRUE(run(
        [&] {
          // The joiner has been cancelled, and is still linked, when the child ends.
          auto child = spawn([] {
                         cancel_the_runtime();
                         return 7;
                       }).value();
          const auto first = by_op ? perform(child.joined()) : child.join();
          EXPECT_EQ(kind_of(first), errc::cancelled);
          const cancel_binding shielded{cancel_token()};
          EXPECT_EQ(child.join().value(), 7);
        },
        {.workers = 1}));
  }
}

TEST(LonePerform, C11_AJoinThatWasCommittedIsNotCancelled) {
  EXPECT_TRUE(run(
      [] {
        once_event go;
        auto ends = spawn([&] { EXPECT_TRUE(perform(go.happened())); }).value();
        // The end commits both; the first of them to run cancels the other.
        int ended = 0;
        std::vector<fiber<void>> joiners;
        for (int i = 0; i < 2; ++i) {
          joiners.push_back(spawn([&] {
                              EXPECT_TRUE(perform(ends.done()));
                              if (++ended == 1) cancel_the_runtime();
                            }).value());
        }
        test::yield_until([&] { return go.waiting() == 1; });
        let_others_run();
        const cancel_binding shielded{cancel_token()};
        go.fire();
        for (auto& each : joiners) EXPECT_TRUE(each.join());
        EXPECT_EQ(ended, 2);
      },
      {.workers = 1}));
}

TEST(LonePerform, C10_ATryThatCancelsItsOwnRuntimeEndsTheWait) {
  EXPECT_TRUE(run(
      [] {
        wait_queue queue;
        int tries = 0;
        const auto got = perform(retry_on(queue, [&]() noexcept {
          if (++tries == 1) cancel_the_runtime();
          return false;
        }));
        EXPECT_EQ(kind_of(got), errc::cancelled);
        EXPECT_EQ(tries, 1);
        EXPECT_EQ(queue.waiting(), 0U);
      },
      {.workers = 1}));
}

// A wake in vain, and then another one that it does not use.
TEST(LonePerform, Y4_AWakeIsPassedOnByAFiberThatWasWokenInVain) {
  wait_queue queue;
  int permits = 0;
  int tries = 0;
  const auto take = [&]() noexcept { return permits != 0 && permits-- != 0; };
  const auto put = [&] {
    queue.wake_one([&]() noexcept { ++permits; });
  };
  auto cancelled = guest_runtime::create({.workers = 1}).value();
  auto patient = guest_runtime::create({.workers = 1}).value();
  auto first = cancelled.handle()
                   .spawn([&] {
                     return kind_of(perform(retry_on(queue, [&]() noexcept {
                       ++tries;
                       return take();
                     })));
                   })
                   .value();
  while (queue.waiting() != 1) ASSERT_TRUE(cancelled.turn(0ns));
  auto second =
      patient.handle().spawn([&] { return perform(retry_on(queue, take)).has_value(); }).value();
  while (queue.waiting() != 2) ASSERT_TRUE(patient.turn(0ns));

  put();
  EXPECT_TRUE(poll(retry_on(queue, take)));  // Before the fiber that was woken.
  while (queue.waiting() != 2) ASSERT_TRUE(cancelled.turn(0ns));
  EXPECT_EQ(tries, 2);

  put();  // It is behind the other one by now.
  while (!second.is_done()) ASSERT_TRUE(patient.turn(0ns));
  EXPECT_TRUE(block_on(second.joined()).value());
  auto third =
      patient.handle().spawn([&] { return perform(retry_on(queue, take)).has_value(); }).value();
  while (queue.waiting() != 2) ASSERT_TRUE(patient.turn(0ns));
  put();
  cancelled.handle().cancel();
  while (!first.is_done()) ASSERT_TRUE(cancelled.turn(0ns));
  EXPECT_EQ(block_on(first.joined()).value(), errc::cancelled);
  while (!third.is_done()) ASSERT_TRUE(patient.turn(1s));
  EXPECT_TRUE(block_on(third.joined()).value());
  EXPECT_EQ(permits, 0);
}

// --- where it is called --------------------------------------------------------------------------

TEST(LonePerform, WhereNoneMayWaitItIsRefused) {
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
          let_others_run();
        }
      },
      {.workers = 1,
       // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): called through
       .unhandled = {.take = untaken, .context = const_cast<void*>(static_cast<const void*>(&waits))}}));
  EXPECT_EQ(refused, std::vector<std::optional<errc>>(4, errc::bad_state));
}

// A coroutine that is resumed there would suspend the thread's loop, or the code that may not.
TEST(LonePerform, WhereNoneMayWaitACoroutineIsRefusedToo) {
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
                           }).value();
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
        let_others_run();
        EXPECT_EQ(refused, 3);
      },
      {.workers = 1}));
}

TEST(LonePerform, O10_AWrapMayWait) {
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
TEST(LonePerform, O10_AWrapThatThrowsUndoesNothing) {
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
TEST(LonePerform, F7_InAHandlerAndWhileADestructorUnwinds) {
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
TEST(LonePerform, F7_RoundingStaysWithItsCoroutine) {
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
                                         }).value();
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
  bool stop = false;
  int other_ran = 0;
  auto other = spawn([&] {
                 while (!stop) {
                   ++other_ran;
                   EXPECT_TRUE(yield_now());
                 }
               }).value();
  test::yield_until([&] { return other_ran > 0; });
  other_ran = 0;
  for (std::uint32_t i = 0; i < 10 * (worker::ops_max + 1); ++i) EXPECT_TRUE(perform(make_op()));
  EXPECT_GE(other_ran, 9);
  EXPECT_LE(other_ran, 11);
  stop = true;
  EXPECT_TRUE(other.join());
}

TEST(LonePerform, IO7_OpsOfEachKindThatAreReadyLetOthersRun) {
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
TEST(LonePerform, D2_ALargeValueIsReceivedBelowTheOpenPart) {
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
