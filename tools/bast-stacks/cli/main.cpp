// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "cli/program.hpp"

int main(int count, char** words) {
  // A reader of our output may stop early: that is not an error, and our parent may have ignored
  // SIGPIPE.
  std::signal(SIGPIPE, SIG_DFL);
  return bast_stacks::run_bast_stacks({words + (count > 0 ? 1 : 0), words + count});
}
