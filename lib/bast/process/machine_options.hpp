// SPDX-License-Identifier: Apache-2.0
//
// What a process machine is told: once about itself, and of each process that it follows.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "bast/base.hpp"
#include "bast/os.hpp"
#include "bast/process/options.hpp"
#include "bast/process/result.hpp"

namespace bast::inline BAST_ABI {

/// A process of a machine. A value: copied freely, stale once the process has ended.
struct process_id {
  std::uint16_t slot = 0;
  std::uint32_t generation = 0;  // never 0 in the id of a process
  friend bool operator==(process_id, process_id) = default;
};

enum class output_stream : std::uint8_t { output, errors };

/// Takes the end of a process. Called once for each, from inside `complete` or `tick`, when the
/// machine has forgotten the process already: it may start the next one.
using process_finished = void (*)(void* context, process_id id, process_result&& result) noexcept;

/// A running child, with descriptor numbers: the machine makes no kernel call, so it owns no
/// descriptor. From a successful `start` on, each descriptor must stay open until the machine asks,
/// once, to close it.
struct process_start : process_policy {
  pid_t pid = -1;
  int pidfd = -1;
  int output_pipe = -1;  // our ends, O_NONBLOCK; -1: not captured
  int errors_pipe = -1;
  process_finished finished = nullptr;
  void* context = nullptr;
};

/// The same for a driver, which owns and closes the descriptors.
struct process_child : process_policy {
  pid_t pid = -1;
  os::descriptor pidfd;
  os::descriptor output_pipe;  // our ends, O_NONBLOCK; empty: not captured
  os::descriptor errors_pipe;
  process_finished finished = nullptr;
  void* context = nullptr;
};

/// Who keeps the machine's time.
enum class machine_timers : std::uint8_t {
  operations,  // `timeout` operations; `tick` only tells the time
  ticks,       // the host calls `tick` when `next_deadline` has come
};

struct process_machine_options {
  std::size_t processes_max = 256;  // at once; at most 65535
  /// The first byte of every user_data, so that a ring can be shared. Two machines on one ring need
  /// two.
  std::uint8_t magic = 0xBA;
  machine_timers timers = machine_timers::operations;
  /// An eventfd (EFD_NONBLOCK) that stays the host's: becoming readable makes the machine look for
  /// what other threads asked. -1: none; what they asked is then seen at the next `tick`.
  int wake_fd = -1;
};

/// Counts since the machine was made, and of what is there.
struct process_machine_stats {
  std::size_t live = 0;
  std::size_t peak = 0;  // most live ones at once
  std::size_t in_flight = 0;
  std::uint64_t started = 0;
  std::uint64_t finished = 0;
  std::uint64_t ignored_foreign = 0;  // completions with another magic
  std::uint64_t ignored_unknown = 0;  // of a slot or an operation that does not exist
  std::uint64_t ignored_stale = 0;    // of an operation that is not in flight: late, or twice
  std::uint64_t refusals = 0;         // operations that the host had no room for, and took later
  std::uint64_t unreaped = 0;         // waitid failed for so long that a zombie was left
};

}  // namespace bast::inline BAST_ABI
