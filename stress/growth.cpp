// SPDX-License-Identifier: Apache-2.0
//
// Threads that all grow stacks at the same time, by fault and on request.
#include <atomic>

#include "bast/testing/joined_thread.hpp"
#include "storm.hpp"

namespace bast::stress {

std::string growth(run& r) {
  model::warm_up();
  const books before;
  if (r.planted("charge")) (void)process_stack_budget().charge(os::page_bytes());
  std::atomic<std::uint64_t> programs = 0;
  {
    std::vector<test::joined_thread> workers;
    for (unsigned n = 0; n < thread_count(); ++n) {
      workers.emplace_back([&, n] { programs += storm(r, "growth", r.random(n)); });
    }
  }
  before.balance(r);
  return std::to_string(programs) + " programs on " + std::to_string(thread_count()) + " threads";
}

}  // namespace bast::stress
