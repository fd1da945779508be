// SPDX-License-Identifier: Apache-2.0
//
// The state of one process in a process machine. All requests follow from this state
// (process_machine::advance); no pending action is stored.
//
//   leader   running -> readable -> exited -> gone
//                ^---------'  the pidfd was readable, but waitid returns that it still runs
//            (readable: the pidfd; exited: the status was seen; gone: reaped, or lost)
//   stop     none -> terminating -> killing             (only while it runs)
//   stream   open -> ended -> closed
//
//   I1  At most one operation of each role is in flight; it has the name in its record.
//   I2  A descriptor is closed once, after everything in flight on it has completed.
//   I3  A buffer neither moves nor shrinks while a read into it is in flight.
//   I4  A process group is signalled only while its leader is not reaped (P-11).
//   I5  A captured stream holds at most its limit, and under backpressure overflow_bytes more once
//       the child is gone; always in at most limit + overflow_bytes of memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "bast/process/machine_operation.hpp"
#include "bast/process/machine_options.hpp"
#include "bast/process/result.hpp"

namespace bast::inline BAST_ABI::internal {

enum class operation_state : std::uint8_t {
  idle,
  wanted,     // not handed out; may be dropped at any time
  in_flight,  // the kernel's until it completes
};

struct operation_record {
  std::uint64_t user_data = 0;  // of the operation in flight, or the latest one
  std::uint64_t target = 0;     // of a cancel in flight: the user_data of its target
  operation_state state = operation_state::idle;
  operation_kind kind = operation_kind::read;
  bool unwanted = false;         // in flight, and to be cancelled
  bool cancel_answered = false;  // a cancel completed or was too late: await the target
  std::uint8_t cancels = 0;      // number of cancels sent

  bool idle() const noexcept { return state == operation_state::idle; }
  bool in_flight() const noexcept { return state == operation_state::in_flight; }
};

struct operation_table {
  std::array<operation_record, roles> records = {};
  operation_record& operator[](role r) noexcept { return records[static_cast<std::size_t>(r)]; }
  const operation_record& operator[](role r) const noexcept {
    return records[static_cast<std::size_t>(r)];
  }
  /// Requests an operation, unless one of that role is in flight.
  void want(role r, operation_kind kind) noexcept {
    operation_record& record = (*this)[r];
    if (record.in_flight()) return;
    record.state = operation_state::wanted;
    record.kind = kind;
  }
  /// Requests a cancel of each unwanted operation.
  void want_cancels() noexcept;
};

/// The target of a cancel of this role.
inline operation_record* target_of(operation_table& table, role cancel) noexcept {
  return &table.records[static_cast<std::size_t>(cancel) - cancellable_roles];
}

// A cancel that failed for its own reasons is sent again, up to this limit.
inline constexpr std::uint8_t cancels_max = 8;

inline void operation_table::want_cancels() noexcept {
  for (std::size_t i = 0; i < cancellable_roles; ++i) {
    const operation_record& target = records[i];
    if (!target.in_flight() || !target.unwanted || target.cancel_answered) continue;
    if (target.cancels < cancels_max) want(cancel_of(static_cast<role>(i)), operation_kind::cancel);
  }
}

/// The memory of a capture beyond its limit: for reading discarded bytes and, under backpressure,
/// for what an exited child left in its pipe. The default capacity of a pipe, see pipe(7).
inline constexpr std::size_t overflow_bytes = 64U << 10;

struct captured_stream {
  int fd = -1;
  to::capture options;
  bool readable = false;   // a poll reported it, or the latest read was full
  bool ended = false;      // no further reads
  bool is_last = false;    // the child is gone: its last output is kept if possible
  std::size_t after = 0;   // bytes received since then
  std::uint8_t tries = 0;  // of a failed poll; no retry before retry_at
  std::int64_t retry_at = 0;
  std::uint32_t reading = 0;  // size of the read in flight
  captured_output got;

