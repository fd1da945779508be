// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: a stopped group whose leader ends (P-14).
#include "bast/process/machine.hpp"
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// A machine of one process, without timers.
class MachineGroup : public scripted_machine {
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

/// A leader of a group that is stopped with a grace of 100 ms, at time 0.
process_start stopped_leader(process_start leader) {
  leader.own_group = true;
  leader.timeout = 0ns;
  leader.grace = 100ms;
  return leader;
}

TEST_F(MachineGroup, P14_WhoOutlivesTheLeaderIsKilledAfterTheGrace) {
  members = 1;
  start(stopped_leader(child()));
  exit_now(CLD_KILLED, SIGTERM);
  EXPECT_EQ(kinds_done(), "signal observe members ");
  // Checked periodically; the leader is not reaped meanwhile (I4).
  for (const std::int64_t at : {1, 3, 7, 15, 31, 63, 100}) {
    EXPECT_FALSE(result);
    EXPECT_EQ(signals(), "15 ");
    at_deadline(at * millisecond);
  }
  EXPECT_EQ(signals(), "15 9 ") << "when the grace is over";
  members = 0;
  at_deadline(101 * millisecond);
  EXPECT_EQ(kinds_done(),
            "signal observe members members members members members members members "
            "signal members members reap close ");
  EXPECT_EQ(result->status, (exit_status{.how = exit_status::kind::signalled, .code = SIGTERM}));
  EXPECT_EQ(result->ended_by, process_ending::timed_out);
}

TEST_F(MachineGroup, P14_AGroupThatEndsWithItsLeaderTakesNoGrace) {
  start(stopped_leader(child()));
  exit_now(CLD_KILLED, SIGTERM);
  EXPECT_EQ(kinds_done(), "signal observe members reap close ");
  EXPECT_EQ(signals(), "15 ");
  EXPECT_TRUE(result);
}

TEST_F(MachineGroup, P14_WhoEndsDuringTheGraceIsNotKilled) {
  members = 1;
  start(stopped_leader(child()));
  exit_now();
  members = 0;
  at_deadline(1 * millisecond);
  EXPECT_EQ(kinds_done(), "signal observe members members reap close ");
  EXPECT_EQ(signals(), "15 ");
}

TEST_F(MachineGroup, P14_WhereNobodyCanLookSomebodyMayBeThere) {
  members = -ENOENT;
  start(stopped_leader(child()));
  exit_now();
  tick(99 * millisecond);
  EXPECT_EQ(signals(), "15 ");
  tick(100 * millisecond);
  EXPECT_EQ(signals(), "15 9 ");
  EXPECT_TRUE(result) << "a killed group counts as gone";
}

TEST_F(MachineGroup, P14_WhoSleepsInTheKernelIsNotWaitedForWithoutEnd) {
  members = 1;
  start(stopped_leader(child()));
  tick(100 * millisecond);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now();
  for (std::int64_t now = 100; !result && now < 10'000; now += 64) tick(now * millisecond);
  EXPECT_TRUE(result);
  EXPECT_EQ(signals(), "15 9 ") << "once";
}

TEST_F(MachineGroup, P14_AGroupWhoseLeaderEndedFirstIsTerminatedAllTheSame) {
  process_start leader = stopped_leader(child());
  leader.timeout = 1ms;
  ASSERT_TRUE(machine->start(leader));
  const machine_operation exit = *machine->next();
  machine->sent();
  set_time(1 * millisecond);
  // SIGTERM is requested, and the exit is reported first.
  exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
  machine->complete(exit.user_data, POLLIN);
  pump();
  EXPECT_EQ(kinds_done(), "observe signal members reap close ");
  EXPECT_EQ(signals(), "15 ");
  EXPECT_TRUE(result);
}

}  // namespace
}  // namespace bast
