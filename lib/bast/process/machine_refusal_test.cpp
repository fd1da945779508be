// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: errors and ignored input, which change nothing.
#include <string>

#include "bast/os.hpp"
#include "bast/process/machine.hpp"
#include "bast/process/machine_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/in_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

using MachineRefusal = scripted_machine;

TEST_F(MachineRefusal, X5_WhatIsRefusedChangesNothing) {
  const std::uint64_t before = machine->digest();
  const auto refused = [this](auto change) {
    process_start bad = both();
    change(bad);
    const auto started = machine->start(bad);
    return started ? errc::io : started.error().kind();
  };
  EXPECT_EQ(refused([](process_start& s) { s.pid = 0; }), errc::invalid);
  EXPECT_EQ(refused([](process_start& s) { s.pid = -1; }), errc::invalid);
  EXPECT_EQ(refused([](process_start& s) { s.pidfd = -1; }), errc::invalid);
  EXPECT_EQ(refused([](process_start& s) { s.timeout = -1ns; }), errc::invalid);
  EXPECT_EQ(refused([](process_start& s) { s.grace = -1ns; }), errc::invalid);
  EXPECT_EQ(refused([](process_start& s) { s.drain_grace = -1ns; }), errc::invalid);
  const to::capture nothing{.limit = bytes{0}, .policy = on_limit::backpressure};
  EXPECT_EQ(refused([&](process_start& s) { s.output = nothing; }), errc::invalid);
  EXPECT_EQ(refused([&](process_start& s) { s.errors = nothing; }), errc::invalid);
  EXPECT_EQ(machine->digest(), before);
  EXPECT_EQ(counts(),
            "live 0 peak 0 flying 0 started 0 finished 0 ignored 0 0 0 refused 0 zombies 0");

  // The minimum that is accepted.
  process_start least = both();
  least.pid = 1;
  least.pidfd = 0;
  least.output = {.limit = bytes{1}, .policy = on_limit::backpressure};
  least.errors = {.limit = bytes{0}, .policy = on_limit::truncate_and_drain};
  least.drain_grace = 0ns;
  start(least);
  exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
  complete_poll(0);
  cancelled(operation_kind::poll, output_fd);
  cancelled(operation_kind::poll, errors_fd);
  EXPECT_TRUE(result);
}

TEST_F(MachineRefusal, X1_AnErrorHasTheNumberThatWasWrong) {
  const auto words = [](const auto& refused) {
    return refused ? std::string() : refused.error().message();
  };
  for (const auto duration :
       {&process_start::timeout, &process_start::grace, &process_start::drain_grace}) {
    process_start bad = child();
    bad.*duration = -1ns;
    EXPECT_EQ(words(machine->start(bad)),
              "process_machine.start: invalid argument: a duration is negative (1234)")
        << "the process";
  }
  process_start bad = child();
  bad.pidfd = -1;
  EXPECT_EQ(words(machine->start(bad)),
            "process_machine.start: invalid argument: a child has a pid and a pidfd (1234)");

  const process_id first = start(child());
  const process_id second = start(child());
  ASSERT_EQ(second.slot, 1U);
  for (const process_id id : {first, second}) {
    const process_id stale = {.slot = id.slot, .generation = id.generation + 1};
    const std::string end = ": the process has ended (" + std::to_string(id.slot) + ")";
    for (const std::string& said :
         {words(machine->take(stale, output_stream::output, {})), words(machine->cancel(stale))}) {
      EXPECT_TRUE(said.ends_with(end)) << said;
    }
  }
  end_all();
}

