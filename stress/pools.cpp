// SPDX-License-Identifier: Apache-2.0
//
// Threads that each run pool programs on their own pools. They share the registry, the directory,
// the process's budget and the fault handler.
#include <atomic>

#include "bast/testing/joined_thread.hpp"
#include "storm.hpp"

namespace bast::stress {

std::string pools(run& r) {
  model::warm_up();
  const books before;
  const char* const target = r.planted("canary") ? "canary" : "pool";
  std::atomic<std::uint64_t> programs = 0;
  {
    std::vector<test::joined_thread> workers;
    for (unsigned n = 0; n < thread_count(); ++n) {
      workers.emplace_back([&, n] { programs += storm(r, target, r.random(n)); });
    }
  }
  before.balance(r);
  return std::to_string(programs) + " programs on " + std::to_string(thread_count()) + " threads";
}

}  // namespace bast::stress