  bool open() const noexcept { return fd >= 0 && !ended; }
  bool keeps_all() const noexcept { return options.policy == on_limit::backpressure; }
  /// Returns true if it received more than its limit, which is an error.
  bool exceeded() const noexcept {
    return got.truncated == truncation::limit && options.policy != on_limit::truncate_and_drain;
  }
  /// I5: the maximum to keep.
  std::size_t kept_max() const noexcept {
    const std::size_t limit = options.limit.count;
    const bool more = keeps_all() && is_last && !BAST_MUTANT(last_bytes_lost);
    if (!more) return limit;
    return std::min(limit, unlimited_bytes.count - overflow_bytes) + overflow_bytes;
  }
  bool is_full() const noexcept { return got.bytes.size() >= kept_max(); }
  /// The target of the next read. Unchanged while a read is in flight (I3).
  std::span<std::byte> room() noexcept;
  /// Ensures some room. Returns false if there is no memory.
  [[nodiscard]] bool make_room() noexcept;
  /// Accounts for `count` bytes read.
  void received(std::size_t count) noexcept;
  /// Ends the stream early.
  void give_up(truncation why, int error_number) noexcept;
};

/// The pipe to a child's standard input. The host writes to it, and the machine waits until it can.
struct input_stream {
  int fd = -1;
  bool wanted = false;     // the host waits until it can write
  bool ended = false;      // no further writes
  std::uint8_t tries = 0;  // of a failed poll; no retry before retry_at
  std::int64_t retry_at = 0;

  bool open() const noexcept { return fd >= 0 && !ended; }
  bool awaited() const noexcept { return open() && wanted; }
};

enum class leader_state : std::uint8_t { running, readable, exited, gone };
enum class stop_state : std::uint8_t { none, terminating, killing };

/// Reset for each process.
struct process_life {
  process_start start;
  leader_state leader = leader_state::running;
  stop_state stop = stop_state::none;
  process_ending ended_by = process_ending::exited;
  process_ending asked = process_ending::exited;  // the reason why it is to be stopped
  exit_status status;
  child_exit exit = {};
  int signal_wanted = 0;
  int signal_in_flight = 0;
  int signal_error = 0;
  bool group_killed = false;  // SIGKILL was sent to the group
  bool group_gone = false;    // no member left besides the leader, or none that will end
  bool over = false;
  std::uint8_t tries = 0;         // of a failed operation; retried at retry_at
  std::uint8_t signal_tries = 0;  // the same for the requested signal
  std::uint8_t group_tries = 0;   // the same for a group that is not gone
  std::uint8_t timer_failures = 0;
  std::int64_t timeout_at = never_ns;
  std::int64_t grace_at = never_ns;
  std::int64_t drain_at = never_ns;
  bool drains_again = false;         // drain_at passed while the loop was late, and was moved
  std::int64_t retry_at = 0;         // not before
  std::int64_t armed_at = never_ns;  // the timeout in flight or requested
  operation_deadline armed = {};     // the same for the kernel
  std::array<captured_stream, 2> streams = {};  // by output_stream
  input_stream input;
  bool progressed = false;  // and the host is not told yet
  int closing = -1;         // the descriptor to close
};

struct process_slot {
  operation_table operations;
  process_life life;
  std::uint32_t generation = 1;
  bool live = false;
  bool listed = false;  // in the list of slots that request operations
  process_slot* next_listed = nullptr;
  process_slot* next_free = nullptr;  // or, when over, the next one to deliver
};

// A failed operation is retried after 1, 2, 4 .. 64 ms, up to this number of times.
inline constexpr std::uint8_t tries_max = 16;

/// The sum saturates, at any time.
constexpr std::int64_t later(std::int64_t now, std::chrono::nanoseconds by) {
  return by.count() >= never_ns - now ? never_ns : now + by.count();
}

/// The time of the next try; counts the try.
constexpr std::int64_t retry_after(std::int64_t now, std::uint8_t& tries) {
  constexpr std::int64_t first_ns = 1'000'000;
  constexpr int doublings_max = 6;
  const int doublings = tries < doublings_max ? tries : doublings_max;
  if (tries < tries_max) ++tries;
  return later(now, std::chrono::nanoseconds(first_ns << doublings));
}

/// The error of an operation on a machine in a forked child.
std::unexpected<error> failed_forked(static_string operation) noexcept;

constexpr std::size_t index_of(output_stream which) { return static_cast<std::size_t>(which); }

}  // namespace bast::inline BAST_ABI::internal
