// SPDX-License-Identifier: Apache-2.0
//
// Shared by the benchmarks of several threads: where threads run. bench/run pins a program to one
// processor. If a change is refused, threads share a processor, and the spread shows it.
#pragma once

#include <benchmark/benchmark.h>
#include <sched.h>

#include <cstddef>
#include <optional>

namespace bench {

/// This thread, and those that it starts from here on, may run on all processors.
inline void use_all_processors() {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) CPU_SET(i, &all);
  (void)::sched_setaffinity(0, sizeof all, &all);
}

enum class processor { first, last };

/// Pins this thread to the first or the last processor of the machine.
inline void move_to(processor wanted) {
  use_all_processors();
  cpu_set_t all;
  CPU_ZERO(&all);
  (void)::sched_getaffinity(0, sizeof all, &all);
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &all) && (wanted == processor::last || !chosen)) chosen = i;
  }
  if (!chosen) return;
  CPU_ZERO(&all);
  CPU_SET(*chosen, &all);
  (void)::sched_setaffinity(0, sizeof all, &all);
}

/// main() of a program whose threads or processes use all processors.
inline int run_on_all_processors(int count, char** words) {
  use_all_processors();
  benchmark::Initialize(&count, words);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace bench
