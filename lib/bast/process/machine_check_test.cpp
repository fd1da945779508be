// SPDX-License-Identifier: Apache-2.0
//
// The invariants of a process machine: each is violated once and reported by name, and the digest
// covers every field.
#include "bast/process/machine_check.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <span>
#include <string>

#include "bast/process/machine.hpp"

namespace bast {
namespace {

using namespace internal;

constexpr std::uint8_t test_magic = 0xBA;
constexpr std::uint16_t test_slot = 3;

std::string words(const char* broken) { return broken == nullptr ? "" : broken; }

/// As `sent` does.
void fly(operation_table& table, role what, operation_kind kind, std::uint16_t slot = test_slot) {
  operation_record& record = table[what];
  record.kind = kind;
  record.state = operation_state::in_flight;
  record.user_data = encode({.magic = test_magic,
                             .what = static_cast<std::uint8_t>(what),
                             .slot = slot,
                             .generation = 7});
}

void live(process_slot& s) {
  s.live = true;
  s.life.start.pidfd = 5;
  for (captured_stream& stream : s.life.streams) {
    stream.fd = 6;
    stream.options.limit = bytes{10};
  }
}

void hold(captured_stream& stream, std::size_t size, std::size_t capacity) {
  ASSERT_TRUE(stream.got.bytes.reserve(capacity));
  std::memset(stream.got.bytes.room().data(), 'x', size);
  stream.got.bytes.commit(size);
}

TEST(MachineCheck, I1_AnOperationInFlightHasTheNameOfItsPlace) {
  for (std::size_t i = 0; i < roles; ++i) {
    operation_table table;
    const auto what = static_cast<role>(i);
    EXPECT_EQ(count_in_flight(table), 0U);
    fly(table, what, operation_kind::read);
    EXPECT_EQ(count_in_flight(table), 1U);
    EXPECT_EQ(words(broken_invariant(table, test_slot, test_magic)), "");
    const std::string other = "I1: an operation in flight has another's name";
    EXPECT_EQ(words(broken_invariant(table, test_slot + 1, test_magic)), other);
    EXPECT_EQ(words(broken_invariant(table, test_slot, test_magic + 1)), other);
    table[what].user_data ^= 1ULL << 48;
    EXPECT_EQ(words(broken_invariant(table, test_slot, test_magic)), other);
    table[what].user_data &= ~0xFFFFFFFFULL;
    table[what].user_data ^= 1ULL << 48;
    EXPECT_EQ(words(broken_invariant(table, test_slot, test_magic)),
              "I1: an operation has a generation");
    table[what].state = operation_state::wanted;
    EXPECT_EQ(words(broken_invariant(table, test_slot, test_magic)), "");
    EXPECT_EQ(count_in_flight(table), 0U);
  }
}

TEST(MachineCheck, P22_AFreeSlotHasNothingInFlight) {
  process_slot s;
  EXPECT_EQ(words(broken_invariant(s)), "");
  fly(s.operations, role::timer, operation_kind::timeout);
  EXPECT_EQ(words(broken_invariant(s)), "a free slot has operations in flight");
  process_slot nameless;
  nameless.generation = 0;
  EXPECT_EQ(words(broken_invariant(nameless)), "a process has a generation");
}

TEST(MachineCheck, I2_ThePidfdIsKeptUntilTheChildIsReaped) {
  process_slot s;
  live(s);
  EXPECT_EQ(words(broken_invariant(s)), "");
  s.life.start.pidfd = 0;
  EXPECT_EQ(words(broken_invariant(s)), "");
  s.life.start.pidfd = -1;
  EXPECT_EQ(words(broken_invariant(s)), "I2: the pidfd is kept until the child is reaped");
  s.life.leader = leader_state::exited;
  EXPECT_EQ(words(broken_invariant(s)), "I2: the pidfd is kept until the child is reaped");
  s.life.leader = leader_state::gone;
  EXPECT_EQ(words(broken_invariant(s)), "");
  fly(s.operations, role::exit, operation_kind::poll);
  EXPECT_EQ(words(broken_invariant(s)), "I2: the pidfd is closed with a poll in flight");
  s.life.start.pidfd = 0;
  EXPECT_EQ(words(broken_invariant(s)), "");
}

TEST(MachineCheck, I4_AReapedChildIsNotSignalled) {
  process_slot s;
  live(s);
  fly(s.operations, role::control, operation_kind::signal);
  EXPECT_EQ(words(broken_invariant(s)), "");
  s.life.leader = leader_state::gone;
  EXPECT_EQ(words(broken_invariant(s)), "I4: a reaped child is signalled");
  s.operations[role::control].kind = operation_kind::reap;
  EXPECT_EQ(words(broken_invariant(s)), "");
}

TEST(MachineCheck, I2_OfTheInput) {
  process_slot s;
  live(s);
  s.life.input.fd = 5;
  fly(s.operations, role::input, operation_kind::poll_to_write);
  EXPECT_EQ(words(broken_invariant(s)), "");
  s.life.input.fd = -1;
  EXPECT_EQ(words(broken_invariant(s)), "I2: the input is closed with a poll in flight");
}

TEST(MachineCheck, I2_I3_I5_OfBothStreams) {
  for (const role what : {role::output, role::errors}) {
    const std::size_t index = what == role::output ? 0 : 1;
    process_slot s;
    live(s);
    captured_stream& stream = s.life.streams[index];
    fly(s.operations, what, operation_kind::read);
    EXPECT_EQ(words(broken_invariant(s)), "");
    stream.fd = -1;
    EXPECT_EQ(words(broken_invariant(s)), "I2: a stream is closed with a read in flight");
    stream.fd = 0;
    hold(stream, 10, 16);
    stream.reading = 6;
    EXPECT_EQ(words(broken_invariant(s)), "");
    stream.reading = 7;
    EXPECT_EQ(words(broken_invariant(s)), "I3: the room of a read in flight has shrunk");
    s.operations[what].kind = operation_kind::poll;
    EXPECT_EQ(words(broken_invariant(s)), "");
    s.operations[what].kind = operation_kind::read;
    s.operations[what].state = operation_state::wanted;
    EXPECT_EQ(words(broken_invariant(s)), "");
    stream.got.bytes.commit(1);
    EXPECT_EQ(words(broken_invariant(s)), "I5: more than the limit");

    process_slot wide;
    live(wide);
    hold(wide.life.streams[index], 10, 10 + (64U << 10));
    EXPECT_EQ(words(broken_invariant(wide)), "");
    hold(wide.life.streams[index], 0, 11 + (64U << 10));
    EXPECT_EQ(words(broken_invariant(wide)), "I5: more memory than the limit and 64 KiB");
  }
}

TEST(MachineCheck, P22_NothingIsLostBetweenTheCounts) {
  process_machine_stats stats;
  stats.live = 2;
  stats.in_flight = 3;
  stats.started = 9;
  stats.finished = 7;
  const slot_counts right{.used = 5, .free = 3, .live = 2, .in_flight = 3};
  EXPECT_EQ(words(broken_invariant(right, stats)), "");
  slot_counts wrong = right;
  wrong.in_flight = 2;
  EXPECT_EQ(words(broken_invariant(wrong, stats)), "the count of operations in flight is wrong");
  wrong = right;
  wrong.live = 1;
  EXPECT_EQ(words(broken_invariant(wrong, stats)), "the count of processes is wrong");
  wrong = right;
  wrong.free = 2;
  EXPECT_EQ(words(broken_invariant(wrong, stats)), "a slot was lost");
  stats.finished = 6;
  EXPECT_EQ(words(broken_invariant(right, stats)), "a process was lost");
}

/// The hash of a slot after a change.
template <class Change>
std::uint64_t hash_after(Change change) {
  process_slot s;
  live(s);
  hold(s.life.streams[0], 2, 16);
  hold(s.life.streams[1], 2, 16);
  change(s);
  hasher h;
  h.add(s);
  return h.hash();
}

TEST(MachineDigest, P22_EveryFieldOfALifeCounts) {
  const std::uint64_t hashes[] = {
      hash_after([](process_slot&) {}),
      hash_after([](process_slot& s) { s.live = false; }),
      hash_after([](process_slot& s) { s.listed = true; }),
      hash_after([](process_slot& s) { s.generation = 2; }),
      hash_after([](process_slot& s) { s.life.leader = leader_state::gone; }),
      hash_after([](process_slot& s) { s.life.stop = stop_state::killing; }),
      hash_after([](process_slot& s) { s.life.ended_by = process_ending::limit; }),
      hash_after([](process_slot& s) { s.life.asked = process_ending::limit; }),
      hash_after([](process_slot& s) { s.life.over = true; }),
      hash_after([](process_slot& s) { s.life.group_killed = true; }),
      hash_after([](process_slot& s) { s.life.status.how = exit_status::kind::exited; }),
      hash_after([](process_slot& s) { s.life.status.core_dumped = true; }),
      hash_after([](process_slot& s) { s.life.status.code = 1; }),
      hash_after([](process_slot& s) { s.life.signal_wanted = 1; }),
      hash_after([](process_slot& s) { s.life.signal_in_flight = 1; }),
      hash_after([](process_slot& s) { s.life.signal_error = 1; }),
      hash_after([](process_slot& s) { s.life.signal_tries = 1; }),
      hash_after([](process_slot& s) { s.life.timeout_at = 1; }),
      hash_after([](process_slot& s) { s.life.grace_at = 1; }),
      hash_after([](process_slot& s) { s.life.drain_at = 1; }),
      hash_after([](process_slot& s) { s.life.drains_again = true; }),
      hash_after([](process_slot& s) { s.life.tries = 1; }),
      hash_after([](process_slot& s) { s.life.retry_at = 1; }),
      hash_after([](process_slot& s) { s.life.armed_at = 1; }),
      hash_after([](process_slot& s) { s.life.timer_failures = 1; }),
      hash_after([](process_slot& s) { s.life.start.pidfd = 4; }),
      hash_after([](process_slot& s) { s.life.closing = 1; }),
      hash_after([](process_slot& s) { s.life.input.fd = 1; }),
      hash_after([](process_slot& s) { s.life.input.wanted = true; }),
      hash_after([](process_slot& s) { s.life.input.ended = true; }),
      hash_after([](process_slot& s) { s.life.input.tries = 1; }),
      hash_after([](process_slot& s) { s.life.input.retry_at = 1; }),
  };
  EXPECT_EQ(std::set<std::uint64_t>(std::begin(hashes), std::end(hashes)).size(),
            std::size(hashes));
}

TEST(MachineDigest, P22_EveryFieldOfAStreamCounts) {
  std::set<std::uint64_t> hashes;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto with = [&hashes, i](auto change) {
      hashes.insert(hash_after([change, i](process_slot& s) { change(s.life.streams[i]); }));
    };
    with([](captured_stream& s) { s.fd = 1; });
    with([](captured_stream& s) { s.readable = true; });
    with([](captured_stream& s) { s.ended = true; });
    with([](captured_stream& s) { s.reading = 1; });
    with([](captured_stream& s) { s.after = 1; });
    with([](captured_stream& s) { s.tries = 1; });
    with([](captured_stream& s) { s.retry_at = 1; });
    with([](captured_stream& s) { s.got.truncated = truncation::limit; });
    with([](captured_stream& s) { s.got.error_number = 1; });
    with([](captured_stream& s) { s.got.discarded = 1; });
    with([](captured_stream& s) { EXPECT_TRUE(s.got.bytes.reserve(17)); });
    with([](captured_stream& s) { s.got.bytes.truncate(1); });
    with([](captured_stream& s) {
      s.got.bytes.truncate(1);
      s.got.bytes.room().front() = std::byte{'y'};
      s.got.bytes.commit(1);
    });
  }
  EXPECT_EQ(hashes.size(), 26U);
}

TEST(MachineDigest, P22_EveryFieldOfAnOperationCounts) {
  std::set<std::uint64_t> hashes;
  for (std::size_t i = 0; i < roles; ++i) {
    const auto with = [&hashes, i](auto change) {
      hashes.insert(hash_after([change, i](process_slot& s) { change(s.operations.records[i]); }));
    };
    with([](operation_record& o) { o.user_data = 1; });
    with([](operation_record& o) { o.target = 1; });
    with([](operation_record& o) { o.state = operation_state::wanted; });
    with([](operation_record& o) { o.kind = operation_kind::close; });
    with([](operation_record& o) { o.unwanted = true; });
    with([](operation_record& o) { o.cancel_answered = true; });
    with([](operation_record& o) { o.cancels = 1; });
  }
  EXPECT_EQ(hashes.size(), 7 * roles);
}

TEST(MachineDigest, P22_TheTimeAndTheWakeCount) {
  const auto made = process_machine::create({.processes_max = 1, .wake_fd = 60}).value();
  process_machine& machine = *made;
  const std::uint64_t first = machine.digest();
  machine.tick(time_of(1));
  const std::uint64_t second = machine.digest();
  EXPECT_NE(first, second);
  EXPECT_EQ(machine.digest(), second);
  ASSERT_NE(machine.next(), nullptr);
  EXPECT_EQ(machine.digest(), second) << "next() changes nothing";
  machine.shut_down();
  EXPECT_NE(machine.digest(), second) << "the wake is not requested";
}

}  // namespace
}  // namespace bast
