// SPDX-License-Identifier: Apache-2.0
//
// A perform of one leaf in a fiber, which takes the short path (op/perform.hpp): as the general one
// it neither loses nor doubles a commit, however the leaf and the wait end.
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/once_event.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using internal::progress;
using test::kind_of;
using test::once_event;
using test::rendezvous;

void cancel_the_runtime() { EXPECT_TRUE(runtime_handle::current()->cancel()); }

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
              const auto ends = [by, how] { return ending_of({by, how}); };
              const auto ends_generally = [&] {
                const cancel_binding shielded{cancel_token()};
                return ends();
              };
              const std::string lone = spawn(ends)->join().value();
              EXPECT_TRUE(yield_now());  // To one that was left in the queue and has ended.
              EXPECT_EQ(lone, spawn(ends_generally)->join().value())
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

/// Its first wait ends with a retry, its second one before it has begun; then it commits.
class changing_leaf final : public internal::leaf {
 public:
  using performer = internal::performer;
  explicit changing_leaf(changing_leaf*& waiting) noexcept : waiting_(waiting) {}

  bool looks_ready() const noexcept override { return false; }
  progress attempt(performer& /*who*/) override { return progress::none; }
  progress enlist(performer& who) override {
    if (!who.number(*this)) return progress::failed;
    ++rounds_;
    if (rounds_ == 2) return progress::again;
    if (rounds_ == 3) return who.commit_self(*this) ? progress::committed : progress::lost;
    who.expect(*this);
    waiting_ = this;
    return progress::none;
  }
  void delist() noexcept override {}
  void retry() noexcept {
    if (node.who->commit(node.armed, internal::arm_retry)) node.who->wake();
  }

 private:
  changing_leaf*& waiting_;
  int rounds_ = 0;
};

struct changing_op {
  using value_type = void;
  changing_leaf** waiting;

  template <class>
  struct plan : internal::leaf_plan<changing_leaf> {
    explicit plan(changing_op op) : leaf_plan(*op.waiting) {}
    [[nodiscard]] result<void> take(const internal::leaf* /*chosen*/) { return {}; }
  };
};

// A wake of the first wait is none of the second.
TEST(LonePerform, O2_AWaitThatIsWithdrawnAfterARetryLeavesTheQueueAsItIs) {
  for (const bool is_alone : {true, false}) {
    EXPECT_TRUE(run(
        [&] {
          changing_leaf* waiting = nullptr;
          auto changing = spawn([&] {
                            const changing_op op{&waiting};
                            return is_alone ? perform(op).has_value()
                                            : perform(choice(op, never_ready<void>())).has_value();
                          }).value();
          test::yield_until([&] { return waiting != nullptr; });
          int others = 0;
          std::vector<fiber<void>> all;
          for (int i = 0; i < 3; ++i) {
            all.push_back(spawn([&] {
                            for (int turn = 0; turn < 10; ++turn) {
                              ++others;
                              EXPECT_TRUE(yield_now());
                            }
                          }).value());
          }
          test::yield_until([&] { return others > 3; });
          waiting->retry();
          test::let_others_run();
          EXPECT_EQ(others, 30) << "one was lost from the queue";
          EXPECT_TRUE(changing.join().value());
          for (auto& each : all) EXPECT_TRUE(each.join());
        },
        {.workers = 1}));
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
        test::let_others_run();
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
        test::let_others_run();
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

TEST(LonePerform, IO6_ACancelledSleepLeavesNoTimer) {
  auto fibers = guest_runtime::create({.workers = 1}).value();
  auto sleeper = fibers.handle().spawn([] { return kind_of(perform(sleep_for(1h))); }).value();
  while (fibers.next_deadline() == never) ASSERT_TRUE(fibers.turn(0ns));
  fibers.handle().cancel();
  while (!sleeper.is_done()) ASSERT_TRUE(fibers.turn(0ns));
  EXPECT_EQ(block_on(sleeper.joined()).value(), errc::cancelled);
  EXPECT_EQ(fibers.next_deadline(), never);
}

// A wake in vain, and then another one that it does not use.
TEST(LonePerform, Y4_AWakeIsPassedOnByAFiberThatWasWokenInVain) {
  wait_queue queue;
  int permits = 0;
  int tries = 0;
  const auto take = [&]() noexcept { return permits != 0 && permits-- != 0; };
  const auto put = [&] { queue.wake_one([&]() noexcept { ++permits; }); };
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

}  // namespace
}  // namespace bast
