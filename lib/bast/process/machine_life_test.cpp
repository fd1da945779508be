// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: deadlines, signals and retries, to the nanosecond and to the last try.
#include <string>

#include "bast/process/machine.hpp"
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// A machine of one process, without timers.
class MachineLife : public scripted_machine {
 protected:
  void SetUp() override { init({.processes_max = 1, .timers = machine_timers::ticks}); }

  /// The operations at the next deadline, and none a nanosecond before.
  void at_deadline(std::int64_t expected) {
    ASSERT_EQ(next_deadline(), expected);
    const std::size_t before = done.size();
    const std::size_t flights = flying.size();
    tick(expected - 1);
    EXPECT_EQ(done.size(), before);
    EXPECT_EQ(flying.size(), flights);
    EXPECT_EQ(next_deadline(), expected);
    tick(expected);
  }
};

TEST_F(MachineLife, P14_TimeoutAndGraceAreCountedFromWhenTheyBegin) {
  tick(7);
  process_start slow = child();
  slow.timeout = 100ns;
  slow.grace = 50ns;
  start(slow);
  at_deadline(107);
  EXPECT_EQ(signals(), "15 ");
  at_deadline(157);
  EXPECT_EQ(signals(), "15 9 ");
  EXPECT_EQ(next_deadline(), internal::never_ns);
  tick(10'000);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now(CLD_KILLED, SIGKILL);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->ended_by, process_ending::timed_out);
  EXPECT_EQ(result->signal_error, 0);
  EXPECT_EQ(next_deadline(), internal::never_ns);
}

TEST_F(MachineLife, P14_ACancelIsNoTimeoutAndHasOneGrace) {
  process_start slow = child();
  slow.timeout = 100ns;
  slow.grace = 50ns;
  const process_id id = start(slow);
  tick(20);
  ASSERT_TRUE(machine->cancel(id, process_ending::limit));
  pump();
  tick(30);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  EXPECT_EQ(signals(), "15 ");
  tick(69);
  EXPECT_EQ(signals(), "15 ");
  tick(70);
  EXPECT_EQ(signals(), "15 9 ");
  tick(100);
  exit_now(CLD_KILLED, SIGKILL);
  EXPECT_EQ(result->ended_by, process_ending::limit);
  EXPECT_EQ(signals(), "15 9 ");
}

TEST_F(MachineLife, P14_WithoutGraceItIsKilledAtOnce) {
  process_start slow = child();
  slow.timeout = 0ns;
  slow.grace = 0ns;
  start(slow);
  EXPECT_EQ(signals(), "9 ");
  exit_now(CLD_KILLED, SIGKILL);
  EXPECT_EQ(result->ended_by, process_ending::timed_out);
}

TEST_F(MachineLife, P14_AKillThatIsWantedWhileTheTermIsUnderWayComesAfterIt) {
  process_start slow = child();
  slow.grace = 50ns;
  const process_id id = start(slow);
  ASSERT_TRUE(machine->cancel(id));
  const machine_operation terminate = *machine->next();
  ASSERT_EQ(terminate.kind, operation_kind::signal);
  machine->sent();
  set_time(50);
  EXPECT_EQ(machine->next(), nullptr) << "one at a time";
  machine->complete(terminate.user_data, 0);
  pump();
  EXPECT_EQ(signals(), "9 ");
  exit_now();
}

TEST_F(MachineLife, P10_ASignalThatFailsForNoGoodReasonIsTriedSixteenTimesMore) {
  for (const int error_number : {ENOSYS, EAGAIN, ENOMEM, EINTR, EIO}) {
    SetUp();
    done.clear();
    result.reset();
    flying.clear();
    immediate.assign(17, -error_number);
    process_start slow = child();
    slow.grace = 1h;
    const process_id id = start(slow);
    ASSERT_TRUE(machine->cancel(id));
    pump();
    std::int64_t expected = 0;
    for (int i = 0; i < 16; ++i) {
      expected += (1 << std::min(i, 6)) * millisecond;
      EXPECT_EQ(done.size(), static_cast<std::size_t>(i) + 1);
      at_deadline(expected);
    }
    EXPECT_EQ(done.size(), 17U);
    EXPECT_TRUE(immediate.empty());
    tick(expected + 1000 * millisecond);
    EXPECT_EQ(done.size(), 17U) << "it is given up";
    exit_now();
    EXPECT_EQ(result->signal_error, error_number);
  }
}

TEST_F(MachineLife, P10_AKillHasTriesOfItsOwn) {
  immediate.assign(10, -ENOMEM);
  process_start slow = child();
  slow.grace = 200ms;
  const process_id id = start(slow);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  // 1, 2, 4 .. 64 ms: the ninth try is at 191 ms, the next would be at 255.
  while (signals().find('9') == std::string::npos) tick(next_deadline());
  ASSERT_EQ(done.size(), 10U);
  EXPECT_EQ(done.back().signal, SIGKILL);
  EXPECT_EQ(next_deadline(), 256 * millisecond) << "a millisecond later, not 64";
  tick(next_deadline());
  EXPECT_EQ(signals(), "15 15 15 15 15 15 15 15 15 9 9 ");
  exit_now();
  EXPECT_EQ(result->signal_error, 0);
}

TEST_F(MachineLife, P10_EpermIsToldAtOnceAndEsrchIsNoError) {
  immediate = {-EPERM, -ESRCH};
  process_start slow = child();
  slow.grace = 5ms;
  const process_id id = start(slow);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  EXPECT_EQ(signals(), "15 ");
  at_deadline(5 * millisecond);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now();
  EXPECT_EQ(result->signal_error, EPERM);
  result.reset();
  done.clear();
  immediate = {-ESRCH};
  const process_id second = start(child());
  ASSERT_TRUE(machine->cancel(second));
  pump();
  exit_now();
  EXPECT_EQ(signals(), "15 ");
  EXPECT_EQ(result->signal_error, 0) << "the first one's error is not kept";
}

TEST_F(MachineLife, P15_AnExitTakesTheSignalBack) {
  immediate = {-ENOMEM};
  const process_id id = start(child());
  ASSERT_TRUE(machine->cancel(id));
  pump();
  exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
  complete_poll(pidfd);
  tick(1 * millisecond);
  EXPECT_EQ(kinds_done(), "signal observe reap close ");
  EXPECT_EQ(result->ended_by, process_ending::cancelled);
  EXPECT_TRUE(result->status.success());
}

TEST_F(MachineLife, P12_WhatAWaitSaysIsTheResultWhole) {
  start(child());
  exited = child_exit{.code = CLD_DUMPED, .status = SIGSEGV, .usage = {}};
  exited->usage.ru_maxrss = 77;
  exited->usage.ru_nvcsw = 5;
  complete_poll(pidfd);
  EXPECT_EQ(result->pid, 1234);
  EXPECT_EQ(
      result->status,
      (exit_status{.how = exit_status::kind::signalled, .core_dumped = true, .code = SIGSEGV}));
  EXPECT_EQ(result->usage.ru_maxrss, 77);
  EXPECT_EQ(result->usage.ru_nvcsw, 5);
  result.reset();
  start(child());
  exit_now(CLD_KILLED, SIGINT);
  EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::signalled, .code = SIGINT}));
  result.reset();
  start(child());
  exit_now(CLD_EXITED, 255);
  EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::exited, .code = 255}));
  EXPECT_EQ(result->usage.ru_maxrss, 0);
}

