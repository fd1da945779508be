// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: the life of a child. Real children are in conformance_test.cpp, adversarial
// completions in fuzz/model.
#include "bast/process/machine.hpp"

#include "bast/os.hpp"
#include "bast/process/machine_test.hpp"
#include "bast/testing/heap_growth.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

using ProcessMachine = test::scripted_machine;

TEST_F(ProcessMachine, P21_AChildWithoutStreamsIsWaitedForObservedAndReaped) {
  start(child());
  ASSERT_EQ(flying.size(), 1U);
  EXPECT_TRUE(machine->is_ours(flying[0].user_data));
  EXPECT_FALSE(machine->is_ours(flying[0].user_data ^ 1ULL << 56));
  exit_now(CLD_EXITED, 3);
  EXPECT_EQ(kinds_done(), "observe reap close ");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->pid, 1234);
  EXPECT_EQ(result->status.code, 3);
}

TEST_F(ProcessMachine, P22_WhatIsRefusedIsOfferedAgain) {
  ASSERT_TRUE(machine->start(child()));
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(machine->next(), nullptr);
    machine->refused();
  }
  EXPECT_EQ(machine->stats().refusals, 3U);
  EXPECT_EQ(machine->stats().in_flight, 0U);
  pump();
  exit_now();
  EXPECT_TRUE(result);
}

TEST_F(ProcessMachine, P22_LateTwiceAndUnknownCompletionsChangeNothing) {
  start(captured());
  const machine_operation first = flight(operation_kind::poll, output_fd);
  complete(first, POLLIN);
  bring("abc");
  const std::uint64_t exit = flying.front().user_data;
  const std::uint64_t before = machine->digest();
  machine->complete(first.user_data, POLLIN);    // Twice; the same role is in flight again.
  machine->complete(exit + 100, POLLIN);         // A future generation.
  machine->complete(exit | 0xFFFFULL << 32, 1);  // The wake, which is not requested.
  machine->complete(exit | 0x00FFULL << 48, 1);  // No such role.
  machine->complete(exit | 0x00FFULL << 32, 1);  // No such slot.
  machine->complete(exit ^ 0x8000ULL << 48, 1);  // Foreign.
  EXPECT_EQ(machine->digest(), before);
  EXPECT_EQ(machine->stats().ignored_stale, 3U);
  EXPECT_EQ(machine->stats().ignored_unknown, 2U);
  EXPECT_EQ(machine->stats().ignored_foreign, 1U);
  complete_poll(output_fd, POLLHUP);
  complete(flight(operation_kind::read, output_fd), 0);
  exit_now();
  EXPECT_EQ(result->output.bytes.text(), "abc");
}

TEST_F(ProcessMachine, P22_ASlotIsUsedAgainOnlyWhenNothingIsInFlight) {
  init({.processes_max = 1});
  process_start quick = captured();
  quick.drain_grace = 0ns;
  const process_id first = start(quick);
  exit_now();
  // The stream was given up; its poll is still in flight.
  EXPECT_FALSE(result);
  EXPECT_EQ(machine->start(child()).error().kind(), errc::limit);
  complete(flight(operation_kind::cancel, output_fd), -ENOENT);
  EXPECT_EQ(kinds_done(), "observe reap close ") << "the pipe is closed with a poll in flight";
  complete_poll(output_fd, -ECANCELED);
  ASSERT_TRUE(result);
  result.reset();
  const process_id second = start(child());
  EXPECT_EQ(first.slot, second.slot);
  EXPECT_NE(first.generation, second.generation);
  EXPECT_FALSE(machine->is_live(first));
  EXPECT_EQ(machine->cancel(first).error().kind(), errc::stale_handle);
  exit_now();
}

TEST_F(ProcessMachine, P14_TermThenGraceThenKill) {
  process_start slow = child();
  slow.timeout = 10ms;
  slow.grace = 5ms;
  start(slow);
  EXPECT_EQ(internal::nanoseconds_of(flying.back().due), 10 * millisecond);
  tick(10 * millisecond - 1);
  EXPECT_EQ(signals(), "");
  complete(flight(operation_kind::timeout), -ETIME);
  EXPECT_EQ(signals(), "15 ");
  tick(15 * millisecond - 1);
  EXPECT_EQ(signals(), "15 ");
  complete(flight(operation_kind::timeout), -ETIME);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now(CLD_KILLED, SIGKILL);
  EXPECT_EQ(result->ended_by, process_ending::timed_out);
  EXPECT_EQ(result->status.code, SIGKILL);
}

