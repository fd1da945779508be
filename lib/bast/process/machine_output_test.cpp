// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: captured streams.
#include "bast/process/machine.hpp"

#include <algorithm>
#include <cstring>

#include "bast/os.hpp"
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;
using internal::overflow_bytes;

using MachineOutput = test::scripted_machine;

TEST_F(MachineOutput, P13_AfterTheDrainGraceTheRestIsGivenUpAndLateBytesAreKept) {
  process_start parent = captured();
  parent.drain_grace = 20ms;
  start(parent);
  complete_poll(output_fd);
  exit_now();
  EXPECT_EQ(internal::nanoseconds_of(flying.back().due), 20 * millisecond);
  complete(flight(operation_kind::timeout), -ETIME);
  EXPECT_FALSE(result);
  // The cancel was too late: the read had completed (IO-3).
  complete(flight(operation_kind::cancel, output_fd), -EALREADY);
  bring("late");
  EXPECT_EQ(result->output.bytes.text(), "late");
  EXPECT_EQ(result->output.truncated, truncation::grandchild);
}

TEST_F(MachineOutput, P13_ALoopThatWasHeldUpLosesNothing) {
  process_start parent = captured();
  parent.drain_grace = 20ms;
  start(parent);
  exit_now();
  tick(1000 * millisecond);  // Only now does the loop report the time again.
  EXPECT_FALSE(result);
  complete_poll(output_fd);
  bring("written in time");
  complete_poll(output_fd);
  complete(flight(operation_kind::read, output_fd), 0);
  cancelled(operation_kind::timeout);
  EXPECT_EQ(result->output.bytes.text(), "written in time");
  EXPECT_EQ(result->output.truncated, truncation::none);
}

TEST_F(MachineOutput, P13_ALoopThatIsAlwaysHeldUpComesToAnEnd) {
  process_start parent = captured();
  parent.drain_grace = 20ms;
  start(parent);
  exit_now();
  tick(1000 * millisecond);
  tick(2000 * millisecond);
  cancelled(operation_kind::poll, output_fd);
  cancelled(operation_kind::timeout);
  EXPECT_EQ(result->output.truncated, truncation::grandchild);
}

/// A child that writes more than may be kept while its output is not taken.
class MachineBackpressure : public scripted_machine {
 protected:
  process_id start_unread() {
    process_start parent = captured({.limit = bytes{4}, .policy = on_limit::backpressure});
    parent.drain_grace = 20ms;
    const process_id id = start(parent);
    complete_poll(output_fd);
    bring("full");
    EXPECT_EQ(flying.size(), 1U) << "no read is in flight";
    return id;
  }
  /// As many reads as necessary.
  void bring_all(std::size_t count) {
    while (count > 0) {
      const machine_operation op = flight(operation_kind::read, output_fd);
      const std::size_t size = std::min<std::size_t>(count, op.length);
      ASSERT_NE(size, 0U);
      std::memset(op.buffer, 'x', size);
      complete(op, static_cast<std::int64_t>(size));
      count -= size;
    }
  }
};

TEST_F(MachineBackpressure, P16_TheLastBytesComeWithTheEnd) {
  start_unread();
  exit_now();
  // Beyond the limit, and without waiting for a reader.
  bring(" of the last words");
  complete_poll(output_fd, POLLHUP);
  complete(flight(operation_kind::read, output_fd), 0);
  cancelled(operation_kind::timeout);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.bytes.text(), "full of the last words");
  EXPECT_EQ(result->output.truncated, truncation::none);
  EXPECT_TRUE(result->check());
}

TEST_F(MachineBackpressure, P16_ThePipeMayBeAsFullAsItCanBe) {
  start_unread();
  exit_now();
  bring_all(overflow_bytes);
  // No room for a read; the end needs none.
  EXPECT_FALSE(result);
  complete_poll(output_fd, POLLHUP);
  cancelled(operation_kind::timeout);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.bytes.size(), 4 + overflow_bytes);
  EXPECT_EQ(result->output.truncated, truncation::none);
  EXPECT_TRUE(result->check());
}

TEST_F(MachineBackpressure, P16_WhatIsLeftInALargerPipeIsNoSecret) {
  const process_id id = start_unread();
  exit_now();
  bring_all(overflow_bytes);
  complete_poll(output_fd);
  // A caller that takes some gets more.
  std::byte some[5];
  EXPECT_EQ(machine->take(id, output_stream::output, some).value(), 5U);
  pump();
  bring("12345");
  complete_poll(output_fd);
  tick(20 * millisecond);
  cancelled(operation_kind::timeout);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.bytes.size(), 4 + overflow_bytes);
  EXPECT_EQ(result->output.truncated, truncation::limit);
  EXPECT_EQ(result->ended_by, process_ending::limit);
  EXPECT_EQ(result->check().error(), errc::limit);
}

TEST_F(MachineBackpressure, P13_AGrandchildThatWritesOnComesToAnEnd) {
  // A slow one: what it writes fits, and gives it no more time.
  const process_id id = start_unread();
  exit_now();
  std::byte some[100];
  bring("late");
  EXPECT_EQ(machine->take(id, output_stream::output, some).value(), 8U);
  tick(19 * millisecond);
  complete_poll(output_fd);
  bring("later");
  EXPECT_EQ(machine->take(id, output_stream::output, some).value(), 5U);
  tick(20 * millisecond);
  cancelled(operation_kind::poll, output_fd);
  cancelled(operation_kind::timeout);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.truncated, truncation::grandchild);
  EXPECT_EQ(result->ended_by, process_ending::exited);
}

