// SPDX-License-Identifier: Apache-2.0
//
// The suite of op_conformance.hpp for performs that wait in fibers: there a perform of one leaf
// takes a path of its own (op/perform.hpp, lone_performance).
//
//   #include "bast/testing/op_conformance_fibers.hpp"
//   namespace bast::test {
//   INSTANTIATE_TYPED_TEST_SUITE_P(Latch, OpConformanceInFibers, latch_subject);
//   }
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "bast/sched.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/op_conformance.hpp"

namespace bast::test {

/// Fibers of two runtimes in turns of this thread. Their roots govern them, so that no binding
/// stands in the way of the short path; cancel() fires that of one runtime.
class fiber_place {
  class turning {
   public:
    fiber<void> spawn(std::function<void()> body) {
      auto made = fibers_.handle().spawn(std::move(body)).value();
      run();
      return made;
    }
    bool cancel() { return fibers_.handle().cancel(); }
    void turn() { EXPECT_TRUE(fibers_.turn(std::chrono::nanoseconds(0))); }
    /// Until all of its fibers wait or have ended.
    void run() {
      do turn();
      while (has_more());
    }
    /// What is left to do makes the descriptor readable (IO-16).
    [[nodiscard]] bool has_more() const {
      pollfd watched{.fd = fibers_.fd(), .events = POLLIN, .revents = 0};
      return ::poll(&watched, 1, 0) == 1;
    }

   private:
    guest_runtime fibers_ = guest_runtime::create({.workers = 1}).value();
  };

 public:
  class handle {
   public:
    handle(turning& in, fiber<void> of) : in_(&in), of_(std::move(of)) {}
    handle(handle&&) noexcept = default;
    handle& operator=(handle&&) = delete;
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    ~handle() {
      if (!of_ || of_.is_done()) return;
      in_->cancel();
      in_->run();
      EXPECT_TRUE(of_.is_done()) << "a cancelled fiber waits on";
    }

   private:
    turning* in_;
    fiber<void> of_;
  };

  handle begin(std::function<void()> body) { return {others_, others_.spawn(std::move(body))}; }
  handle begin_cancellably(std::function<void()> body) {
    return {cancelled_, cancelled_.spawn(std::move(body))};
  }
  bool cancel() { return cancelled_.cancel(); }
  void settle() {
    do {
      others_.turn();
      cancelled_.turn();
    } while (others_.has_more() || cancelled_.has_more());
  }
  void end() {
    others_.cancel();
    settle();
  }

