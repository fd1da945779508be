// SPDX-License-Identifier: Apache-2.0
//
// The commands of the demo: what each kind runs, how it should end, and how to check its result.
#pragma once

#include <array>
#include <bast/process.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace demo {

/// How a command ended. The first four are those of bast::process_ending.
enum class outcome { exited, timed_out, cancelled, limit, not_started };
inline constexpr std::size_t outcomes = 5;

struct job_kind {
  const char* title;
  std::size_t count;  // 0: one for each file
  outcome expected;
  /// The command. `path` is a file, for kinds that take one.
  bast::command (*make)(const std::string& path);
  /// Returns true if the result is right, beyond its outcome.
  bool (*is_right)(const bast::process_result& result, const std::string& path);
  bool cancellable = false;
  /// It may be missing on a small system.
  bool may_be_missing = false;
};

std::span<const job_kind> job_kinds();

struct job {
  std::size_t kind = 0;
  std::string path;
};

/// All jobs, the kinds mixed, in the same order on each run.
std::vector<job> make_jobs(const std::vector<std::string>& files);

/// Regular files below `directory`, at most `most`, with names that no program quotes.
std::vector<std::string> some_files(const std::string& directory, std::size_t most);

}  // namespace demo
