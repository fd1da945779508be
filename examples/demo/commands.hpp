// SPDX-License-Identifier: Apache-2.0
//
// The second half of the demo: hundreds of real programs at once, supervised by one thread.
//
//   the list --job--> run commands (64 coroutines) --command--> the loop --result--> the tally
//
// A coroutine takes the next job, runs it, and judges the result; while it waits, the others
// continue. The number of coroutines, 64, bounds the number of processes.
#pragma once

#include <array>
#include <bast/coro.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "job.hpp"
#include "loop.hpp"

namespace demo {

inline constexpr std::size_t commands_at_once = 64;

/// The results.
struct tally {
  std::string loop;
  double seconds = 0;
  std::vector<std::array<std::size_t, outcomes>> ended;  // by kind
  std::uint64_t captured = 0;                            // bytes
  std::uint64_t discarded = 0;
  std::size_t missing = 0;  // commands of a kind that is missing here
  std::size_t peak_processes = 0;
  std::size_t fds_before = 0;
  std::size_t fds_peak = 0;  // observed between the turns of the loop
  std::size_t fds_after = 0;
  bool left_a_child = false;
  std::vector<std::string> problems;  // unexpected ends
};

/// Runs every kind of job. Throws std::runtime_error if there is no loop or no stack.
tally run_commands(const std::vector<std::string>& files);

void print_tally(const tally& all);

}  // namespace demo