 private:
  turning others_, cancelled_;
};

/// O-2: fibers of two workers wait, and as many fibers make it ready.
template <class Subject>
void check_fibers_commit_what_is_ready(int rounds) {
  constexpr int count = 4;
  for (int round = 0; round < rounds; ++round) {
    typename Subject::object object;
    std::atomic<int> commits = 0;
    EXPECT_TRUE(run(
        [&] {
          for (int i = 0; i < count; ++i) {
            EXPECT_TRUE(spawn([&] { commits += perform(Subject::op(object)).has_value(); }));
          }
          while (round % 2 == 0 && Subject::waiting(object) != count) EXPECT_TRUE(yield_now());
          for (int i = 0; i < (Subject::stays_ready ? 1 : count); ++i) {
            EXPECT_TRUE(spawn([&] { Subject::make_ready(object); }));
          }
        },
        {.workers = 2}));
    EXPECT_EQ(commits, count);
    EXPECT_EQ(Subject::waiting(object), 0U);
    EXPECT_EQ(poll(Subject::op(object)).has_value(), Subject::stays_ready);
  }
}

/// C-11: the same, while another thread cancels the runtime. No more commits than was made ready.
template <class Subject>
void check_cancelled_fibers(int rounds) {
  constexpr int count = 4;
  for (int round = 0; round < rounds; ++round) {
    typename Subject::object object;
    std::atomic<int> commits = 0;
    std::atomic<int> refused = 0;
    EXPECT_TRUE(run(
        [&] {
          const cancel_binding shielded{cancel_token()};
          std::atomic<bool> may_cancel = false;
          const joined_thread cancels([&, runtime = runtime_handle::current().value()] {
            for (backoff wait; !may_cancel; wait.pause()) {
            }
            runtime.cancel();
          });
          for (int i = 0; i < count; ++i) {
            EXPECT_TRUE(spawn([&] {
              const auto got = perform(Subject::op(object));
              EXPECT_TRUE(got || got.error() == errc::cancelled);
              ++(got ? commits : refused);
            }));
          }
          while (round % 2 == 0 && Subject::waiting(object) != count) EXPECT_TRUE(yield_now());
          may_cancel = true;
          for (int i = 0; i < count / 2; ++i) {
            EXPECT_TRUE(spawn([&] { Subject::make_ready(object); }));
          }
        },
        {.workers = 2}));
    EXPECT_EQ(commits + refused, count);
    EXPECT_EQ(Subject::waiting(object), 0U);
    if (Subject::stays_ready) continue;
    int left = 0;
    while (poll(Subject::op(object))) ++left;
    EXPECT_LE(commits + left, count / 2);
    // What can be made ready without a wait is made ready also in a cancelled runtime.
    if constexpr (requires { Subject::keeps_what_is_ready; }) {
      EXPECT_EQ(commits + left, count / 2) << "one was lost";
    }
  }
}

/// Y-14: as check_the_object_may_end, for two fibers, which two workers may run.
template <class Subject>
void check_the_object_may_end_in_fibers(int rounds) {
  EXPECT_TRUE(run(
      [&] {
        for (int i = 0; i < rounds; ++i) {
          std::optional<typename Subject::object> object(std::in_place);
          auto ends = spawn([&] {
                        EXPECT_TRUE(perform(Subject::op(*object)));
                        object.reset();
                      }).value();
          // It cannot commit before it is ready.
          while (i % 2 == 0 && Subject::waiting(*object) == 0) EXPECT_TRUE(yield_now());
          Subject::make_ready(*object);
          EXPECT_TRUE(ends.join());
        }
      },
      {.workers = 2}));
}

template <class Subject>
class OpConformanceInFibers : public testing::Test {
 protected:
  op_checks<Subject, fiber_place> checks;
};
TYPED_TEST_SUITE_P(OpConformanceInFibers);

TYPED_TEST_P(OpConformanceInFibers, O1_BuildingDoesNothing) {
  this->checks.building_does_nothing();
}
TYPED_TEST_P(OpConformanceInFibers, O2_OneReadinessCommitsOnePerform) {
  this->checks.one_readiness_commits_one_perform();
}
TYPED_TEST_P(OpConformanceInFibers, O2_TwoArmsOfOnePerformCommitOnce) {
  this->checks.two_arms_of_one_perform_commit_once();
}
TYPED_TEST_P(OpConformanceInFibers, O2_FibersOfTwoWorkersCommitAsMuchAsIsReady) {
  check_fibers_commit_what_is_ready<TypeParam>(50);
}
TYPED_TEST_P(OpConformanceInFibers, O7_O8_AnArmThatLosesIsTold) {
  this->checks.an_arm_that_loses_is_told();
}
TYPED_TEST_P(OpConformanceInFibers, O11_WhatIsNotTriedTakesNothing) {
  this->checks.what_is_not_tried_takes_nothing();
}
TYPED_TEST_P(OpConformanceInFibers, O11_AnArmThatLosesTakesNothing) {
  this->checks.an_arm_that_loses_takes_nothing();
}
TYPED_TEST_P(OpConformanceInFibers, C11_ACancelledPerformHasNotHappened) {
  this->checks.a_cancelled_perform_has_not_happened();
}
TYPED_TEST_P(OpConformanceInFibers, C11_ACancelTakesNothingFromACommit) {
  this->checks.a_cancel_takes_nothing_from_a_commit();
}
TYPED_TEST_P(OpConformanceInFibers, C11_OfTwoWorkersACancelLosesNothing) {
  check_cancelled_fibers<TypeParam>(100);
}
TYPED_TEST_P(OpConformanceInFibers, O14_APollLeavesNothing) {
  this->checks.a_poll_leaves_nothing();
}
TYPED_TEST_P(OpConformanceInFibers, O17_NothingIsAllocatedOnceItWaits) {
  this->checks.nothing_is_allocated_once_it_waits();
}
TYPED_TEST_P(OpConformanceInFibers, Y4_WhatACancelledPerformWasWokenForIsPassedOn) {
  this->checks.what_a_cancelled_perform_was_woken_for_is_passed_on();
}
TYPED_TEST_P(OpConformanceInFibers, Y14_TheObjectMayEndWhenTheOpHasCommitted) {
  check_the_object_may_end_in_fibers<TypeParam>(100);
}
REGISTER_TYPED_TEST_SUITE_P(OpConformanceInFibers, O1_BuildingDoesNothing,
                            O2_OneReadinessCommitsOnePerform, O2_TwoArmsOfOnePerformCommitOnce,
                            O2_FibersOfTwoWorkersCommitAsMuchAsIsReady, O7_O8_AnArmThatLosesIsTold,
                            O11_WhatIsNotTriedTakesNothing, O11_AnArmThatLosesTakesNothing,
                            C11_ACancelledPerformHasNotHappened, C11_ACancelTakesNothingFromACommit,
                            C11_OfTwoWorkersACancelLosesNothing, O14_APollLeavesNothing,
                            O17_NothingIsAllocatedOnceItWaits,
                            Y4_WhatACancelledPerformWasWokenForIsPassedOn,
                            Y14_TheObjectMayEndWhenTheOpHasCommitted);

}  // namespace bast::test
