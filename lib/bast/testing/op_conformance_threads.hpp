// SPDX-License-Identifier: Apache-2.0
//
// The suite of op_conformance.hpp, with its checks that need threads.
//
//   #include "bast/testing/op_conformance_threads.hpp"
//   namespace bast::test {
//   INSTANTIATE_TYPED_TEST_SUITE_P(Latch, OpConformance, latch_subject);
//   }
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/op_conformance.hpp"

namespace bast::test {

/// A thread that performs, and the source that cancels it at any time.
class cancellable_thread {
 public:
  cancel_token renew() {
    const std::lock_guard guard(lock_);
    source_ = cancel_source::create().value();
    return source_->token();
  }
  void cancel() {
    const std::lock_guard guard(lock_);
    if (source_) source_->cancel();
  }

 private:
  std::mutex lock_;
  std::optional<cancel_source> source_;
};

/// O-11, O-16: threads perform, alone and in choices, while they are cancelled again and again. As
/// much commits as was made ready.
template <class Subject>
void check_threads(int rounds) {
  constexpr std::size_t count = 3;
  typename Subject::object object;
  std::array<cancellable_thread, count> threads;
  std::atomic<int> commits = 0;
  std::atomic<std::size_t> running = count;
  const int expected = Subject::stays_ready ? static_cast<int>(count) : rounds;
  {
    std::vector<joined_thread> all;
    for (cancellable_thread& mine : threads) {
      all.emplace_back([&] {
        for (int round = 0; commits < expected; ++round) {
          const cancel_binding governed(mine.renew());
          if (commits == expected) break;
          const bool alone = round % 2 == 0;
          const bool done =
              alone ? perform(Subject::op(object)).has_value()
                    : perform(choice(Subject::op(object), Subject::op(object))).has_value();
          commits += done;
          if (done && Subject::stays_ready) break;
        }
        --running;
      });
    }
    for (int i = 0; i < (Subject::stays_ready ? 1 : rounds); ++i) {
      threads[static_cast<std::size_t>(i) % count].cancel();
      Subject::make_ready(object);
    }
    for (backoff wait; running != 0; wait.pause()) {
      if (commits != expected) continue;
      for (cancellable_thread& each : threads) each.cancel();
    }
  }
  EXPECT_EQ(commits, expected);
  EXPECT_EQ(Subject::waiting(object), 0U);
  EXPECT_EQ(poll(Subject::op(object)).has_value(), Subject::stays_ready);
}

/// Y-14: who has committed destroys the object at once, after a wait and after a poll. A sanitizer
/// reports who still touches it.
template <class Subject>
void check_the_object_may_end(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    const bool waits = i % 2 == 0;
    std::optional<typename Subject::object> object(std::in_place);
    const joined_thread ends([&] {
      if (waits) {
        EXPECT_TRUE(perform(Subject::op(*object)));
      } else {
        for (backoff wait; !poll(Subject::op(*object)); wait.pause()) {
        }
      }
      object.reset();
    });
    // It cannot commit before it is ready.
    for (backoff wait; waits && Subject::waiting(*object) == 0; wait.pause()) {
    }
    Subject::make_ready(*object);
  }
}

template <class Subject>
class OpConformance : public testing::Test {
 protected:
  op_checks<Subject> checks;
};
TYPED_TEST_SUITE_P(OpConformance);

TYPED_TEST_P(OpConformance, O1_BuildingDoesNothing) { this->checks.building_does_nothing(); }
TYPED_TEST_P(OpConformance, O2_OneReadinessCommitsOnePerform) {
  this->checks.one_readiness_commits_one_perform();
}
TYPED_TEST_P(OpConformance, O2_TwoArmsOfOnePerformCommitOnce) {
  this->checks.two_arms_of_one_perform_commit_once();
}
TYPED_TEST_P(OpConformance, O3_NothingIsLinkedWhileArmsAreTried) {
  this->checks.nothing_is_linked_while_arms_are_tried();
}
TYPED_TEST_P(OpConformance, O7_O8_AnArmThatLosesIsTold) {
  this->checks.an_arm_that_loses_is_told();
}
TYPED_TEST_P(OpConformance, O11_WhatIsNotTriedTakesNothing) {
  this->checks.what_is_not_tried_takes_nothing();
}
TYPED_TEST_P(OpConformance, O11_AnArmThatLosesTakesNothing) {
  this->checks.an_arm_that_loses_takes_nothing();
}
TYPED_TEST_P(OpConformance, C11_ACancelledPerformHasNotHappened) {
  this->checks.a_cancelled_perform_has_not_happened();
}
TYPED_TEST_P(OpConformance, C11_ACancelTakesNothingFromACommit) {
  this->checks.a_cancel_takes_nothing_from_a_commit();
}
TYPED_TEST_P(OpConformance, O14_APollLeavesNothing) { this->checks.a_poll_leaves_nothing(); }
TYPED_TEST_P(OpConformance, O16_ThreadsCommitAsMuchAsIsReady) { check_threads<TypeParam>(600); }
TYPED_TEST_P(OpConformance, O17_NothingIsAllocatedOnceItWaits) {
  this->checks.nothing_is_allocated_once_it_waits();
}
TYPED_TEST_P(OpConformance, F12_AReleasedPerformLeavesNothing) {
  this->checks.a_released_perform_leaves_nothing();
}
TYPED_TEST_P(OpConformance, Y4_WhatACancelledPerformWasWokenForIsPassedOn) {
  this->checks.what_a_cancelled_perform_was_woken_for_is_passed_on();
}
TYPED_TEST_P(OpConformance, Y14_TheObjectMayEndWhenTheOpHasCommitted) {
  check_the_object_may_end<TypeParam>(100);
}
REGISTER_TYPED_TEST_SUITE_P(OpConformance, O1_BuildingDoesNothing, O2_OneReadinessCommitsOnePerform,
                            O2_TwoArmsOfOnePerformCommitOnce, O3_NothingIsLinkedWhileArmsAreTried,
                            O7_O8_AnArmThatLosesIsTold, O11_WhatIsNotTriedTakesNothing,
                            O11_AnArmThatLosesTakesNothing, C11_ACancelledPerformHasNotHappened,
                            C11_ACancelTakesNothingFromACommit, O14_APollLeavesNothing,
                            O16_ThreadsCommitAsMuchAsIsReady, O17_NothingIsAllocatedOnceItWaits,
                            F12_AReleasedPerformLeavesNothing,
                            Y4_WhatACancelledPerformWasWokenForIsPassedOn,
                            Y14_TheObjectMayEndWhenTheOpHasCommitted);

}  // namespace bast::test
