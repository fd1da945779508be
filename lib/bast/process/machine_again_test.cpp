// SPDX-License-Identifier: Apache-2.0
//
// The machine alone: counts and times start afresh when they should, to the nanosecond.
#include "bast/process/machine_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

using MachineAgain = test::scripted_machine;

TEST_F(MachineAgain, P21_APollThatWorksForgivesThoseThatFailed) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  start(captured());
  for (int life = 0; life < 3; ++life) {
    for (int failures = 0; failures < 16; ++failures) {
      complete_poll(output_fd, -ENOMEM);
      ASSERT_EQ(kinds_done(), "") << "given up after " << failures;
      tick(next_deadline());
    }
    complete_poll(output_fd);
    bring("x");
  }
  complete_poll(output_fd, POLLHUP);
  complete(flight(operation_kind::read, output_fd), 0);
  exit_now();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.bytes.text(), "xxx");
  EXPECT_EQ(result->output.truncated, truncation::none);
  EXPECT_EQ(result->output.error_number, 0);
}

TEST_F(MachineAgain, P13_TheGraceOfALateLoopIsCountedFromWhenItIsBack) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  process_start parent = captured();
  parent.drain_grace = 20ms;
  start(parent);
  exit_now();
  ASSERT_EQ(next_deadline(), 20 * millisecond);
  tick(25 * millisecond + 1);  // More than 5 ms late.
  EXPECT_EQ(flying.size(), 1U) << "only the poll of the stream";
  EXPECT_EQ(next_deadline(), 45 * millisecond + 1);
  tick(45 * millisecond);
  EXPECT_EQ(flying.size(), 1U) << "only the poll of the stream";
  tick(45 * millisecond + 1);
  cancelled(operation_kind::poll, output_fd);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.truncated, truncation::grandchild);
}

TEST_F(MachineAgain, P13_ALoopThatIsFiveMillisecondsLateIsInTime) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  process_start parent = captured();
  parent.drain_grace = 20ms;
  start(parent);
  exit_now();
  tick(25 * millisecond);
  cancelled(operation_kind::poll, output_fd);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output.truncated, truncation::grandchild);
}

TEST_F(MachineAgain, P16_OnlyABiteBeginsTheDrainGraceAnew) {
  process_start slow = captured({.limit = bytes{5}, .policy = on_limit::backpressure});
  slow.drain_grace = 20ms;
  for (const std::size_t bite : {0U, 2U}) {
    init({.processes_max = 1, .timers = machine_timers::ticks});
    result.reset();
    const process_id id = start(slow);
    complete_poll(output_fd);
    bring("abcde");
    exit_now();
    const std::string rest(internal::overflow_bytes, 'x');
    for (std::string_view left = rest; !left.empty();) {
      const machine_operation read = flight(operation_kind::read, output_fd);
      const std::string_view part = left.substr(0, read.length);
      flying.push_back(read);
      bring(part);
      left.remove_prefix(part.size());
    }
    complete_poll(output_fd);  // There is more, and no room.
    tick(7 * millisecond);
    std::byte two[2];
    EXPECT_EQ(machine->take(id, output_stream::output, std::span(two).first(bite)).value(), bite);
    pump();
    tick(20 * millisecond);
    if (bite != 0) {
      EXPECT_FALSE(result);
      EXPECT_EQ(next_deadline(), 27 * millisecond);
      complete(flight(operation_kind::read, output_fd), 0);
    }
    ASSERT_TRUE(result);
    EXPECT_EQ(result->output.bytes.size(), 5 + rest.size() - bite);
    EXPECT_EQ(result->output.truncated, bite == 0 ? truncation::limit : truncation::none);
  }
}

TEST_F(MachineAgain, P11_TheKillOfStragglersHasTriesOfItsOwn) {
  init({.processes_max = 1, .timers = machine_timers::ticks});
  process_start slow = child();
  slow.own_group = slow.kill_group_on_exit = true;
  const process_id id = start(slow);
  immediate = std::vector<std::int64_t>(15, -ENOMEM);
  ASSERT_TRUE(machine->cancel(id));
  pump();
  for (int i = 1; i < 15; ++i) tick(next_deadline());
  ASSERT_TRUE(immediate.empty());
  // The leader ends before its SIGTERM was sent; the kill of its group then fails as often.
  immediate = std::vector<std::int64_t>(16, -ENOMEM);
  immediate.insert(immediate.begin(), 1);
  immediate.push_back(0);
  exit_now();
  for (int i = 0; i < 40 && !result; ++i) tick(next_deadline());
  ASSERT_TRUE(result);
  EXPECT_TRUE(immediate.empty());
  EXPECT_EQ(result->signal_error, 0);
}

TEST_F(MachineAgain, P22_TheDigestIsOfEachProcess) {
  const auto of = [this](std::chrono::nanoseconds first, std::chrono::nanoseconds second) {
    init({.processes_max = 2, .timers = machine_timers::ticks});
    for (const auto grace : {first, second}) {
      process_start made = child();
      made.grace = grace;
      const process_id id = start(made);
      EXPECT_TRUE(machine->cancel(id));
      pump();
    }
    const std::uint64_t digest = machine->digest();
    end_all();
    return digest;
  };
  EXPECT_EQ(of(5ms, 5ms), of(5ms, 5ms));
  EXPECT_NE(of(5ms, 5ms), of(6ms, 5ms)) << "of the first";
  EXPECT_NE(of(5ms, 5ms), of(5ms, 6ms)) << "of the last";
}

}  // namespace
}  // namespace bast