TEST_F(MachineLife, P12_AnInterruptedWaitIsRepeatedAtOnce) {
  immediate = {-EINTR, -EINTR, 1, -EINTR, 1};
  start(child());
  exit_now(CLD_EXITED, 3);
  EXPECT_EQ(kinds_done(), "observe observe observe reap reap close ");
  EXPECT_EQ(result->status.code, 3);
}

TEST_F(MachineLife, P12_AReapThatFailsIsTriedSixteenTimesMoreAndTheStatusIsKept) {
  for (const int error_number : {ENOMEM, EPERM, EINVAL, ENOSYS}) {
    SetUp();
    done.clear();
    result.reset();
    flying.clear();
    immediate.assign(18, -error_number);
    immediate.front() = 1;
    start(child());
    exit_now(CLD_EXITED, 6);
    std::int64_t expected = 0;
    for (int i = 0; i < 16; ++i) {
      EXPECT_FALSE(result);
      expected += (1 << std::min(i, 6)) * millisecond;
      at_deadline(expected);
    }
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::exited, .code = 6}));
    EXPECT_EQ(counts(),
              "live 0 peak 1 flying 0 started 1 finished 1 ignored 0 0 0 refused 0 zombies 1");
  }
}

TEST_F(MachineLife, P12_AnObservationThatFailsCountsItsOwnTries) {
  // Fifteen failures, then it is observed: the reap counts from 0 again.
  immediate.assign(15, -ENOMEM);
  immediate.push_back(1);
  immediate.insert(immediate.end(), 15, -ENOMEM);
  start(child());
  exit_now(CLD_EXITED, 6);
  while (!result) {
    ASSERT_LT(next_deadline(), internal::never_ns);
    tick(next_deadline());
  }
  EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::exited, .code = 6}));
  EXPECT_EQ(machine->stats().unreaped, 0U);
}

