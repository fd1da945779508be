// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: requests of other threads, and the completions of the wake.
#include <cstring>

#include "bast/os.hpp"
#include "bast/process/machine.hpp"
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace test;

class MachineWake : public scripted_machine {
 protected:
  void SetUp() override { init({.processes_max = 2, .wake_fd = event_fd}); }
  void TearDown() override {
    machine->shut_down();
    pump();
    end_all();
    scripted_machine::TearDown();
  }
  process_start exchanged(int fd) {
    process_start out = child();
    out.pidfd = fd;
    return out;
  }
};

TEST_F(MachineWake, IO9_ATickSeesWhatWasAskedToo) {
  const process_id id = start(child());
  EXPECT_TRUE(machine->request_cancel(id));
  EXPECT_EQ(signals(), "");
  tick(0);
  EXPECT_EQ(signals(), "15 ");
  EXPECT_TRUE(machine->request_cancel(id)) << "a request after the check wakes again";
}

TEST_F(MachineWake, IO9_OnlyWhomItNamesIsCancelled) {
  process_start first = child();
  first.pid = 1001;
  process_start second = exchanged(53);
  second.pid = 1002;
  start(first);
  const process_id id = start(second);
  EXPECT_TRUE(machine->request_cancel(id));
  tick(1);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].fd, 53);
}

TEST_F(MachineWake, IO9_NeitherNoneNorOneThatCannotBeIsHeard) {
  const process_id id = start(child());
  EXPECT_FALSE(machine->request_cancel({.slot = id.slot, .generation = 0}));
  EXPECT_FALSE(machine->request_cancel({.slot = 2, .generation = 1}));
  EXPECT_FALSE(machine->request_cancel({.slot = 0xFFFF, .generation = 1}));
  EXPECT_TRUE(machine->request_cancel({.slot = 1, .generation = 1}));
  tick(1);
  EXPECT_EQ(signals(), "");
}

TEST_F(MachineWake, IO9_NumbersThatWrappedAreNewer) {
  const process_id id = start(child());
  EXPECT_TRUE(machine->request_cancel({.slot = id.slot, .generation = 0xFFFFFFF0}));
  EXPECT_FALSE(machine->request_cancel(id));
  tick(1);
  EXPECT_EQ(signals(), "15 ");
}

TEST_F(MachineWake, IO9_WhatTheHeapHeldIsNoRequest) {
  machine.reset();
  // The requests of two slots: the machine gets the memory that is freed here.
  void* const block = os::allocate(2 * sizeof(std::uint32_t));
  ASSERT_NE(block, nullptr);
  std::memset(block, 5, 2 * sizeof(std::uint32_t));
  os::deallocate(block);
  init({.processes_max = 2});
  const process_id id = start(child());
  EXPECT_TRUE(machine->request_cancel(id));
  tick(1);
  EXPECT_EQ(signals(), "15 ");
}

TEST_F(MachineWake, IO9_WhatCannotBeReadIsNotReadPermanently) {
  pump();
  for (int i = 0; i < 15; ++i) complete_poll(event_fd, -ENOMEM);
  ASSERT_EQ(flying.size(), 1U);
  // A success resets the count; other completions are no failures.
  complete_poll(event_fd, POLLIN);
  complete(flight(operation_kind::read, event_fd), 8);
  for (int i = 0; i < 40; ++i) {
    complete_poll(event_fd, i % 3 == 0 ? -EINTR : i % 3 == 1 ? -EAGAIN : -ECANCELED);
  }
  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(flying.size(), 1U) << i;
    complete_poll(event_fd, i % 2 == 0 ? -EPERM : 0);
  }
  EXPECT_TRUE(flying.empty());
  EXPECT_EQ(machine->next(), nullptr);
  EXPECT_EQ(next_deadline(), millisecond) << "no thread can wake it meanwhile";
  const process_id id = start(child());
  EXPECT_TRUE(machine->request_cancel(id));
  tick(1);
  EXPECT_EQ(signals(), "15 ");
}