TEST_F(ProcessMachine, P14_AnEarlyExitSkipsTheKill) {
  const process_id id = start(child());
  ASSERT_TRUE(machine->cancel(id));
  pump();
  exit_now(CLD_EXITED, 0);
  EXPECT_EQ(signals(), "15 ");
  EXPECT_FALSE(result) << "the timer of the grace is in flight";
  cancelled(operation_kind::timeout);
  EXPECT_EQ(result->ended_by, process_ending::cancelled);
  EXPECT_TRUE(result->status.success());
  tick(internal::never_ns);
  EXPECT_EQ(signals(), "15 ");
}

TEST_F(ProcessMachine, P14_TheFirstReasonWins) {
  process_start slow = child();
  slow.timeout = 10ms;
  const process_id id = start(slow);
  ASSERT_TRUE(machine->cancel(id));
  tick(20 * millisecond);
  EXPECT_EQ(machine->cancel(id, process_ending::exited).error().kind(), errc::invalid);
  ASSERT_TRUE(machine->cancel(id, process_ending::limit));
  complete(flight(operation_kind::timeout), -ETIME);  // Of the timeout that no longer matters.
  exit_now();
  cancelled(operation_kind::timeout);
  EXPECT_EQ(result->ended_by, process_ending::cancelled);
}

TEST_F(ProcessMachine, P15_AnExitThatWasSeenFirstIsTheChildsOwn) {
  process_start slow = child();
  slow.timeout = 10ms;
  const process_id id = start(slow);
  exited = child_exit{.code = CLD_EXITED, .status = 4, .usage = {}};
  machine->complete(flight(operation_kind::poll, pidfd).user_data, POLLIN);
  set_time(20 * millisecond);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  cancelled(operation_kind::timeout);
  EXPECT_EQ(signals(), "");
  EXPECT_EQ(result->ended_by, process_ending::exited);
  EXPECT_EQ(result->status.code, 4);
}

TEST_F(ProcessMachine, P15_ACancelIsNotForgottenWhenItRunsAfterAll) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  const process_id id = start(child());
  machine->complete(flight(operation_kind::poll, pidfd).user_data, POLLIN);
  ASSERT_TRUE(machine->cancel(id));
  pump();  // It is observed and runs; the signal waits until the next check.
  tick(2 * millisecond);
  EXPECT_EQ(signals(), "15 ");
  exit_now(CLD_KILLED, SIGTERM);
  EXPECT_EQ(result->ended_by, process_ending::cancelled);
}

TEST_F(ProcessMachine, P11_StragglersAreKilledBetweenObservingAndReaping) {
  process_start leader = child();
  leader.own_group = true;
  leader.kill_group_on_exit = true;
  start(leader);
  exit_now();
  EXPECT_EQ(kinds_done(), "observe signal members reap close ");
  EXPECT_EQ(done[1].signal, SIGKILL);
  EXPECT_EQ(done[1].group, 1234);
  EXPECT_TRUE(result);
}

TEST_F(ProcessMachine, P11_WithoutAGroupOfItsOwnNobodyElseIsSignalled) {
  process_start member = child();
  member.kill_group_on_exit = true;
  const process_id id = start(member);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  EXPECT_EQ(done.at(0).group, 0);
  exit_now();
  cancelled(operation_kind::timeout);
  EXPECT_EQ(kinds_done(), "signal observe reap close ");
}

TEST_F(ProcessMachine, P12_ReapedBySomebodyElseIsLost) {
  start(child());
  immediate = {-EINTR, -ECHILD};
  complete_poll(pidfd);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status.how, exit_status::kind::lost);
  EXPECT_EQ(machine->stats().unreaped, 0U);
}

TEST_F(ProcessMachine, P12_StolenBetweenObservingAndReapingKeepsItsStatus) {
  start(child());
  immediate = {1, -ECHILD};
  exit_now(CLD_DUMPED, SIGABRT);
  EXPECT_EQ(
      result->status,
      (exit_status{.how = exit_status::kind::signalled, .core_dumped = true, .code = SIGABRT}));
}

TEST_F(ProcessMachine, P12_AWaitThatFailsIsTriedAgainLaterAndNotForEver) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  start(child());
  immediate.assign(100, -ENOMEM);
  complete_poll(pidfd);
  int rounds = 0;
  while (!result && rounds < 100) {
    ASSERT_LT(next_deadline(), internal::never_ns);
    tick(next_deadline());
    ++rounds;
  }
  ASSERT_TRUE(result);
  EXPECT_EQ(rounds, 16);
  EXPECT_EQ(result->status.how, exit_status::kind::lost);
  EXPECT_EQ(machine->stats().unreaped, 1U);
}

TEST_F(ProcessMachine, P10_ASignalThatIsRefusedIsTold) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  const process_id id = start(child());
  immediate = {-EPERM};
  ASSERT_TRUE(machine->cancel(id));
  pump();
  exit_now();
  EXPECT_EQ(result->signal_error, EPERM);
}

