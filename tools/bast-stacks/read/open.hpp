// SPDX-License-Identifier: Apache-2.0
//
// Snapshots of processes, core files and recordings.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>

#include "model/snapshot.hpp"

namespace bast_stacks {

struct open_options {
  bool live_stacks = true;   // measure their depths
  bool children = true;      // name the forked children of a process; they are not read
  std::string program = {};  // the executable of a core, if not the recorded one
};

/// A running process. It is not stopped, no page of it is touched, and it need not cooperate.
/// Errors: no such process, no right to read it and no socket, no bast in it, no pool yet, a
/// registry of another version; it ended meanwhile.
std::expected<snapshot, problem> open_process(pid_t pid, const open_options& options);

/// Errors: no such file, not a core, no bast in it, no registry in the dump.
std::expected<snapshot, problem> open_core(const std::string& path, const open_options& options);

/// A process by its number, or a file, whose content shows whether it is a core or a recording. A
/// file whose name is a number is written ./7.
std::expected<snapshot, problem> open_any(std::string_view what, const open_options& options);

}  // namespace bast_stacks
