// SPDX-License-Identifier: Apache-2.0
//
// The input of a process machine: its options, and the start of each process.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "bast/base.hpp"
#include "bast/os.hpp"
#include "bast/process/options.hpp"
#include "bast/process/result.hpp"

namespace bast::inline BAST_ABI {

/// Identifies a process of a machine. A value: freely copyable, stale once the process has ended.
struct process_id {
  std::uint16_t slot = 0;
  std::uint32_t generation = 0;  // never 0 in the id of a process
  friend bool operator==(process_id, process_id) = default;
};

enum class output_stream : std::uint8_t { output, errors };

/// Receives the end of a process. Called once for each, from inside `complete` or `tick`, after the
/// machine has released the process: it may start the next one.
using process_finished = void (*)(void* context, process_id id, process_result&& result) noexcept;

/// Learns that a captured stream has bytes or has ended, or that what `want_input` asked for is
/// there. Called from inside `complete`, before `process_finished`; it must not call the machine.
using process_progress = void (*)(void* context, process_id id) noexcept;

/// Whom a process tells; null: nobody.
struct process_follower {
  process_finished finished = nullptr;
  void* context = nullptr;
  process_progress progress = nullptr;
};

/// A running child, as descriptor numbers: the machine makes no kernel call, so it owns no
/// descriptors. After a successful `start` each descriptor must stay open until the machine
/// requests its close, once.
struct process_start : process_policy, process_follower {
  pid_t pid = -1;
  int pidfd = -1;
  int output_pipe = -1;  // our ends, O_NONBLOCK; -1: not captured
  int errors_pipe = -1;
  int input_pipe = -1;  // our end, O_NONBLOCK; -1: not ours to write to
};

/// The same for a driver, which owns and closes the descriptors.
struct process_child : process_policy, process_follower {
  pid_t pid = -1;
  os::descriptor pidfd;
  os::descriptor output_pipe;  // our ends, O_NONBLOCK; empty: not captured
  os::descriptor errors_pipe;
  os::descriptor input_pipe;  // our end, O_NONBLOCK; empty: not ours to write to
};

/// How the machine keeps time.
enum class machine_timers : std::uint8_t {
  operations,  // `timeout` operations; `tick` only reports the time
  ticks,       // the host calls `tick` at `next_deadline`
};

struct process_machine_options {
  std::size_t processes_max = 256;  // at once; at most 65534
  /// The first byte of every user_data, so that a ring can be shared. Two machines on one ring need
  /// different ones.
  std::uint8_t magic = 0xBA;
  machine_timers timers = machine_timers::operations;
  /// An eventfd (EFD_NONBLOCK) of the host. When readable, the machine checks the requests of other
  /// threads. -1: none; it checks them at the next `tick`.
  int wake_fd = -1;
};

/// Counts since init, and of the current state.
struct process_machine_stats {
  std::size_t live = 0;
  std::size_t peak = 0;  // most live processes at one time
  std::size_t in_flight = 0;
  std::uint64_t started = 0;
  std::uint64_t finished = 0;
  std::uint64_t ignored_foreign = 0;  // completions with another magic
  std::uint64_t ignored_unknown = 0;  // of a slot or an operation that does not exist
  std::uint64_t ignored_stale = 0;    // of an operation that is not in flight: late, or twice
  std::uint64_t refusals = 0;         // operations that the host had no room for at first
  std::uint64_t unreaped = 0;         // waitid failed for so long that a zombie was left
};

}  // namespace bast::inline BAST_ABI
