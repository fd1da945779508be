// SPDX-License-Identifier: Apache-2.0
//
// A ring that carries its owner's operations beside those of a uring_adapter (P-22, P-23).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "bast/testing/process_loop.hpp"
#include "bast/testing/real_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child_of;
using test::pattern;
using test::real_child;
using test::start_of;

#if BAST_TEST_URING

class SharedRing : public testing::Test {
 protected:
  void follow_many(test::uring_process_loop& loop, int count) {
    for (int i = 0; i < count; ++i) {
      const real_child child = child_of({"out", "100000", "exit", std::to_string(i)});
      process_start start = start_of(child);
      start.context = this;
      start.finished = [](void* context, process_id, process_result&& r) noexcept {
        auto& self = *static_cast<SharedRing*>(context);
        ++self.ended_;
        self.complete_ += r.output.bytes.text() == pattern(100'000) ? 1 : 0;
        self.codes_ += r.status.code;
      };
      ASSERT_TRUE(loop.start(start));
    }
  }
  int ended_ = 0;
  int complete_ = 0;
  int codes_ = 0;
};

TEST_F(SharedRing, P22_AQueueOfFourSharedWithItsOwnersReadsAndNothings) {
  test::uring_process_loop loop(4, 64);
  if (!loop.missing().empty()) GTEST_SKIP() << loop.missing();
  int silent[2];
  ASSERT_EQ(::pipe2(silent, O_CLOEXEC), 0);
  char byte = 0;
  io_uring_prep_read(&loop.entry(77), silent[0], &byte, 1, 0);
  io_uring_sqe_set_data64(&loop.entry(78), 78);

  follow_many(loop, 20);
  unsigned nothings = 1;
  while (loop.machine().stats().live != 0) {
    for (int i = 0; i < 3; ++i, ++nothings) loop.entry(100);
    loop.turn();
  }
  EXPECT_EQ(ended_, 20);
  EXPECT_EQ(complete_, 20);
  EXPECT_EQ(codes_, 190);
  EXPECT_GT(loop.machine().stats().refusals, 0U);
  EXPECT_EQ(loop.machine().stats().ignored_foreign, 0U);
  loop.shut_down();

  while (loop.owners_completions < nothings) loop.wait();
  // The owner's read was left alone all the time.
  ASSERT_EQ(::write(silent[1], "z", 1), 1);
  while (loop.owners_completions == nothings) loop.wait();
  EXPECT_EQ(loop.owners_last_status, 1);
  EXPECT_EQ(byte, 'z');
  ::close(silent[0]);
  ::close(silent[1]);
}

TEST_F(SharedRing, P22_ACompletionQueueThatOverflowsLosesNothing) {
  test::uring_process_loop loop(4, 8);
  if (!loop.missing().empty()) GTEST_SKIP() << loop.missing();
  follow_many(loop, 50);
  while (loop.machine().stats().live != 0) loop.turn();
  EXPECT_EQ(ended_, 50);
  EXPECT_EQ(complete_, 50);
  EXPECT_EQ(loop.machine().stats().ignored_stale, 0U);
  loop.shut_down();
}

TEST_F(SharedRing, IO3_WhatIsInFlightAtTheEndIsCancelledAndAwaited) {
  test::uring_process_loop loop;
  if (!loop.missing().empty()) GTEST_SKIP() << loop.missing();
  const real_child child = child_of({"grandchild", "exit", "0"});
  process_start start;
  start.pid = child.pid;
  start.pidfd = child.pidfd;
  start.output_pipe = child.output;
  start.errors_pipe = child.errors;
  start.drain_grace = 0ns;
  ASSERT_TRUE(loop.start(start));
  while (loop.machine().stats().live != 0) loop.turn();
  loop.shut_down();
  EXPECT_TRUE(loop.machine().idle());
  EXPECT_EQ(::kill(-child.pid, SIGKILL), 0);
}

#endif

}  // namespace
}  // namespace bast
