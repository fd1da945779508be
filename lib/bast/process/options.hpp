// SPDX-License-Identifier: Apache-2.0
//
// What a user of `command` chooses, and what it is told when a start failed.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/process/spawn_stage.hpp"
#include "bast/process/streams.hpp"

namespace bast::inline BAST_ABI {

/// How a running child is supervised: set by a command, applied by a machine.
struct process_policy {
  bool own_group = false;           // it leads a process group of its own
  bool kill_group_on_exit = false;  // what is left of that group is killed when it exits
  to::capture output;
  to::capture errors;
  /// From the start on; nanoseconds::max() and whatever overflows is forever.
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  int stop_signal = SIGTERM;  // the first that it is sent; SIGKILL after the grace
  std::chrono::nanoseconds grace = std::chrono::seconds(5);
  std::chrono::nanoseconds drain_grace = std::chrono::milliseconds(250);  // P-13
};

/// "chdir" and so on. Never null.
const char* name_of(spawn_stage stage) noexcept;

/// Why the latest start failed (law P-8).
struct spawn_failure {
  spawn_stage stage = spawn_stage::none;
  int error_number = 0;  // the errno, or 0 where no kernel call failed
  // What of the command it was about: the setter, "cwd" say, or null where there is no single one.
  const char* setter = nullptr;
};

}  // namespace bast::inline BAST_ABI
