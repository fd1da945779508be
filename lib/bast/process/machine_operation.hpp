// SPDX-License-Identifier: Apache-2.0
//
// `operation`: a request of a process machine. Its name, user_data, is
//
//   magic (8) | role (8) | slot (16) | generation (32)
//
// with a separate generation for each operation, so that the name alone identifies a completion
// that is late, repeated or foreign (P-21, P-22).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <bast/config.hpp>

#include <cstddef>
#include <cstdint>

#include "bast/cancel.hpp"

namespace bast::inline BAST_ABI {

/// The first five are asynchronous: the kernel completes them later. `perform` does the others at
/// once.
enum class operation_kind : std::uint8_t {
  read,           // read at most `length` bytes from `fd` to `buffer`; completes with their number
  poll,           // wait until `fd` is readable or hung up; completes with the events, above 0
  timeout,        // wait until `deadline`; completes with -ETIME
  cancel,         // cancel `target`, which completes separately, in any way
  poll_to_write,  // as poll, until `fd` is writable or its reader is gone
  observe,        // check whether the child has exited, without reaping it: 1, or 0 if it runs
  reap,           // reap the orphans in `group` that we adopted, then the exited child: 1
  signal,         // send `signal` to `fd` and, if the child exists, to `group`
  close,          // close `fd`
  members,        // check whether `group` has a living member besides its leader: 1, or 0
};
constexpr bool is_immediate(operation_kind kind) { return kind >= operation_kind::observe; }

/// A time of CLOCK_MONOTONIC in the kernel's format (struct __kernel_timespec).
struct operation_deadline {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

/// The result of waitid.
struct child_exit {
  int code;    // CLD_EXITED, CLD_KILLED, CLD_DUMPED
  int status;  // the exit code, or the signal
  struct rusage usage;
};

/// Pointers stay valid, and their targets unchanged, until the operation completes (IO-3).
struct machine_operation {
  operation_kind kind = operation_kind::read;
  std::uint64_t user_data = 0;
  int fd = -1;                                   // cancel: its target's
  std::byte* buffer = nullptr;                   // read
  std::uint32_t length = 0;                      // read
  time_point due = never;                        // timeout
  const operation_deadline* deadline = nullptr;  // timeout, `due` for the kernel
  std::uint64_t target = 0;                      // cancel
  operation_kind target_kind = operation_kind::read;
  child_exit* exit = nullptr;  // observe, reap
  int signal = 0;              // signal
  pid_t group = 0;             // reap, signal, members; 0: only the child itself
};

namespace internal {

/// A deadline, as a machine counts: in nanoseconds.
inline constexpr std::int64_t never_ns = nanoseconds_of(never);

/// The operation of a slot. At most one of each role is in flight.
enum class role : std::uint8_t {
  output,
  errors,
  exit,
  timer,
  input,
  // A cancel for each of the above.
  cancel_output,
  cancel_errors,
  cancel_exit,
  cancel_timer,
  cancel_input,
  control,  // observe, signal, members, reap: one at a time
  close,
};
inline constexpr std::size_t roles = 12;
inline constexpr std::size_t cancellable_roles = 5;

constexpr role cancel_of(role r) {
  return static_cast<role>(static_cast<std::size_t>(r) + cancellable_roles);
}

/// The next generation. 0 means none.
constexpr std::uint32_t next_generation(std::uint32_t generation) {
  return generation + 1 == 0 ? 1 : generation + 1;
}

/// The slot number of operations of no process: those on wake_fd.
inline constexpr std::uint16_t wake_slot = 0xFFFF;

struct operation_name {
  std::uint8_t magic;
  std::uint8_t what;  // a role; may be out of range
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
