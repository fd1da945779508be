// SPDX-License-Identifier: Apache-2.0
//
// The parts of a process machine that need no machine: names, times, the room of a stream.
#include "bast/process/machine_slot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bast/os.hpp"

namespace bast {
namespace {

using namespace internal;

constexpr std::size_t kib = 1024;

TEST(MachineOperation, P21_ANameIsMagicRoleSlotAndGeneration) {
  constexpr operation_name name{
      .magic = 0xAB, .what = 0xCD, .slot = 0x1234, .generation = 0x56789ABC};
  EXPECT_EQ(encode(name), 0xABCD'1234'5678'9ABCU);
  const operation_name back = decode(0xABCD'1234'5678'9ABC);
  EXPECT_EQ(back.magic, 0xAB);
  EXPECT_EQ(back.what, 0xCD);
  EXPECT_EQ(back.slot, 0x1234);
  EXPECT_EQ(back.generation, 0x56789ABCU);
}

TEST(MachineOperation, P22_AGenerationIsNeverNone) {
  EXPECT_EQ(next_generation(0), 1U);
  EXPECT_EQ(next_generation(7), 8U);
  EXPECT_EQ(next_generation(0xFFFFFFFE), 0xFFFFFFFFU);
  EXPECT_EQ(next_generation(0xFFFFFFFF), 1U);
}

TEST(MachineOperation, P21_TheFirstFourKindsWait) {
  for (const auto kind : {operation_kind::read, operation_kind::poll, operation_kind::timeout,
                          operation_kind::cancel}) {
    EXPECT_FALSE(is_immediate(kind));
  }
  for (const auto kind : {operation_kind::observe, operation_kind::reap, operation_kind::signal,
                          operation_kind::close}) {
    EXPECT_TRUE(is_immediate(kind));
  }
}

TEST(MachineOperation, P21_AnOperationSaysNothingByItself) {
  const machine_operation o;
  EXPECT_EQ(o.user_data, 0U);
  EXPECT_EQ(o.fd, -1);
  EXPECT_EQ(o.buffer, nullptr);
  EXPECT_EQ(o.length, 0U);
  EXPECT_EQ(o.due, never);
  EXPECT_EQ(o.deadline, nullptr);
  EXPECT_EQ(o.target, 0U);
  EXPECT_EQ(o.exit, nullptr);
  EXPECT_EQ(o.signal, 0);
  EXPECT_EQ(o.group, 0);
}

TEST(MachineOptions, P14_TheDefaultsAreThoseOfTheLaws) {
  const process_machine_options options;
  EXPECT_EQ(options.processes_max, 256U);
  EXPECT_EQ(options.magic, 0xBA);
  EXPECT_EQ(options.timers, machine_timers::operations);
  EXPECT_EQ(options.wake_fd, -1);
  const process_start start;
  EXPECT_EQ(start.pid, -1);
  EXPECT_EQ(start.pidfd, -1);
  EXPECT_EQ(start.output_pipe, -1);
  EXPECT_EQ(start.errors_pipe, -1);
  EXPECT_FALSE(start.own_group);
  EXPECT_FALSE(start.kill_group_on_exit);
  EXPECT_EQ(start.timeout, std::chrono::nanoseconds::max());
  EXPECT_EQ(start.grace, std::chrono::seconds(5));
  EXPECT_EQ(start.drain_grace, std::chrono::milliseconds(250));
  EXPECT_EQ(start.finished, nullptr);
  EXPECT_EQ(start.output.limit, bytes{16 * kib * kib});
  EXPECT_EQ(start.errors.limit, bytes{16 * kib * kib});
  EXPECT_EQ(start.errors.policy, on_limit::error_and_kill);
}

TEST(MachineTime, P14_NoSumOfInstantsOverflows) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(later(10, nanoseconds(0)), 10);
  EXPECT_EQ(later(10, nanoseconds(5)), 15);
  EXPECT_EQ(later(10, nanoseconds::max()), never_ns);
  EXPECT_EQ(later(never_ns, nanoseconds(1)), never_ns);
  EXPECT_EQ(later(never_ns, nanoseconds(0)), never_ns);
  EXPECT_EQ(later(never_ns - 5, nanoseconds(4)), never_ns - 1);
  EXPECT_EQ(later(never_ns - 5, nanoseconds(6)), never_ns);
}

TEST(MachineTime, P12_TriesAreOneToSixtyFourMillisecondsApartAndCounted) {
  constexpr std::int64_t millisecond = 1'000'000;
  constexpr std::int64_t expected[] = {1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t tries = 0;
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(retry_after(100, tries), 100 + expected[i] * millisecond) << i;
    EXPECT_EQ(tries, i + 1);
  }
  EXPECT_EQ(retry_after(100, tries), 100 + 64 * millisecond);
  EXPECT_EQ(tries, 16) << "the count does not wrap";
}

TEST(MachineTable, IO3_ACancelIsWantedOfWhatIsUnwantedAndNotAnswered) {
  for (std::size_t i = 0; i < cancellable_roles; ++i) {
    const auto what = static_cast<role>(i);
    const auto wanted_after = [what](auto change) {
      operation_table table;
      table[what].state = operation_state::in_flight;
      table[what].unwanted = true;
      change(table[what]);
      table.want_cancels();
      for (std::size_t other = 0; other < roles; ++other) {
        const operation_record& record = table.records[other];
        if (static_cast<role>(other) == what) continue;
        if (static_cast<role>(other) == cancel_of(what)) continue;
        EXPECT_TRUE(record.idle());
      }
      const operation_record& cancel = table[cancel_of(what)];
      const bool wanted = cancel.state == operation_state::wanted;
      EXPECT_TRUE(!wanted || cancel.kind == operation_kind::cancel);
      EXPECT_EQ(target_of(table, cancel_of(what)), &table[what]);
      return wanted;
    };
    EXPECT_TRUE(wanted_after([](operation_record&) {}));
    EXPECT_TRUE(wanted_after([](operation_record& o) { o.cancels = 7; }));
    EXPECT_FALSE(wanted_after([](operation_record& o) { o.cancels = 8; }));
    EXPECT_FALSE(wanted_after([](operation_record& o) { o.unwanted = false; }));
    EXPECT_FALSE(wanted_after([](operation_record& o) { o.cancel_answered = true; }));
    EXPECT_FALSE(wanted_after([](operation_record& o) { o.state = operation_state::wanted; }));
  }
  EXPECT_EQ(cancel_of(role::output), role::cancel_output);
  EXPECT_EQ(cancel_of(role::timer), role::cancel_timer);
}

TEST(MachineTable, I1_WhatIsInFlightIsNotAskedForAgain) {
  operation_table table;
  table.want(role::exit, operation_kind::poll);
  EXPECT_EQ(table[role::exit].state, operation_state::wanted);
  EXPECT_EQ(table[role::exit].kind, operation_kind::poll);
  EXPECT_FALSE(table[role::exit].idle());
  EXPECT_FALSE(table[role::exit].in_flight());
  table[role::exit].state = operation_state::in_flight;
  table.want(role::exit, operation_kind::observe);
  EXPECT_TRUE(table[role::exit].in_flight());
  EXPECT_EQ(table[role::exit].kind, operation_kind::poll);
}

captured_stream stream_of(std::size_t limit, on_limit policy) {
  captured_stream out;
  out.fd = 5;
  out.options = {.limit = bytes{limit}, .policy = policy};
  return out;
}

/// Reads into all of the room and returns its size.
std::size_t fill(captured_stream& stream) {
  EXPECT_TRUE(stream.make_room());
  const auto room = stream.room();
  if (!room.empty()) std::memset(room.data(), 'x', room.size());
  stream.received(room.size());
  return room.size();
}

TEST(MachineStream, P16_MemoryDoublesUpToTheLimitAnd64KiB) {
  captured_stream stream = stream_of(10 * kib, on_limit::truncate_and_drain);
  EXPECT_EQ(fill(stream), 4 * kib);
  EXPECT_EQ(fill(stream), 4 * kib);
  EXPECT_EQ(stream.got.bytes.capacity(), 8 * kib);
  EXPECT_EQ(fill(stream), 8 * kib);
  EXPECT_EQ(stream.got.discarded, 6 * kib);
  EXPECT_EQ(stream.got.bytes.size(), 10 * kib);
  EXPECT_EQ(fill(stream), 6 * kib) << "what is left of 16 KiB";
  EXPECT_EQ(stream.got.discarded, 12 * kib);
  EXPECT_EQ(stream.got.truncated, truncation::limit);
  EXPECT_FALSE(stream.exceeded());

  captured_stream wide = stream_of(70 * kib, on_limit::truncate_and_drain);
  for (int i = 0; i < 6; ++i) fill(wide);
  EXPECT_EQ(wide.got.bytes.capacity(), 128 * kib);
  captured_stream narrow = stream_of(30 * kib, on_limit::truncate_and_drain);
  while (narrow.got.bytes.size() < 30 * kib) fill(narrow);
  EXPECT_LE(narrow.got.bytes.capacity(), 94 * kib);
}

TEST(MachineStream, P16_ALimitOfNothingReadsIntoWhatIsThrownAway) {
  captured_stream stream = stream_of(0, on_limit::error_and_kill);
  EXPECT_EQ(fill(stream), 4 * kib);
  EXPECT_EQ(stream.got.bytes.size(), 0U);
  EXPECT_EQ(stream.got.discarded, 4 * kib);
  EXPECT_TRUE(stream.exceeded());
  EXPECT_TRUE(stream.is_full());
}

/// The child's last output is kept even beyond the limit, and no sum overflows.
TEST(MachineStream, I5_OnlyTheLastBytesUnderBackpressureGoBeyondTheLimit) {
  constexpr std::size_t all = unlimited_bytes.count;
  const std::size_t limits[] = {
      0, 5, all - overflow_bytes - 1, all - overflow_bytes, all - overflow_bytes + 1, all};
  for (const std::size_t limit : limits) {
    for (const on_limit policy :
         {on_limit::backpressure, on_limit::truncate_and_drain, on_limit::error_and_kill}) {
      captured_stream stream = stream_of(limit, policy);
      EXPECT_EQ(stream.kept_max(), limit);
      stream.is_last = true;
      const std::size_t last = std::min(limit, all - overflow_bytes) + overflow_bytes;
      EXPECT_EQ(stream.kept_max(), policy == on_limit::backpressure ? last : limit);
    }
  }
}

TEST(MachineStream, P16_UnderBackpressureTheLimitIsAllTheMemory) {
  captured_stream stream = stream_of(5 * kib, on_limit::backpressure);
  EXPECT_EQ(fill(stream), 4 * kib);
  EXPECT_FALSE(stream.is_full());
  EXPECT_EQ(fill(stream), 1 * kib);
  EXPECT_TRUE(stream.is_full());
  EXPECT_EQ(stream.got.bytes.capacity(), 5 * kib);
  EXPECT_EQ(stream.got.truncated, truncation::none);
  std::byte taken[100];
  EXPECT_EQ(stream.got.bytes.take(taken), 100U);
  EXPECT_EQ(fill(stream), 100U) << "the room of the bytes taken";
  EXPECT_EQ(stream.got.bytes.capacity(), 5 * kib);
  EXPECT_EQ(stream.got.bytes.size(), 5 * kib);
}

TEST(MachineStream, P16_WithoutALimitNothingOverflows) {
  for (const auto policy : {on_limit::truncate_and_drain, on_limit::backpressure}) {
    captured_stream stream = stream_of(unlimited_bytes.count, policy);
    for (int i = 0; i < 9; ++i) fill(stream);
    EXPECT_EQ(stream.got.bytes.size(), 1 * kib * kib);
    EXPECT_EQ(fill(stream), 1 * kib * kib);
    EXPECT_EQ(fill(stream), 1 * kib * kib) << "one read brings no more than a mebibyte";
    EXPECT_EQ(stream.got.bytes.capacity(), 4 * kib * kib);
    EXPECT_EQ(stream.got.truncated, truncation::none);
  }
}

TEST(MachineStream, I3_RoomThatIsThereIsKept) {
  captured_stream stream = stream_of(100 * kib, on_limit::truncate_and_drain);
  ASSERT_TRUE(stream.make_room());
  const std::byte* const first = stream.room().data();
  stream.received(10);
  const os::fault_scope refused({.kind = os::call::allocate, .nth = 1, .persistent = true});
  ASSERT_TRUE(stream.make_room());
  EXPECT_EQ(stream.room().data(), first + 10);
  EXPECT_EQ(refused.seen(), 0U);
  stream.received(stream.room().size());
  EXPECT_FALSE(stream.make_room());
}

TEST(MachineStream, P16_OneByteMoreThanTheLimitIsTooMuch) {
  captured_stream stream = stream_of(5, on_limit::error_and_kill);
  ASSERT_TRUE(stream.make_room());
  std::memcpy(stream.room().data(), "abcdef", 6);
  stream.received(5);
  EXPECT_EQ(stream.got.truncated, truncation::none);
  EXPECT_TRUE(stream.is_full());
  EXPECT_FALSE(stream.exceeded());
  stream.received(1);
  EXPECT_EQ(stream.got.truncated, truncation::limit);
  EXPECT_TRUE(stream.exceeded());
  EXPECT_EQ(stream.got.discarded, 1U);
  EXPECT_EQ(stream.got.bytes.text(), "abcde");
}

TEST(MachineStream, P13_TheFirstReasonOfAnEarlyEndWins) {
  captured_stream stream = stream_of(5, on_limit::error_and_kill);
  EXPECT_TRUE(stream.open());
  stream.give_up(truncation::grandchild, 0);
  EXPECT_FALSE(stream.open());
  EXPECT_EQ(stream.got.truncated, truncation::grandchild);
  stream.give_up(truncation::failure, EIO);
  EXPECT_EQ(stream.got.truncated, truncation::grandchild);
  EXPECT_EQ(stream.got.error_number, EIO);
  captured_stream closed;
  EXPECT_FALSE(closed.open());
  closed.fd = 0;
  EXPECT_TRUE(closed.open());
}

}  // namespace
}  // namespace bast
