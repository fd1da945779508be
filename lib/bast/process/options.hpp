// SPDX-License-Identifier: Apache-2.0
//
// What a user of `command` chooses, and what it is told when a start failed.
#pragma once

#include <chrono>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/process/spawn_stage.hpp"

namespace bast::inline BAST_ABI {

/// What happens to a process whose captured output reaches the limit (law P-16).
enum class on_limit : std::uint8_t {
  error_and_kill,      // the process is stopped, and the result says so
  truncate_and_drain,  // the rest is read and dropped
  backpressure,        // nothing more is read: the process waits in write(2). What it leaves in the
                       // pipe at its end is read, up to 64 KiB beyond the limit
};

struct capture_options {
  bytes limit = {std::size_t{16} << 20};
  on_limit policy = on_limit::error_and_kill;
};

/// How a running child is supervised: set by a command, applied by a machine.
struct process_policy {
  bool own_group = false;           // it leads a process group of its own
  bool kill_group_on_exit = false;  // what is left of that group is killed when it exits
  capture_options output;
  capture_options errors;
  /// From the start on; nanoseconds::max() and whatever overflows is forever.
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds grace = std::chrono::seconds(5);  // between SIGTERM and SIGKILL
  std::chrono::nanoseconds drain_grace = std::chrono::milliseconds(250);  // P-13
};

/// "chdir" and so on. Never null.
const char* name_of(spawn_stage stage) noexcept;

/// Why the latest start failed (law P-8).
struct spawn_failure {
  spawn_stage stage = spawn_stage::none;
  int error_number = 0;  // the errno, or 0 where no kernel call failed
};

}  // namespace bast::inline BAST_ABI
