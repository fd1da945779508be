// SPDX-License-Identifier: Apache-2.0
//
// The suite for ops in fibers, of the kinds of object that layer op knows, and of the end of a
// fiber.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/once_event.hpp"
#include "bast/testing/op_conformance_fibers.hpp"
#include "bast/testing/op_conformance_threads.hpp"
#include "bast/testing/op_subjects.hpp"

namespace bast::test {
namespace {

/// A fiber of another runtime, which ends when it is told.
class fiber_elsewhere {
 public:
  fiber_elsewhere() {
    for (backoff wait; record_ == nullptr; wait.pause()) {
    }
  }
  fiber_elsewhere(const fiber_elsewhere&) = delete;
  fiber_elsewhere& operator=(const fiber_elsewhere&) = delete;
  ~fiber_elsewhere() { may_end_.fire(); }

  done_op done() { return done_op(record_); }
  /// Returns when those that waited for its end have been woken, too. Of several at once, too. This
  /// object may be gone by then (Y-14).
  void end() {
    const std::shared_ptr<std::latch> ended = ended_;
    may_end_.fire();
    ended->wait();
  }
  /// The joiners of its record.
  std::size_t waiting() {
    bast::internal::fiber_record& f = *record_;
    std::size_t count = 0;
    f.join_lock.lock();
    for (auto* at = f.joiners; at != nullptr; at = at->next) ++count;
    f.join_lock.unlock();
    return count;
  }

 private:
  once_event may_end_;
  std::shared_ptr<std::latch> ended_ = std::make_shared<std::latch>(1);
  fiber<void> handle_;
  std::atomic<bast::internal::fiber_record*> record_{nullptr};
  joined_thread runs_{[this, ended = ended_] {
    EXPECT_TRUE(run(
        [this] {
          handle_ = spawn([this] {
                      record_ = bast::internal::this_worker->running();
                      EXPECT_TRUE(perform(may_end_.happened()));
                    }).value();
        },
        {.workers = 1}));
    ended->count_down();
  }};
};

struct done_subject {
  using object = fiber_elsewhere;
  static auto op(object& of) { return of.done(); }
  static void make_ready(object& of) { of.end(); }
  static std::size_t waiting(object& of) { return of.waiting(); }
  static constexpr bool stays_ready = true;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Receive, OpConformanceInFibers, receive_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(Send, OpConformanceInFibers, send_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(OnceEvent, OpConformanceInFibers, once_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(Retry, OpConformanceInFibers, retry_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(RetryOpen, OpConformanceInFibers, open_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(Done, OpConformanceInFibers, done_subject);
INSTANTIATE_TYPED_TEST_SUITE_P(Done, OpConformance, done_subject);

}  // namespace
}  // namespace bast::test
