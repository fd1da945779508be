// SPDX-License-Identifier: Apache-2.0
//
// Does an idle runtime wake up? Eight workers have nothing to do while the main fiber sleeps for
// two seconds. The "time" of each benchmark is a number: the voluntary context switches of all
// threads of the process meanwhile, one for each time that a thread went to sleep. One is the
// minimum, since the sleeper has to wake up. The peers: eight plain threads of which one sleeps for
// as long, and Go (go/idle).
#include <sys/resource.h>

#include <bast/sched.hpp>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "processors.hpp"
#include "support.hpp"

namespace {

using namespace std::chrono_literals;
constexpr std::size_t workers = 8;
constexpr auto settling = 200ms;  // The threads have started and sleep.
constexpr auto nothing_to_do = 2s;

/// Of all threads, ended ones too.
double voluntary_switches() {
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) != 0) bench::give_up("getrusage");
  return static_cast<double>(used.ru_nvcsw);
}

/// A switch is reported as a nanosecond.
template <class Sleep>
void count_switches(benchmark::State& state, Sleep sleep_for) {
  sleep_for(settling);
  const double before = voluntary_switches();
  sleep_for(nothing_to_do);
  state.SetIterationTime((voluntary_switches() - before) * 1e-9);
}

void bast_idle(benchmark::State& state) {
  for (auto _ : state) {
    const auto ran = bast::run(
        [&state] {
          count_switches(state, [](auto length) {
            bench::must(bast::perform(bast::sleep_for(length)), "sleep_for");
          });
        },
        {.workers = workers});
    if (!ran) bench::give_up("run");
  }
}

void plain_threads(benchmark::State& state) {
  for (auto _ : state) {
    std::latch over(1);
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < workers; ++i) others.emplace_back([&over] { over.wait(); });
    count_switches(state, [](auto length) { std::this_thread::sleep_for(length); });
    over.count_down();
  }
}

BENCHMARK(bast_idle)->Apply(bench::once);
BENCHMARK(plain_threads)->Apply(bench::once);

}  // namespace

int main(int count, char** words) { return bench::run_on_all_processors(count, words); }
