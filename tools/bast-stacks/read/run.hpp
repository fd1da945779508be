// SPDX-License-Identifier: Apache-2.0
//
// Starting a program with its registry in a file of ours: no right to trace it is needed, and the
// registry is still there when the program is not.
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
  int status = 0;  // of the program; 128 + its number when a signal ended it
  snapshot seen;
  /// Of its forked children, of what it became by exec, and of further copies of the library in it.
  /// To be united with `seen` when their frames have names.
  std::vector<snapshot> others = {};
};

/// Runs `argv` with our standard streams and environment, and BAST_WATCH=fd:N in addition. Waits
/// for its end, through interrupts from the terminal too, which are the program's business. Looks
/// at it from time to time meanwhile, for what a registry does not hold: its modules, how many
/// stacks are live. Errors: it cannot be started; or it made no pool, then with its own status if
/// that is not 0: whoever started it through us must learn that it failed.
std::expected<run_result, problem> run_program(const std::vector<std::string>& argv,
                                               const run_options& options);

}  // namespace bast_stacks
