// SPDX-License-Identifier: Apache-2.0
//
// The second half of the demo: hundreds of real programs at once, followed by one thread.
//
//   the list --job--> run commands (64 coroutines) --command--> the loop --result--> the tally
//
// A coroutine takes the next job, runs it, and judges the result; while it waits, the others go on.
// That there are 64 of them is what bounds how many processes there are.
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

/// What came of it all.
struct tally {
  std::string loop;
  double seconds = 0;
  std::vector<std::array<std::size_t, outcomes>> ended;  // by kind
  std::uint64_t captured = 0;                            // bytes
  std::uint64_t discarded = 0;
  std::size_t missing = 0;  // commands of a kind that may be missing, and is
  std::size_t peak_processes = 0;
  std::size_t fds_before = 0;
  std::size_t fds_peak = 0;  // as seen between the turns of the loop
  std::size_t fds_after = 0;
  bool left_a_child = false;
  std::vector<std::string> problems;  // whatever did not end as it should
};

/// Runs every kind of job. Throws std::runtime_error when there is no loop or no stack to be had.
tally run_commands(const std::vector<std::string>& files);

void print_tally(const tally& all);

}  // namespace demo