/// The refusal of the wake may have been temporary.
TEST_F(MachineWake, IO9_AWakeThatFailedIsTriedAgainLaterAndLater) {
  pump();
  for (int i = 0; i < 16; ++i) complete_poll(event_fd, -ENOSPC);
  std::int64_t now = 0;
  for (const std::int64_t pause : {1, 2, 4, 8, 16, 32, 64, 64, 64}) {
    ASSERT_EQ(next_deadline(), now + pause * millisecond);
    tick(now + pause * millisecond - 1);
    ASSERT_TRUE(flying.empty());
    now += pause * millisecond;
    tick(now);
    ASSERT_EQ(flying.size(), 1U) << pause;
    complete_poll(event_fd, -ENOSPC);
  }
  now = next_deadline();
  tick(now);
  complete_poll(event_fd, POLLIN);
  complete(flight(operation_kind::read, event_fd), 8);
  EXPECT_EQ(flying.size(), 1U);
  for (int i = 0; i < 16; ++i) complete_poll(event_fd, -ENOSPC);
  EXPECT_EQ(next_deadline(), now + millisecond) << "from the start";
  machine->shut_down();
  pump();
}

TEST_F(MachineWake, IO9_AHeldWakeStaysAfterTheShutDown) {
  pump();
  machine->hold_wake(true);
  machine->shut_down();
  pump();
  EXPECT_FALSE(machine->idle());
  complete_poll(event_fd, POLLIN);
  complete(flight(operation_kind::read, event_fd), 8);
  EXPECT_EQ(flying.size(), 1U) << "every time";
  machine->hold_wake(false);
  pump();
  const machine_operation gone = flight(operation_kind::cancel, event_fd);
  complete(gone, 0);
  complete_poll(event_fd, -ECANCELED);
  EXPECT_TRUE(machine->idle());
  machine->hold_wake(true);
  pump();
  EXPECT_EQ(flying.size(), 1U) << "as before the failures";
  machine->hold_wake(false);
  pump();
  complete(flight(operation_kind::cancel, event_fd), 0);
  complete_poll(event_fd, -ECANCELED);
}

TEST_F(MachineWake, IO9_AReadThatFailsLooksAllTheSame) {
  pump();
  const process_id id = start(child());
  EXPECT_TRUE(machine->request_cancel(id));
  complete_poll(event_fd, POLLIN);
  EXPECT_EQ(signals(), "");
  complete(flight(operation_kind::read, event_fd), -EAGAIN);
  EXPECT_EQ(signals(), "15 ");
  (void)flight(operation_kind::poll, event_fd);
  machine->shut_down();
  const machine_operation cancel = *machine->next();
  EXPECT_EQ(cancel.kind, operation_kind::cancel);
  machine->sent();
  machine->complete(cancel.user_data, -ENOMEM);
  // A cancel that failed is requested again, eight times in all.
  int cancels = 1;
  std::uint64_t target = cancel.target;
  while (const machine_operation* const wanted = machine->next()) {
    const machine_operation op = *wanted;
    machine->sent();
    if (op.kind != operation_kind::cancel || op.fd != event_fd) {
      flying.push_back(op);
      continue;
    }
    ++cancels;
    EXPECT_EQ(op.target, target);
    machine->complete(op.user_data, -ENOMEM);
  }
  EXPECT_EQ(cancels, 8);
  machine->complete(target, -ECANCELED);
}

TEST_F(MachineWake, IO9_AfterTheEndNothingIsAskedOfIt) {
  pump();
  machine->shut_down();
  pump();
  cancelled(operation_kind::poll, event_fd);
  EXPECT_TRUE(machine->idle());
  tick(1);
  EXPECT_EQ(machine->next(), nullptr);
  EXPECT_TRUE(flying.empty());
}

TEST_F(MachineWake, IO9_AWakeOfDescriptor0IsOne) {
  machine->shut_down();
  init({.processes_max = 1, .wake_fd = 0});
  pump();
  ASSERT_EQ(flying.size(), 1U);
  EXPECT_EQ(flying[0].fd, 0);
  machine->shut_down();
  pump();
  cancelled(operation_kind::poll, 0);
}

}  // namespace
}  // namespace bast
