// SPDX-License-Identifier: Apache-2.0
//
// The options of `command`, and the report of a failed start.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>

#include "bast/base.hpp"
#include "bast/process/spawn_stage.hpp"
#include "bast/process/streams.hpp"

namespace bast::inline BAST_ABI {

/// The supervision of a running child: set by a command, applied by a machine.
struct process_policy {
  bool own_group = false;           // it leads its own process group
  bool kill_group_on_exit = false;  // remaining members of that group are killed when it exits
  to::capture output;
  to::capture errors;
  /// From the start on; nanoseconds::max() and anything that overflows means no limit.
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  int stop_signal = SIGTERM;  // the first signal; SIGKILL after the grace
  std::chrono::nanoseconds grace = std::chrono::seconds(5);
  std::chrono::nanoseconds drain_grace = std::chrono::milliseconds(250);  // P-13
};

/// "chdir" and so on. Never null.
const char* name_of(spawn_stage stage) noexcept;

/// Why the latest start failed (law P-8).
struct spawn_failure {
  spawn_stage stage = spawn_stage::none;
  int error_number = 0;  // the errno, or 0 if no kernel call failed
  // The setter that it concerns, for example "cwd", or null if there is no single one.
  const char* setter = nullptr;
};

}  // namespace bast::inline BAST_ABI
