// SPDX-License-Identifier: Apache-2.0
//
// The pipe to the standard input of a process, and what the machine tells while a process runs.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>

#include "bast/process/machine_test.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr int input_fd = 45;

class MachineInput : public scripted_machine {
 protected:
  process_start fed() {
    process_start out = captured();
    out.input_pipe = input_fd;
    return out;
  }
  /// Counts what the machine tells.
  process_start told() {
    process_start out = fed();
    out.context = this;
    out.progress = [](void* context, process_id id) noexcept {
      auto& self = *static_cast<MachineInput*>(context);
      ++self.tellings;
      self.told_of = id;
    };
    return out;
  }
  void leave() {
    exit_now();
    if (machine->idle()) return;
    end_all();
  }

  int tellings = 0;
  process_id told_of;
};

TEST_F(MachineInput, P22_ItIsPolledOnlyWhenItIsWanted) {
  const process_id id = start(told());
  EXPECT_EQ(machine->input(id), input_fd);
  EXPECT_EQ(flying.size(), 2U) << "the output and the exit";
  ASSERT_TRUE(machine->want_input(id));
  ASSERT_TRUE(machine->want_input(id)) << "asked twice, polled once";
  pump();
  EXPECT_EQ(flying.size(), 3U);
  const machine_operation poll = flight(operation_kind::poll_to_write, input_fd);
  EXPECT_FALSE(is_immediate(poll.kind));
  complete(poll, POLLOUT);
  EXPECT_EQ(tellings, 1);
  EXPECT_EQ(told_of, id);
  EXPECT_EQ(flying.size(), 2U) << "once";
  ASSERT_TRUE(machine->want_input(id));
  pump();
  complete(flight(operation_kind::poll_to_write, input_fd), POLLERR);
  EXPECT_EQ(tellings, 2) << "the reader is gone: the host's write has the error";
  leave();
}

TEST_F(MachineInput, P22_AnInterruptedPollIsRepeatedAndAFailedOneLater) {
  const process_id id = start(told());
  ASSERT_TRUE(machine->want_input(id));
  pump();
  for (const int error_number : {EINTR, EAGAIN, ECANCELED, 0}) {
    complete(flight(operation_kind::poll_to_write, input_fd), -error_number);
    EXPECT_EQ(tellings, 0);
  }
  complete(flight(operation_kind::poll_to_write, input_fd), -ENOMEM);
  EXPECT_EQ(tellings, 0);
  EXPECT_LE(next_deadline(), millisecond);
  for (int round = 1; round < internal::tries_max; ++round) {
    tick(round * 1000 * millisecond);
    complete(flight(operation_kind::poll_to_write, input_fd), -ENOMEM);
    EXPECT_EQ(tellings, 0);
  }
  tick(1000 * 1000 * millisecond);
  complete(flight(operation_kind::poll_to_write, input_fd), -ENOMEM);
  EXPECT_EQ(tellings, 1) << "it ends";
  // The next request begins anew.
  ASSERT_TRUE(machine->want_input(id));
  tick(1001 * 1000 * millisecond);
  complete(flight(operation_kind::poll_to_write, input_fd), -ENOMEM);
  EXPECT_EQ(tellings, 1);
  leave();
}

TEST_F(MachineInput, P6_ItIsClosedOnceWithNothingInFlight) {
  const process_id id = start(told());
  ASSERT_TRUE(machine->want_input(id));
  pump();
  ASSERT_TRUE(machine->close_input(id));
  pump();
  EXPECT_EQ(kinds_done(), "") << "a poll is in flight";
  EXPECT_EQ(kind_of(machine->input(id)), errc::closed);
  EXPECT_EQ(kind_of(machine->want_input(id)), errc::closed);
  cancelled(operation_kind::poll_to_write, input_fd);
  EXPECT_EQ(kinds_done(), "close ");
  EXPECT_EQ(done.back().fd, input_fd);
  EXPECT_EQ(tellings, 0);
  ASSERT_TRUE(machine->close_input(id)) << "no effect";
  pump();
  EXPECT_EQ(kinds_done(), "close ");
  leave();
  EXPECT_EQ(
      std::ranges::count_if(done, [](const machine_operation& op) { return op.fd == input_fd; }),
      1);
}

