// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: the operations that it requests, to the last field, and their order.
#include <string>

#include "bast/process/machine.hpp"
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// An operation without addresses and name: "kind fd" and its other fields.
std::string words_of(const machine_operation& op) {
  constexpr const char* names[] = {"read",    "poll", "timeout", "cancel", "poll_to_write",
                                   "observe", "reap", "signal",  "close",  "members"};
  std::string out = names[static_cast<int>(op.kind)];
  out += " " + std::to_string(op.fd);
  if (op.buffer != nullptr || op.length != 0) out += " length " + std::to_string(op.length);
  if (op.due != never) out += " at " + std::to_string(internal::nanoseconds_of(op.due));
  if (op.deadline != nullptr) {
    out += " = " + std::to_string(op.deadline->seconds) + "s " +
           std::to_string(op.deadline->nanoseconds) + "ns";
  }
  if (op.target != 0) out += " of " + std::to_string(static_cast<int>(op.target_kind));
  if (op.exit != nullptr) out += " tells";
  if (op.signal != 0) out += " signal " + std::to_string(op.signal);
  if (op.group != 0) out += " group " + std::to_string(op.group);
  return out;
}

/// The name of an operation without its generation: "magic role slot".
std::string place_of(const machine_operation& op) {
  const internal::operation_name name = internal::decode(op.user_data);
  return std::to_string(name.magic) + " " + std::to_string(name.what) + " " +
         std::to_string(name.slot);
}

class MachineOffers : public scripted_machine {
 protected:
  machine_operation take_one() {
    const machine_operation* const wanted = machine->next();
    EXPECT_NE(wanted, nullptr);
    if (wanted == nullptr) return {};
    const machine_operation out = *wanted;
    machine->sent();
    machine->check_invariants();
    return out;
  }

  /// The operation that is requested next, which must be this one.
  machine_operation next_is(std::string_view words, std::string_view place = "") {
    const machine_operation offered = take_one();
    EXPECT_EQ(words_of(offered), words);
    if (!place.empty()) {
      EXPECT_EQ(place_of(offered), place);
    }
    return offered;
  }
};

TEST_F(MachineOffers, P14_AnEarlierDeadlineReplacesTheTimerThatIsUnderWay) {
  init({.processes_max = 1, .magic = 0x17});
  process_start start = child();
  start.timeout = 60s;
  start.grace = 1s;
  const auto id = machine->start(start);
  ASSERT_TRUE(id);
  const machine_operation exit = next_is("poll 50");
  const machine_operation late = next_is("timeout -1 at 60000000000 = 60s 0ns");
  ASSERT_TRUE(machine->cancel(*id));
  const machine_operation stop = next_is("cancel -1 of 2");
  EXPECT_EQ(stop.target, late.user_data);
  const machine_operation terminate = next_is("signal 50 tells signal 15");
  machine->complete(terminate.user_data, 0);
  machine->complete(stop.user_data, 0);
  machine->complete(late.user_data, -ECANCELED);
  const machine_operation soon = next_is("timeout -1 at 1000000000 = 1s 0ns");
  // A later one does not replace it.
  machine->complete(soon.user_data, -ETIME);
  const machine_operation kill = next_is("signal 50 tells signal 9");
  machine->complete(kill.user_data, 0);
  EXPECT_EQ(machine->next(), nullptr);
  machine->complete(exit.user_data, POLLIN);
  const machine_operation observe = next_is("observe 50 tells");
  *observe.exit = {.code = CLD_KILLED, .status = SIGKILL, .usage = {}};
  machine->complete(observe.user_data, 1);
  const machine_operation reap = next_is("reap 50 tells");
  machine->complete(reap.user_data, 1);
  const machine_operation close = next_is("close 50");
  machine->complete(close.user_data, 0);
}

