// SPDX-License-Identifier: Apache-2.0
//
// `operation`: one thing that a process machine wants done. What it is named by, its user_data, is
//
//   magic (8) | role (8) | slot (16) | generation (32)
//
// with a generation of its own for each operation, so that a completion that comes late, twice or
// from nowhere is recognised by its name alone (P-21, P-22).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <bast/config.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace bast::inline BAST_ABI {

/// The first four are asynchronous: the kernel completes them some time. The others are done on the
/// spot, by `perform`.
enum class operation_kind : std::uint8_t {
  read,     // read `length` bytes at most from `fd` to `buffer`; completes with their number
  poll,     // wait until `fd` is readable or hung up; completes with the events, above 0
  timeout,  // wait until `deadline`; completes with -ETIME
  cancel,   // cancel `target`, which completes by itself, in whatever way
  observe,  // look whether the child has exited, and leave it there: 1, or 0 when it runs
  reap,     // take the exited child away, before it what it left to us in `group`: 1
  signal,   // send `signal` to `fd` and, if the child is there, to `group`
  close,    // close `fd`
  members,  // look whether `group` has a living member besides its leader: 1, or 0 when it has none
};
constexpr bool is_immediate(operation_kind kind) { return kind >= operation_kind::observe; }

/// An instant of CLOCK_MONOTONIC as the kernel reads it (struct __kernel_timespec).
struct operation_deadline {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

/// What waitid tells.
struct child_exit {
  int code;    // CLD_EXITED, CLD_KILLED, CLD_DUMPED
  int status;  // the exit code, or the signal
  struct rusage usage;
};

/// Never is a deadline too.
inline constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max();

/// What pointers point to stays as it is until the operation completes (IO-3).
struct operation {
  operation_kind kind = operation_kind::read;
  std::uint64_t user_data = 0;
  int fd = -1;                                   // of a cancel: its target's
  std::byte* buffer = nullptr;                   // read
  std::uint32_t length = 0;                      // read
  std::int64_t deadline_ns = never_ns;           // timeout, CLOCK_MONOTONIC
  const operation_deadline* deadline = nullptr;  // timeout, the same
  std::uint64_t target = 0;                      // cancel
  operation_kind target_kind = operation_kind::read;
  child_exit* exit = nullptr;  // observe, reap
  int signal = 0;              // signal
  pid_t group = 0;             // reap, signal, members; 0: only the child itself
};

namespace internal {

/// Which operation of a slot. There is at most one of each in flight.
enum class role : std::uint8_t {
  output,
  errors,
  exit,
  timer,
  // A cancel for each of them.
  cancel_output,
  cancel_errors,
  cancel_exit,
  cancel_timer,
  control,  // observe, signal, members, reap: one at a time
  close,
};
inline constexpr std::size_t roles = 10;
inline constexpr std::size_t cancellable_roles = 4;

constexpr role cancel_of(role r) {
  return static_cast<role>(static_cast<std::size_t>(r) + cancellable_roles);
}

/// The generation after this one. 0 is none.
constexpr std::uint32_t next_generation(std::uint32_t generation) {
  return generation + 1 == 0 ? 1 : generation + 1;
}

/// The slot number of the operations that belong to no process: those on wake_fd.
inline constexpr std::uint16_t wake_slot = 0xFFFF;

struct operation_name {
  std::uint8_t magic;
  std::uint8_t what;  // a role, whatever number that is
  std::uint16_t slot;
  std::uint32_t generation;
};

constexpr std::uint64_t encode(operation_name name) {
  return std::uint64_t{name.magic} << 56 | std::uint64_t{name.what} << 48 |
         std::uint64_t{name.slot} << 32 | name.generation;
}
constexpr operation_name decode(std::uint64_t user_data) {
  return {.magic = static_cast<std::uint8_t>(user_data >> 56),
          .what = static_cast<std::uint8_t>(user_data >> 48),
          .slot = static_cast<std::uint16_t>(user_data >> 32),
          .generation = static_cast<std::uint32_t>(user_data)};
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