TEST_F(ProcessMachine, P21_APidfdThatCannotBePolledIsLookedAtNowAndThen) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  start(child());
  for (int i = 0; i < 40; ++i) {
    complete_poll(pidfd, -ENOMEM);
    // First until it is observed, and then until it is polled again.
    while (flying.empty()) tick(next_deadline());
  }
  exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
  complete_poll(pidfd, -ENOMEM);
  tick(next_deadline());
  EXPECT_TRUE(result);
}

TEST_F(ProcessMachine, IO9_OnlyTheFirstRequestWakes) {
  constexpr int event = 60;
  init({.processes_max = 2, .wake_fd = event});
  pump();
  const process_id id = start(child());
  EXPECT_TRUE(machine->request_cancel(id));
  EXPECT_FALSE(machine->request_cancel(id));
  EXPECT_EQ(signals(), "");
  complete_poll(event);
  complete(flight(operation_kind::read, event), 8);
  EXPECT_EQ(signals(), "15 ");
  EXPECT_TRUE(machine->request_cancel(id));
  exit_now();
  cancelled(operation_kind::timeout);
  // The stale request does nothing to the next one.
  result.reset();
  const process_id next = start(child());
  EXPECT_FALSE(machine->request_cancel(id));
  tick(1);
  EXPECT_EQ(signals(), "15 ");
  // Nor does it replace a newer one.
  EXPECT_TRUE(machine->request_cancel(next));
  EXPECT_FALSE(machine->request_cancel(id));
  tick(2);
  EXPECT_EQ(signals(), "15 15 ");
  machine->shut_down();
  pump();
  exit_now();
  cancelled(operation_kind::timeout);
  cancelled(operation_kind::poll, event);
}

TEST_F(ProcessMachine, X5_WhatMakesNoSenseIsRefused) {
  for (const std::size_t count : {0U, 65535U}) {
    const auto refused = process_machine::create({.processes_max = count});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(),
              "process_machine.create: invalid argument: processes_max must be 1 to 65534 (" +
                  std::to_string(count) + ")");
  }
  EXPECT_TRUE(process_machine::create({.processes_max = 65534}));

  process_start bad = child();
  bad.pidfd = -1;
  EXPECT_EQ(machine->start(bad).error().kind(), errc::invalid);
  bad = child();
  bad.grace = -1ns;
  EXPECT_EQ(machine->start(bad).error().kind(), errc::invalid);
  bad = captured({.limit = bytes{0}, .policy = on_limit::backpressure});
  EXPECT_EQ(machine->start(bad).error().kind(), errc::invalid);
  machine->shut_down();
  EXPECT_EQ(machine->start(child()).error().kind(), errc::shutdown);
}

TEST_F(ProcessMachine, X6_WithoutMemoryThereIsNoMachine) {
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    EXPECT_EQ(kind_of(process_machine::create()), errc::no_memory);
  }
}

TEST_F(ProcessMachine, X6_AMachineThatIsGoneGaveItsMemoryBack) {
  const auto life = [] { EXPECT_TRUE(process_machine::create({.processes_max = 64})); };
  EXPECT_LT(test::heap_growth_of(life), test::heap_caches);
}

using ProcessMachineDeathTest = ProcessMachine;

TEST_F(ProcessMachineDeathTest, IO3_AMachineWithSomethingInFlightMustNotDie) {
  const auto die_at_work = [this] {
    init({.processes_max = 2});  // The child's own: it may release its parent's (IO-15).
    start(child());
    machine.reset();
  };
  EXPECT_DEATH(die_at_work(), "shut it down and run its loop first");
}

TEST_F(ProcessMachineDeathTest, P21_SentComesRightAfterNext) {
  EXPECT_DEATH(machine->sent(), "right after next");
  EXPECT_DEATH(machine->refused(), "right after next");
}

TEST(ProcessResult, P19_CheckSaysWhy) {
  process_result r;
  EXPECT_EQ(r.check().error().kind(), errc::lost);
  r.status = {.how = exit_status::kind::exited};
  EXPECT_TRUE(r.check());
  r.status.code = 2;
  EXPECT_EQ(r.check().error().kind(), errc::failed_exit);
  r.status = {.how = exit_status::kind::signalled, .code = SIGSEGV};
  EXPECT_EQ(r.check().error().kind(), errc::failed_exit);
  r.ended_by = process_ending::cancelled;
  EXPECT_EQ(r.check().error().kind(), errc::cancelled);
  r.ended_by = process_ending::timed_out;
  EXPECT_EQ(r.check().error().kind(), errc::timed_out);
  r.ended_by = process_ending::limit;
  EXPECT_EQ(r.check().error().kind(), errc::limit);
  for (const auto ending : {process_ending::exited, process_ending::timed_out,
                            process_ending::cancelled, process_ending::limit}) {
    EXPECT_STRNE(name_of(ending), "?");
  }
}

}  // namespace
}  // namespace bast