TEST_F(MachineOffers, P21_ALifeOperationByOperation) {
  init({.processes_max = 2, .magic = 0x17});
  set_time(3);
  process_start start = both();
  start.own_group = true;
  start.kill_group_on_exit = true;
  start.timeout = 2'000'000'007ns;
  start.errors.limit = bytes{100};
  start.drain_grace = 5ms;
  ASSERT_TRUE(machine->start(start));
  const machine_operation output = next_is("poll 51", "23 0 0");
  const machine_operation errors = next_is("poll 52", "23 1 0");
  const machine_operation exit = next_is("poll 50", "23 2 0");
  const machine_operation timer = next_is("timeout -1 at 2000000010 = 2s 10ns", "23 3 0");
  EXPECT_EQ(machine->next(), nullptr);
  const auto generation = static_cast<std::uint32_t>(output.user_data);
  EXPECT_EQ(static_cast<std::uint32_t>(timer.user_data), generation + 3) << "one each, in sequence";

  machine->complete(errors.user_data, POLLIN);
  const machine_operation read = next_is("read 52 length 4096", "23 1 0");
  machine->complete(timer.user_data, -ETIME);
  EXPECT_EQ(words_of(take_one()), "timeout -1 at 7000000010 = 7s 10ns");
  const machine_operation terminate = next_is("signal 50 tells signal 15 group 1234", "23 10 0");
  machine->complete(terminate.user_data, 0);
  machine->complete(exit.user_data, POLLIN);
  // The grace is over: its timer is cancelled, by its name.
  const machine_operation cancel_timer = next_is("cancel -1 of 2", "23 8 0");
  const machine_operation observe = next_is("observe 50 tells", "23 10 0");
  ASSERT_NE(observe.exit, nullptr);
  *observe.exit = {.code = CLD_KILLED, .status = SIGTERM, .usage = {}};
  machine->complete(observe.user_data, 1);
  const machine_operation stragglers = next_is("signal 50 tells signal 9 group 1234");
  machine->complete(stragglers.user_data, -ESRCH);
  const machine_operation look = next_is("members 50 tells group 1234", "23 10 0");
  machine->complete(look.user_data, 0);
  const machine_operation reap = next_is("reap 50 tells group 1234");
  machine->complete(reap.user_data, 1);
  const machine_operation close_pidfd = next_is("close 50", "23 11 0");
  machine->complete(close_pidfd.user_data, 0);
  machine->complete(cancel_timer.user_data, 0);
  machine->complete(cancel_timer.target, -ECANCELED);
  const machine_operation drain = next_is("timeout -1 at 2005000010 = 2s 5000010ns");
  machine->complete(drain.user_data, -ETIME);
  const machine_operation cancel_output = next_is("cancel 51 of 1", "23 5 0");
  EXPECT_EQ(cancel_output.target, output.user_data);
  const machine_operation cancel_errors = next_is("cancel 52 of 0", "23 6 0");
  EXPECT_EQ(cancel_errors.target, read.user_data);
  machine->complete(cancel_output.user_data, 0);
  machine->complete(cancel_errors.user_data, 0);
  EXPECT_EQ(machine->next(), nullptr);
  machine->complete(output.user_data, -ECANCELED);
  const machine_operation close_output = next_is("close 51");
  machine->complete(close_output.user_data, 0);
  machine->complete(read.user_data, -ECANCELED);
  const machine_operation close_errors = next_is("close 52");
  EXPECT_FALSE(result);
  machine->complete(close_errors.user_data, -EIO);
  ASSERT_TRUE(result);
  EXPECT_EQ(machine->next(), nullptr);
  EXPECT_EQ(result->ended_by, process_ending::timed_out);
}

TEST_F(MachineOffers, P11_WithoutAGroupOfItsOwnThereIsNoneToSignal) {
  const process_id id = *machine->start(child());
  flying.push_back(take_one());
  ASSERT_TRUE(machine->cancel(id));
  flying.push_back(take_one());
  EXPECT_EQ(words_of(flying.back()), "timeout -1 at 5000000000 = 5s 0ns");
  const machine_operation terminate = take_one();
  EXPECT_EQ(words_of(terminate), "signal 50 tells signal 15");
  complete(terminate, 0);
  exit_now();
  cancelled(operation_kind::timeout);
  EXPECT_TRUE(result);
}

TEST_F(MachineOffers, IO9_TheWakeIsPolledReadAndPolledAgain) {
  init({.processes_max = 1, .wake_fd = event_fd});
  for (int round = 0; round < 2; ++round) {
    const machine_operation poll = take_one();
    EXPECT_EQ(place_of(poll), "186 0 65535");
    EXPECT_EQ(poll.kind, operation_kind::poll);
    EXPECT_EQ(poll.fd, event_fd);
    machine->complete(poll.user_data, POLLIN);
    const machine_operation read = take_one();
    EXPECT_EQ(words_of(read), "read 60 length 8");
    EXPECT_NE(read.buffer, nullptr);
    machine->complete(read.user_data, 8);
  }
  const machine_operation poll = take_one();
  machine->shut_down();
  const machine_operation cancel = take_one();
  EXPECT_EQ(cancel.kind, operation_kind::cancel);
  EXPECT_EQ(cancel.fd, event_fd);
  EXPECT_EQ(cancel.target, poll.user_data);
  EXPECT_EQ(cancel.target_kind, operation_kind::poll);
  machine->complete(cancel.user_data, 0);
  EXPECT_FALSE(machine->idle());
  machine->complete(poll.user_data, -ECANCELED);
  EXPECT_EQ(machine->next(), nullptr);
}

TEST_F(MachineOffers, P22_TheyTakeTurns) {
  init({.processes_max = 3});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine->start(both()));
  std::string order;
  for (int i = 0; i < 9; ++i) {
    flying.push_back(take_one());
    order += place_of(flying.back()).substr(4) + ", ";
  }
  EXPECT_EQ(order, "0 0, 0 1, 0 2, 1 0, 1 1, 1 2, 2 0, 2 1, 2 2, ");
  EXPECT_EQ(machine->next(), nullptr);
  // A process with a new request comes after those that already wait, and once.
  order.clear();
  for (const std::size_t i : {std::size_t{1}, std::size_t{0}, std::size_t{4}, std::size_t{3}}) {
    machine->complete(flying[i].user_data, POLLIN);
  }
  for (int i = 0; i < 4; ++i) {
    flying.push_back(take_one());
    order += place_of(flying.back()).substr(4) + ", ";
  }
  EXPECT_EQ(order, "0 1, 0 0, 1 1, 1 0, ");
  EXPECT_EQ(machine->next(), nullptr);
  end_all();
}

TEST_F(MachineOffers, P22_WhatIsRefusedIsTheSameAndTheFirst) {
  ASSERT_TRUE(machine->start(both()));
  const machine_operation first = *machine->next();
  machine->refused();
  const machine_operation again = *machine->next();
  EXPECT_EQ(words_of(first), words_of(again));
  EXPECT_EQ(first.user_data, again.user_data) << "the name was not used";
  machine->refused();
  EXPECT_EQ(counts(),
            "live 1 peak 1 flying 0 started 1 finished 0 ignored 0 0 0 refused 2 zombies 0");
  pump();
  end_all();
}

}  // namespace
}  // namespace bast
