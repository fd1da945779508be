// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: events while other operations are in flight. An end within an end, a second
// reason, an earlier deadline; and descriptor 0, which is like any other.
#include <array>

#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

using MachineReentry = test::scripted_machine;

/// Processes that need only a `close` to complete; the callback of an end completes others.
struct last_closes {
  process_machine* machine = nullptr;
  std::vector<std::uint64_t> of;               // by process
  std::vector<std::vector<std::size_t>> ends;  // the processes that the end of each completes
  std::vector<std::size_t> order;

  void complete(std::size_t i) { machine->complete(of[i], 0); }
  static void finished(void* context, process_id, process_result&& ended) noexcept {
    auto& self = *static_cast<last_closes*>(context);
    const auto number = static_cast<std::size_t>(ended.pid) - 1;
    self.order.push_back(number);
    for (const std::size_t other : self.ends[number]) self.complete(other);
  }
};

/// Starts one process per list in `ends`, completes the last close of the first, and returns the
/// order of the ends.
std::vector<std::size_t> order_of_ends(process_machine& machine,
                                       std::vector<std::vector<std::size_t>> ends) {
  const std::size_t count = ends.size();
  last_closes last{.machine = &machine, .of = {}, .ends = std::move(ends), .order = {}};
  last.of.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    process_start child;
    child.pid = static_cast<pid_t>(i) + 1;
    child.pidfd = pidfd + static_cast<int>(i);
    child.context = &last;
    child.finished = last_closes::finished;
    EXPECT_TRUE(machine.start(child));
  }
  while (const machine_operation* const wanted = machine.next()) {
    const machine_operation op = *wanted;
    machine.sent();
    if (op.kind == operation_kind::close) {
      last.of[static_cast<std::size_t>(op.fd - pidfd)] = op.user_data;
      continue;
    }
    if (op.exit != nullptr) *op.exit = {.code = CLD_EXITED, .status = 0, .usage = {}};
    machine.complete(op.user_data, 1);
  }
  EXPECT_EQ(machine.stats().in_flight, count);
  last.complete(0);
  machine.check_invariants();
  return last.order;
}

TEST_F(MachineReentry, P13_EndsWithinEndsAreDeliveredInTheirOrderAndNoneIsLost) {
  using order = std::vector<std::size_t>;
  init({.processes_max = 4});
  for (int life = 0; life < 3; ++life) {
    EXPECT_EQ(order_of_ends(*machine, {{1, 2, 3}, {}, {}, {}}), (order{0, 1, 2, 3}));
    EXPECT_EQ(order_of_ends(*machine, {{2}, {}, {3}, {1}}), (order{0, 2, 3, 1}));
    // One more, while another still waits.
    EXPECT_EQ(order_of_ends(*machine, {{1, 2}, {3}, {}, {}}), (order{0, 1, 2, 3}));
    EXPECT_EQ(order_of_ends(*machine, {{3, 1}, {}, {}, {2}}), (order{0, 3, 1, 2}));
  }
  EXPECT_EQ(counts(),
            "live 0 peak 4 flying 0 started 48 finished 48 ignored 0 0 0 refused 0 zombies 0");
}

TEST_F(MachineReentry, P14_OfTwoReasonsTheFirstCounts) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  constexpr process_ending reasons[] = {process_ending::cancelled, process_ending::timed_out,
                                        process_ending::limit};
  // While the machine checks whether the process still runs, nothing is sent.
  for (const process_ending first : reasons) {
    for (const process_ending second : reasons) {
      result.reset();
      done.clear();
      exited.reset();
      const process_id id = start(child());
      complete_poll(pidfd, -EBADF);
      ASSERT_TRUE(machine->cancel(id, first));
      ASSERT_TRUE(machine->cancel(id, second));
      pump();
      EXPECT_EQ(signals(), "");
      while (signals().empty()) tick(next_deadline());
      EXPECT_EQ(signals(), "15 ");
      ASSERT_TRUE(machine->cancel(id, second));
      exit_now(CLD_KILLED, SIGTERM);
      ASSERT_TRUE(result);
      EXPECT_EQ(result->ended_by, first);
      EXPECT_EQ(signals(), "15 ") << "once";
    }
  }
}