TEST_F(MachineLife, P12_OneThatIsLostHasNoStatusAndNoUsage) {
  start(child());
  // A wait that stored a result and failed.
  exited = child_exit{.code = CLD_EXITED, .status = 9, .usage = {}};
  exited->usage.ru_maxrss = 77;
  immediate = {-ECHILD};
  machine->complete(flight(operation_kind::poll, pidfd).user_data, POLLIN);
  const machine_operation observe = *machine->next();
  *observe.exit = *exited;
  pump();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::lost}));
  EXPECT_EQ(result->usage.ru_maxrss, 0);
  EXPECT_EQ(result->ended_by, process_ending::exited);
  EXPECT_EQ(counts(),
            "live 0 peak 1 flying 0 started 1 finished 1 ignored 0 0 0 refused 0 zombies 0");
}

TEST_F(MachineLife, P21_WhatAPollOfThePidfdMaySay) {
  start(child());
  for (const std::int64_t again :
       {std::int64_t{0}, std::int64_t{-EINTR}, std::int64_t{-EAGAIN}, std::int64_t{-ECANCELED}}) {
    complete_poll(pidfd, again);
    EXPECT_EQ(flying.size(), 1U) << "it is requested again at once";
    EXPECT_EQ(kinds_done(), "");
  }
  std::int64_t expected = 0;
  int tries = 0;
  for (const int error_number : {ENOMEM, EPERM, EBADF}) {
    complete_poll(pidfd, -error_number);
    EXPECT_TRUE(flying.empty());
    expected += (1 << tries++) * millisecond;
    at_deadline(expected);
    // It was observed and runs; it is polled again a little later.
    expected += (1 << tries++) * millisecond;
    at_deadline(expected);
    ASSERT_EQ(flying.size(), 1U);
  }
  exit_now(CLD_EXITED, 1);
  EXPECT_EQ(result->status.code, 1);
}

TEST_F(MachineLife, P11_StragglersAreKilledOnceEvenWhenThatFails) {
  process_start leader = child();
  leader.own_group = true;
  leader.kill_group_on_exit = true;
  immediate = {1, -EIO, -EPERM};
  start(leader);
  exit_now(CLD_EXITED, 2);
  EXPECT_EQ(kinds_done(), "observe signal ");
  at_deadline(1 * millisecond);
  EXPECT_EQ(kinds_done(), "observe signal signal members reap close ");
  EXPECT_EQ(result->signal_error, EPERM);
  EXPECT_EQ(result->status.code, 2);
  // The remaining members of the second one are killed as well.
  done.clear();
  result.reset();
  start(leader);
  exit_now();
  EXPECT_EQ(kinds_done(), "observe signal members reap close ");
  EXPECT_EQ(signals(), "9 ");
  EXPECT_EQ(result->signal_error, 0);
}

TEST_F(MachineLife, P11_ATermOfBeforeIsNoKillOfTheStragglers) {
  process_start leader = child();
  leader.own_group = true;
  leader.kill_group_on_exit = true;
  const process_id id = start(leader);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  exit_now();
  EXPECT_EQ(signals(), "15 9 ");
  EXPECT_EQ(kinds_done(), "signal observe signal members reap close ");
}

TEST_F(MachineLife, P11_NobodyAskedForTheGroup) {
  process_start leader = child();
  leader.own_group = true;
  start(leader);
  exit_now();
  EXPECT_EQ(kinds_done(), "observe reap close ");
}

}  // namespace
}  // namespace bast
