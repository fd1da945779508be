// SPDX-License-Identifier: Apache-2.0
//
// bast-stacks from its command line to its exit status.
#pragma once

#include <string>
#include <vector>

namespace bast_stacks {

/// `words`: the command line without the program's name. Data goes to standard output, everything
/// else to standard error. Returns the exit status, see words.cpp.
int run_bast_stacks(std::vector<std::string> words);

}  // namespace bast_stacks
