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
  bool live_stacks = true;   // find out how deep they are
  bool children = true;      // name forked children of a process, which are not looked at
  std::string program = {};  // executable of a core, if not the recorded one
};

/// A running process. It is neither stopped nor made to touch a page, and need not help.
/// Errors: no such process, no right to read it and no socket, no bast in it, no pool yet, a
/// registry of another version; it ended meanwhile.
std::expected<snapshot, problem> open_process(pid_t pid, const open_options& options);

/// Errors: no such file, no core, no bast in it, no registry in what was dumped.
std::expected<snapshot, problem> open_core(const std::string& path, const open_options& options);

/// A process by its number, or a file, which tells itself whether it is a core or a recording.
/// A file whose name is a number is written ./7.
std::expected<snapshot, problem> open_any(std::string_view what, const open_options& options);

}  // namespace bast_stacks
