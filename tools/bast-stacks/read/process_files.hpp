// SPDX-License-Identifier: Apache-2.0
//
// Where to read the files of a process. In a container, or with another root directory, its paths
// name other files here, or none; /proc/PID/root leads to its own.
#pragma once

#include <sys/types.h>

#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// Fills `here` of the modules whose path is another file here than for the process. Needs the
/// right to trace it; without it nothing is filled, and a wrong file is detected later by its build
/// id.
void find_files_here(pid_t pid, std::vector<module>& modules);

}  // namespace bast_stacks
