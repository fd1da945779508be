// SPDX-License-Identifier: Apache-2.0
//
// Do two threads slow each other down when they create and end children of different parents in one
// tree? The "time" of each benchmark is a number: the time of two threads, each doing the work of
// one, divided by the time of one alone. 1 is perfect, 2 is no gain at all. A loop on private
// memory gives the machine's own limit.
#include <array>
#include <barrier>
#include <bast/cancel.hpp>
#include <thread>

#include "processors.hpp"
#include "support.hpp"

namespace {

constexpr int times = 400'000;

/// Seconds until each thread has done `work(thread)`.
template <class Work>
double seconds_of(int threads, Work work) {
  std::barrier ready(threads + 1);
  std::array<std::thread, 2> all;
  for (int i = 0; i < threads; ++i) {
    all[static_cast<std::size_t>(i)] = std::thread([&, i] {
      ready.arrive_and_wait();
      work(i);
    });
  }
  ready.arrive_and_wait();
  const auto start = bench::clock::now();
  for (int i = 0; i < threads; ++i) all[static_cast<std::size_t>(i)].join();
  return bench::seconds_since(start);
}

template <class Work>
void scaling(benchmark::State& state, Work work) {
  for (auto _ : state) {
    const double alone = seconds_of(1, work);
    state.SetIterationTime(seconds_of(2, work) / alone * 1e-9);
  }
}

void bast_children(benchmark::State& state) {
  const auto server = bench::must(bast::cancel_source::create(), "create");
  const std::array<bast::cancel_source, 2> connections = {bench::must(server.child(), "child"),
                                                          bench::must(server.child(), "child")};
  scaling(state, [&](int thread) {
    const bast::cancel_source& mine = connections[static_cast<std::size_t>(thread)];
    for (int i = 0; i < times; ++i) {
      const auto request = bench::must(mine.child(), "child");
      benchmark::DoNotOptimize(request);
    }
  });
}

void private_memory(benchmark::State& state) {
  scaling(state, [](int) {
    alignas(64) std::array<unsigned, 1024> words{};
    for (int i = 0; i < times * 40; ++i) {
      words[static_cast<unsigned>(i) * 17 % 1024] += static_cast<unsigned>(i);
    }
    benchmark::DoNotOptimize(words);
  });
}

BENCHMARK(bast_children)->Apply(bench::by_hand);
BENCHMARK(private_memory)->Apply(bench::by_hand);

}  // namespace

int main(int count, char** words) { return bench::run_on_all_processors(count, words); }
