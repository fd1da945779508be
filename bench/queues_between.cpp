// SPDX-License-Identifier: Apache-2.0
//
// What does a value cost that one thread pushes and another one pops? Against the queues of
// Boost.Lockfree, with the two threads on two processors.
#include <algorithm>
#include <array>
#include <barrier>
#include <memory>
#include <thread>

#include "processors.hpp"
#include "queue_peers.hpp"
#include "support.hpp"

namespace {

using bench::value;

/// Seconds from the first push to the last pop. Full and empty are polled, with the same pauses for
/// every queue.
template <class Queue>
double seconds_of(std::size_t values) {
  const auto queue = std::make_unique<Queue>();
  std::barrier ready(2);
  bench::clock::time_point start;
  double seconds = 0;
  std::thread pusher([&] {
    bench::move_to(bench::processor::first);
    ready.arrive_and_wait();
    start = bench::clock::now();  // Published by the first push.
    for (value i = 0; i < values; ++i) {
      for (bast::backoff wait; !queue->push(i); wait.pause()) {
      }
    }
  });
  std::thread popper([&] {
    bench::move_to(bench::processor::last);
    ready.arrive_and_wait();
    for (value i = 0; i < values; ++i) {
      value got = 0;
      for (bast::backoff wait; !queue->pop(got); wait.pause()) {
      }
      if (got != i) bench::give_up("order");
    }
    seconds = bench::seconds_since(start);
  });
  pusher.join();
  popper.join();
  return seconds;
}

/// The time of one value. The median of the runs excludes those where a thread was interrupted.
template <class Queue>
void between(benchmark::State& state) {
  constexpr std::size_t values = 200'000;
  std::array<double, 9> runs = {};
  for (auto _ : state) {
    for (double& one : runs) one = seconds_of<Queue>(values);
    std::ranges::sort(runs);
    state.SetIterationTime(runs[runs.size() / 2] / static_cast<double>(values));
  }
  state.SetItemsProcessed(state.iterations());  // For items per second.
}

BENCHMARK(between<bench::bast_spsc>)->Name("bast_spsc")->Apply(bench::once);
BENCHMARK(between<bench::boost_spsc>)->Name("boost_spsc")->Apply(bench::once);
BENCHMARK(between<bench::bast_mpmc>)->Name("bast_mpmc")->Apply(bench::once);
BENCHMARK(between<bench::boost_queue>)->Name("boost_queue")->Apply(bench::once);

}  // namespace

BENCHMARK_MAIN();
