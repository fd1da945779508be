// SPDX-License-Identifier: Apache-2.0
//
// The second half of the demo: hundreds of real programs.
//
//   the list --job--> run commands (64 fibers) --command--> driver_here() --result--> the tally
//
// A fiber takes the next job, runs it, and judges the result; while it waits, the others of its
// worker continue. The number of fibers, 64, bounds the number of processes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "job.hpp"
#include "memory.hpp"

namespace demo {

inline constexpr std::size_t commands_at_once = 64;

/// The results.
struct tally {
  double seconds = 0;
  std::vector<std::array<std::size_t, outcomes>> ended;  // by kind
  std::uint64_t captured = 0;                            // bytes
  std::uint64_t discarded = 0;
  std::size_t missing = 0;  // commands of a kind that is missing here
  std::size_t fds_before = 0;
  std::size_t fds_after = 0;
  bool left_a_child = false;
  std::vector<std::string> problems;  // unexpected ends
  gauge processes;
  gauge descriptors;  // looked at before each command
  std::mutex lock;    // of the others
};

/// Runs every kind of job on so many workers. Throws std::runtime_error if there is no runtime.
void run_commands(const std::vector<std::string>& files, std::size_t workers, tally& all);

}  // namespace demo