TEST_F(MachineRefusal, P22_NamesAtTheEdgesAreUnknown) {
  start(child());
  const std::uint64_t name = flying.front().user_data;
  const std::uint64_t before = machine->digest();
  const auto at = [name](std::uint64_t role, std::uint64_t slot) {
    return (name & 0xFF00'0000'FFFF'FFFF) | role << 48 | slot << 32;
  };
  machine->complete(at(internal::roles, 0), 1);       // One role too many.
  machine->complete(at(2, 1), 1);                     // A slot that was never used.
  machine->complete(at(internal::roles, 0xFFFF), 1);  // Not a role of the wake.
  EXPECT_EQ(machine->stats().ignored_unknown, 3U);
  machine->complete(at(internal::roles - 1, 0), 1);
  machine->complete(at(2, 0xFFFF), 1);
  machine->complete(name - 1, 1);
  machine->complete(name + 1, 1);
  EXPECT_EQ(counts(),
            "live 1 peak 1 flying 1 started 1 finished 0 ignored 0 3 4 refused 0 zombies 0");
  EXPECT_EQ(machine->digest(), before);
  exit_now();
}

TEST_F(MachineRefusal, IO3_AnAnswerToAnOlderCancelDoesNotCount) {
  init({.processes_max = 1});
  process_start slow = child();
  slow.timeout = 10ms;
  const process_id id = start(slow);
  const machine_operation timer = flight(operation_kind::timeout);
  // Cancelled: the grace ends later than the timeout; the timer stays, and fires.
  ASSERT_TRUE(machine->cancel(id));
  pump();
  complete(timer, -ETIME);
  exited = child_exit{.code = CLD_EXITED, .status = 0, .usage = {}};
  const machine_operation grace = flight(operation_kind::timeout);
  complete_poll(pidfd);
  // No timer is requested any more. The cancel fails for its own reasons, eight times.
  for (int i = 0; i < 8; ++i) {
    const machine_operation cancel = flight(operation_kind::cancel);
    EXPECT_EQ(cancel.target, grace.user_data);
    complete(cancel, i % 2 == 0 ? -ENOMEM : -EINTR);
  }
  EXPECT_TRUE(flying.empty()) << "a bounded number of times";
  EXPECT_FALSE(result);
  complete(grace, -ETIME);
  EXPECT_TRUE(result);
}

TEST_F(MachineRefusal, IO3_WhatACancelMaySay) {
  for (const int answer : {0, 1, ENOENT, EALREADY}) {
    init({.processes_max = 1});
    flying.clear();
    result.reset();
    process_start quick = captured();
    quick.drain_grace = 0ns;
    start(quick);
    exit_now();
    const std::int64_t status = answer > 1 ? -answer : answer;
    complete(flight(operation_kind::cancel, output_fd), status);
    ASSERT_EQ(flying.size(), 1U) << "the poll, and no further cancel";
    EXPECT_FALSE(result);
    complete_poll(output_fd, -ECANCELED);
    EXPECT_TRUE(result);
  }
}

TEST_F(MachineRefusal, P21_AnOfferIsForgottenByWhateverHappensNext) {
  const auto dies = [&](auto happens) {
    const int status = test::in_child([&] {
      ::close(2);                  // The message is known.
      init({.processes_max = 2});  // The child's own: the parent's requests nothing here (IO-15).
      start(captured());
      complete_poll(output_fd, -EINTR);
      (void)flight(operation_kind::poll, output_fd);
      machine->complete(flight(operation_kind::poll, pidfd).user_data, -EINTR);
      if (machine->next() == nullptr) return 1;
      happens();
      machine->sent();
      return 0;
    });
    return status == 128 + SIGABRT;
  };
  EXPECT_TRUE(dies([&] { (void)machine->start({}); }));
  EXPECT_TRUE(dies([&] { set_time(0); }));
  EXPECT_TRUE(dies([&] { (void)machine->cancel({}); }));
  EXPECT_TRUE(dies([&] { machine->shut_down(); }));
  EXPECT_TRUE(dies([&] { (void)machine->take({}, output_stream::output, {}); }));
  EXPECT_TRUE(dies([&] { (void)machine->want_input({}); }));
  EXPECT_TRUE(dies([&] { (void)machine->close_input({}); }));
  EXPECT_TRUE(dies([&] { (void)machine->hang_up({}); }));
  EXPECT_TRUE(dies([&] { machine->refused(); }));
  EXPECT_TRUE(dies([&] { machine->sent(); }));
  EXPECT_FALSE(dies([] {}));
}

TEST_F(MachineRefusal, X6_WhatCouldBeAllocatedInPartIsGivenBack) {
  const test::leak_baseline before;
  for (const std::uint64_t nth : {1U, 2U, 3U}) {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    EXPECT_FALSE(process_machine::create({.processes_max = 65534}));
    EXPECT_EQ(before.differences(), "");
  }
  {
    const auto made = process_machine::create({.processes_max = 65534});
    ASSERT_TRUE(made);
    EXPECT_TRUE((*made)->has_room());
  }
  EXPECT_EQ(before.differences(), "");
}

}  // namespace
}  // namespace bast
