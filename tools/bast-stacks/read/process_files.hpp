// SPDX-License-Identifier: Apache-2.0
//
// Where the files of a process can be read. A process in a container, or with a root of its own,
// calls a file by a path that is another file here, or none; /proc/PID/root leads to its own.
#pragma once

#include <sys/types.h>

#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Fills `here` of the modules whose path is another file here than for the process. Takes the
/// right to trace it; without, nothing is filled, and the build id says later that a file is wrong.
void find_files_here(pid_t pid, std::vector<module>& modules);

}  // namespace bast_stacks