std::int64_t armed_ns(const machine_operation& op) {
  EXPECT_EQ(op.deadline->seconds * 1'000'000'000 + op.deadline->nanoseconds,
            internal::nanoseconds_of(op.due));
  return internal::nanoseconds_of(op.due);
}

TEST_F(MachineReentry, P14_ATimerThatIsTooLateIsCancelledAndArmedAnew) {
  init({.processes_max = 1});
  process_start slow = child();
  slow.timeout = 10s;
  slow.grace = 1s;
  const process_id id = start(slow);
  ASSERT_EQ(flying.size(), 2U) << "the poll and the timer";
  ASSERT_TRUE(machine->cancel(id));
  pump();
  ASSERT_EQ(flying.size(), 3U);
  EXPECT_EQ(flying.back().kind, operation_kind::cancel);
  EXPECT_EQ(flying.back().target_kind, operation_kind::timeout);
  cancelled(operation_kind::timeout);
  const machine_operation anew = flight(operation_kind::timeout);
  EXPECT_EQ(armed_ns(anew), 1'000 * millisecond);
  EXPECT_EQ(signals(), "15 ");
  complete(anew, -ETIME);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now(CLD_KILLED, SIGKILL);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->ended_by, process_ending::cancelled);
  EXPECT_TRUE(flying.empty());
}

TEST_F(MachineReentry, P14_ATimerThatIsANanosecondTooLateIsCancelled) {
  for (const auto earlier : {1ns, 0ns}) {
    init({.processes_max = 1});
    process_start slow = child();
    slow.timeout = 1s;
    slow.grace = 1s - earlier;
    const process_id id = start(slow);
    ASSERT_TRUE(machine->cancel(id));
    pump();
    const bool too_late = earlier > 0ns;
    EXPECT_EQ(flying.size(), too_late ? 3U : 2U) << "the poll, the timer, and a cancel of that";
    if (too_late) cancelled(operation_kind::timeout);
    const machine_operation timer = flight(operation_kind::timeout);
    EXPECT_EQ(armed_ns(timer), (1s - earlier) / 1ns);
    complete(timer, -ETIME);
    EXPECT_EQ(signals(), "15 9 ");
    exit_now(CLD_KILLED, SIGKILL);
    EXPECT_TRUE(result);
    result.reset();
    done.clear();
  }
}

TEST_F(MachineReentry, IO6_ATimerThatIsTooEarlyIsLeftToRunOut) {
  init({.processes_max = 1});
  process_start slow = child();
  slow.timeout = 1s;
  slow.grace = 10s;
  const process_id id = start(slow);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  ASSERT_EQ(flying.size(), 2U) << "the poll and the timer";
  const machine_operation early = flight(operation_kind::timeout);
  EXPECT_EQ(armed_ns(early), 1'000 * millisecond);
  complete(early, -ETIME);
  EXPECT_EQ(signals(), "15 ");
  const machine_operation anew = flight(operation_kind::timeout);
  EXPECT_EQ(armed_ns(anew), 10'000 * millisecond);
  complete(anew, -ETIME);
  EXPECT_EQ(signals(), "15 9 ");
  exit_now(CLD_KILLED, SIGKILL);
  EXPECT_TRUE(result);
}

TEST_F(MachineReentry, P6_DescriptorZeroIsFollowedAndClosedLikeAnyOther) {
  const auto closed = [this] {
    std::vector<int> fds;
    for (const machine_operation& op : done) {
      if (op.kind == operation_kind::close) fds.push_back(op.fd);
    }
    return fds;
  };
  for (int which = 0; which < 3; ++which) {
    result.reset();
    done.clear();
    exited.reset();
    process_start all = both();
    int* const fds[] = {&all.pidfd, &all.output_pipe, &all.errors_pipe};
    *fds[which] = 0;
    start(all);
    for (const int stream : {all.output_pipe, all.errors_pipe}) {
      complete_poll(stream, POLLHUP);
      complete(flight(operation_kind::read, stream), 0);
    }
    exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
    complete_poll(all.pidfd);
    ASSERT_TRUE(result) << which;
    EXPECT_EQ(closed(), (std::vector{all.output_pipe, all.errors_pipe, all.pidfd})) << which;
    EXPECT_TRUE(flying.empty());
  }
}

}  // namespace
}  // namespace bast
