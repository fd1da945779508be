// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <numeric>

#include "report.hpp"

namespace demo {

void print_tally(const tally& all, const run_facts& facts) {
  const auto kinds = job_kinds();
  std::size_t count = 0;
  for (const auto& row : all.ended) count += std::accumulate(row.begin(), row.end(), 0UZ);
  std::printf("\n%zu commands, up to %zu at a time, run by fibers of %zu workers in %.1f s\n\n",
              count, all.processes.peak(), facts.workers, all.seconds);

  std::printf("%-38s %7s %9s %9s %7s %11s\n", "command", "exited", "timed out", "cancelled",
              "limit", "not started");
  constexpr std::array<int, outcomes> widths{7, 9, 9, 7, 11};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    int skipped = 38 - std::printf("%s", kinds[i].title);
    for (std::size_t o = 0; o < outcomes; ++o) {
      const std::size_t n = all.ended[i][o];
      if (n != 0) std::printf("%*s %*zu", skipped, "", widths[o], n);
      skipped = n != 0 ? 0 : skipped + 1 + widths[o];
    }
    std::printf("\n");
  }
  if (all.missing != 0) {
    std::printf("There is no file(1) here: %zu commands were left out.\n", all.missing);
  }

  std::printf("\n%-32s %12s\n", "output captured", size(all.captured).c_str());
  std::printf("%-32s %12s\n", "read and dropped, by choice", size(all.discarded).c_str());
  std::printf("%-32s %12zu   %zu before, %zu after\n", "descriptors open (peak)",
              all.descriptors.peak(), all.fds_before, all.fds_after);
  std::printf("%-32s %12s\n", "children left", all.left_a_child ? "some" : "none");
  for (const std::string& problem : all.problems) {
    std::printf("  not as expected: %s\n", problem.c_str());
  }
}

}  // namespace demo
