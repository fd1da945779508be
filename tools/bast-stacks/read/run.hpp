// SPDX-License-Identifier: Apache-2.0
//
// Runs a program with its registry in a file of ours: needs no right to trace it, and the registry
// outlives the program.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

struct run_options {
  bool deepest = false;  // every new page is a growth, see bast::watch::mode_deepest
};

struct run_result {
  int status = 0;  // of the program; 128 + the number of the signal that ended it
  snapshot seen;
  /// Of its forked children, of programs that it became by exec, and of further copies of the
  /// library in it. To be united with `seen` once their frames have names.
  std::vector<snapshot> others = {};
};

/// Runs `argv` with our standard streams and environment plus BAST_WATCH=fd:N. Waits for its end,
/// also through interrupts from the terminal, which the program handles. Looks at it repeatedly for
/// data that the registry lacks: its modules, the number of live stacks. Errors: it cannot be
/// started; it made no pool, then with its own status if that is not 0, so that the caller learns
/// of its failure.
std::expected<run_result, problem> run_program(const std::vector<std::string>& argv,
                                               const run_options& options);

}  // namespace bast_stacks