TEST_F(MachineInput, P6_AtTheExitItIsClosed) {
  const process_id id = start(told());
  ASSERT_TRUE(machine->want_input(id));
  pump();
  exit_now();
  EXPECT_FALSE(result);
  cancelled(operation_kind::poll_to_write, input_fd);
  complete_poll(output_fd);
  complete(flight(operation_kind::read, output_fd), 0);
  cancelled(operation_kind::timeout);
  EXPECT_TRUE(result);
  EXPECT_EQ(kind_of(machine->input(id)), errc::stale_handle);
  EXPECT_EQ(kind_of(machine->want_input(id)), errc::stale_handle);
  EXPECT_EQ(kind_of(machine->close_input(id)), errc::stale_handle);
  EXPECT_EQ(kind_of(machine->hang_up(id)), errc::stale_handle);
  EXPECT_TRUE(machine->has_all(id, output_stream::output));
  EXPECT_EQ(machine->close_input({.slot = 1, .generation = 7}).error().message(),
            "process_machine.close_input: stale handle: the process has ended (1)");
  EXPECT_EQ(machine->hang_up({.slot = 1, .generation = 7}).error().message(),
            "process_machine.hang_up: stale handle: the process has ended (1)");
  EXPECT_EQ(machine->input({.slot = 1, .generation = 7}).error().message(),
            "process_machine.input: stale handle: the process has ended (1)");
  // The next life of the slot begins without one.
  const process_id next = start(captured());
  EXPECT_EQ(next.slot, id.slot);
  EXPECT_EQ(kind_of(machine->input(next)), errc::closed);
  result.reset();
  end_all();
}

TEST_F(MachineInput, P16_BytesAndEndsOfCapturedStreamsAreTold) {
  const process_id id = start(told());
  EXPECT_FALSE(machine->has_all(id, output_stream::output));
  EXPECT_TRUE(machine->has_all(id, output_stream::errors)) << "not captured";
  complete_poll(output_fd);
  tellings = 0;
  bring("hello");
  EXPECT_EQ(tellings, 1);
  std::array<std::byte, 3> three{};
  EXPECT_EQ(machine->take(id, output_stream::output, three), 3U);
  EXPECT_FALSE(machine->has_all(id, output_stream::output));
  complete_poll(output_fd);
  tellings = 0;
  complete(flight(operation_kind::read, output_fd), 0);
  EXPECT_EQ(tellings, 1);
  EXPECT_TRUE(machine->has_all(id, output_stream::output));
  EXPECT_EQ(machine->take(id, output_stream::output, three), 2U);
  leave();
}

TEST_F(MachineInput, P16_HangingUpClosesWhatNobodyTakes) {
  process_start both = told();
  both.errors_pipe = errors_fd;
  both.errors = {.limit = bytes{8}, .policy = on_limit::backpressure};
  const process_id id = start(both);
  ASSERT_TRUE(machine->hang_up(id));
  pump();
  EXPECT_EQ(kinds_done(), "close ");
  EXPECT_EQ(done.back().fd, input_fd);
  cancelled(operation_kind::poll, errors_fd);
  EXPECT_EQ(kinds_done(), "close close ");
  EXPECT_EQ(done.back().fd, errors_fd);
  EXPECT_FALSE(machine->has_all(id, output_stream::output)) << "a capture goes on";
  leave();
}

TEST_F(MachineInput, P16_AReadThatCompletesAfterHangingUpOpensNothing) {
  process_start child = told();
  child.output = {.limit = bytes{8}, .policy = on_limit::backpressure};
  const process_id id = start(child);
  complete_poll(output_fd);
  ASSERT_TRUE(machine->hang_up(id));
  pump();
  EXPECT_EQ(kinds_done(), "close ") << "the input; a read of the output is in flight";
  bring("late");
  EXPECT_EQ(kinds_done(), "close close ");
  EXPECT_EQ(done.back().fd, output_fd);
  complete(flight(operation_kind::cancel, output_fd), -ENOENT);
  leave();
}

TEST_F(MachineInput, IO15_InAForkedChildItIsTheParents) {
  const process_id id = start(told());
  EXPECT_EQ(in_child([&] {
              if (kind_of(machine->input(id)) != errc::forked) return 1;
              if (kind_of(machine->want_input(id)) != errc::forked) return 2;
              if (kind_of(machine->close_input(id)) != errc::forked) return 3;
              return kind_of(machine->hang_up(id)) == errc::forked ? 0 : 4;
            }),
            0);
  leave();
}

}  // namespace
}  // namespace bast
