// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "cli/program.hpp"

int main(int count, char** words) {
  // Whoever reads our output may stop reading: that is no error, and whoever started us may have
  // ignored the signal that says so.
  std::signal(SIGPIPE, SIG_DFL);
  return bast_stacks::run_bast_stacks({words + (count > 0 ? 1 : 0), words + count});
}