TEST_F(MachineBackpressure, P13_AGrandchildThatWritesWithoutEndComesToAnEnd) {
  const process_id id = start_unread();
  exit_now();
  std::vector<std::byte> some(4 + overflow_bytes);
  std::int64_t now = 0;
  std::size_t taken = 0;
  bring_all(overflow_bytes);
  // Each time all of it is taken late: until it was more than a pipe holds.
  while (taken < 3U << 20) {
    complete_poll(output_fd);
    const std::size_t count = machine->take(id, output_stream::output, some).value();
    EXPECT_EQ(count, some.size());
    taken += count;
    tick(now += 19 * millisecond);
    if (taken > (1U << 20) + some.size()) break;
    bring_all(some.size());
  }
  EXPECT_FALSE(result);
  tick(now += millisecond);
  cancelled(operation_kind::read, output_fd);
  cancelled(operation_kind::timeout);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.truncated, truncation::grandchild);
}

TEST_F(MachineOutput, P13_TheEndIsTheEndEvenWhenItIsLate) {
  process_start parent = captured();
  parent.drain_grace = 0ns;
  start(parent);
  complete_poll(output_fd);
  exit_now();
  complete(flight(operation_kind::read, output_fd), 0);
  complete(flight(operation_kind::cancel, output_fd), -ENOENT);
  EXPECT_EQ(result->output.truncated, truncation::none);
}

TEST_F(MachineOutput, IO3_ACancelThatFailsIsSentAgain) {
  process_start parent = captured();
  parent.drain_grace = 0ns;
  start(parent);
  exit_now();
  complete(flight(operation_kind::cancel, output_fd), -ENOMEM);
  cancelled(operation_kind::poll, output_fd);
  EXPECT_TRUE(result);
}

TEST_F(MachineOutput, P16_WithoutMemoryTheStreamEndsAndTheProcessGoesOn) {
  start(captured());
  {
    os::fault_scope fault({.kind = os::call::allocate, .nth = 1, .persistent = true});
    complete_poll(output_fd);
  }
  EXPECT_EQ(kinds_done(), "close ");
  exit_now();
  EXPECT_TRUE(result->check());
  EXPECT_EQ(result->output.error_number, ENOMEM);
  EXPECT_EQ(result->output.truncated, truncation::failure);
}

TEST_F(MachineOutput, P16_MemoryStaysBelowTheLimitAnd64KiB) {
  start(captured({.limit = bytes{10'000}, .policy = on_limit::truncate_and_drain}));
  complete_poll(output_fd);
  std::uint64_t fed = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string chunk(flying.back().length, 'x');  // Full reads: no poll between them.
    fed += chunk.size();
    bring(chunk);
  }
  complete(flight(operation_kind::read, output_fd), 0);
  exit_now();
  EXPECT_EQ(result->output.bytes.size(), 10'000U);
  EXPECT_EQ(result->output.discarded, fed - 10'000);
  EXPECT_LE(result->output.bytes.capacity(), 10'000U + (64U << 10));
}

TEST_F(MachineOutput, P16_UnderBackpressureNothingIsReadUntilSomebodyTakes) {
  const process_id id = start(captured({.limit = bytes{5}, .policy = on_limit::backpressure}));
  complete_poll(output_fd);
  EXPECT_EQ(flying.back().length, 5U);
  bring("abcde");
  ASSERT_EQ(flying.size(), 1U) << "only the pidfd is waited for";
  std::byte two[2];
  EXPECT_EQ(machine->take(id, output_stream::output, two).value(), 2U);
  pump();
  EXPECT_EQ(flying.back().length, 2U);
  bring("fg");
  exit_now();
  EXPECT_FALSE(result);
  // The drain grace begins again after each take.
  set_time(200 * millisecond);
  EXPECT_EQ(machine->take(id, output_stream::output, two).value(), 2U);
  tick(300 * millisecond);
  complete(flight(operation_kind::read, output_fd), 0);
  cancelled(operation_kind::timeout);
  EXPECT_EQ(result->output.bytes.text(), "efg");
  EXPECT_EQ(result->output.truncated, truncation::none);
}

TEST_F(MachineOutput, P21_WhatAReadMaySay) {
  start(captured());
  complete_poll(output_fd, -EINTR);
  complete_poll(output_fd, -ECANCELED);  // Not cancelled by us: the host's thread ended.
  complete_poll(output_fd);
  complete(flight(operation_kind::read, output_fd), -EINTR);
  complete(flight(operation_kind::read, output_fd), -EAGAIN);
  complete_poll(output_fd);
  bring("x");
  complete_poll(output_fd);
  complete(flight(operation_kind::read, output_fd), -EIO);
  exit_now();
  EXPECT_EQ(result->output.bytes.text(), "x");
  EXPECT_EQ(result->output.error_number, EIO);
  EXPECT_EQ(result->output.truncated, truncation::failure);
}

TEST_F(MachineOutput, P21_AStreamThatCannotBePolledIsTriedAgainAndNotForEver) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  start(captured());
  int rounds = 0;
  while (kinds_done().empty() && rounds < 100) {
    complete_poll(output_fd, -ENOMEM);
    if (kinds_done().empty()) tick(next_deadline());
    ++rounds;
  }
  EXPECT_EQ(rounds, 17);
  exit_now();
  EXPECT_EQ(result->output.error_number, ENOMEM);
}

TEST_F(MachineOutput, P22_MoreThanWasAskedForIsAnError) {
  start(captured());
  complete_poll(output_fd);
  const machine_operation read = flight(operation_kind::read, output_fd);
  complete(read, std::int64_t{read.length} + 1);
  exit_now();
  EXPECT_EQ(result->output.error_number, EPROTO);
  EXPECT_EQ(result->output.bytes.size(), 0U);
}

}  // namespace
}  // namespace bast
