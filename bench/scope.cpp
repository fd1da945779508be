// SPDX-License-Identifier: Apache-2.0
//
// Scopes: one with a child beside a bare spawn and join, the cancel of many fibers, deadlines, and
// how requests scale over workers. Peer for deadlines: Go's context (bench/go).
#include <algorithm>
#include <atomic>
#include <bast/scope.hpp>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <random>
#include <vector>

#include "processors.hpp"
#include "support.hpp"

namespace {

using namespace std::chrono_literals;

template <class F>
void in_runtime(benchmark::State& state, std::size_t workers, F body) {
  if (workers > 1) bench::use_all_processors();
  for (auto _ : state) {
    double took = 0;
    const auto ran = bast::run([&] { took = body(); }, {.workers = workers});
    if (!ran) bench::give_up("run");
    state.SetIterationTime(took);
  }
}

/// Processor time of one of many calls.
template <class F>
double time_of_one(std::size_t count, F call) {
  const double start = bench::process_seconds();
  for (std::size_t i = 0; i < count; ++i) call();
  return (bench::process_seconds() - start) / static_cast<double>(count);
}

void spawn_join(benchmark::State& state) {
  in_runtime(state, 1, [] {
    return time_of_one(1'000'000, [] {
      auto child = bench::must(bast::spawn([] { return 1; }), "spawn");
      benchmark::DoNotOptimize(bench::must(child.join(), "join"));
    });
  });
}
BENCHMARK(spawn_join)->Apply(bench::by_hand);

void request() {
  const auto ended = bast::run_scope([](bast::scope& s) {
    if (!s.spawn([] {})) bench::give_up("spawn");
  });
  if (!ended) bench::give_up("run_scope");
}

void bast_scope_of_one(benchmark::State& state) {
  in_runtime(state, 1, [] { return time_of_one(500'000, request); });
}
BENCHMARK(bast_scope_of_one)->Apply(bench::by_hand);

/// Wall time from the cancel to the last fiber's end, of one fiber; or of the cancel alone.
template <bool IsWhole>
void cancel_of_many(benchmark::State& state) {
  constexpr std::size_t count = 100'000;
  const auto workers = static_cast<std::size_t>(state.range(0));
  in_runtime(state, workers, [=] {
    double start = 0;
    double cancelled = 0;
    (void)bast::run_scope([&](bast::scope& s) {
      std::atomic<std::size_t> parked = 0;
      for (std::size_t i = 0; i < count; ++i) {
        auto made = s.spawn([&] {
          parked.fetch_add(1, std::memory_order_relaxed);
          (void)bast::perform(bast::sleep_for(24h));
        });
        if (!made) bench::give_up("spawn");
      }
      while (parked.load(std::memory_order_relaxed) != count) (void)bast::yield_now();
      (void)bast::perform(bast::sleep_for(1ms));
      start = bench::seconds_of(CLOCK_MONOTONIC);
      s.cancel();
      cancelled = bench::seconds_of(CLOCK_MONOTONIC);
    });
    const double ended = IsWhole ? bench::seconds_of(CLOCK_MONOTONIC) : cancelled;
    return (ended - start) / static_cast<double>(count);
  });
}
void bast_cancel(benchmark::State& state) { cancel_of_many<false>(state); }
BENCHMARK(bast_cancel)->Apply(bench::by_hand)->Arg(1)->Arg(2);
void bast_cancel_and_end(benchmark::State& state) { cancel_of_many<true>(state); }
BENCHMARK(bast_cancel_and_end)->Apply(bench::by_hand)->Arg(1)->Arg(2);

/// A walk through as many cache lines, in an order that nothing foresees.
void miss(benchmark::State& state) {
  constexpr std::size_t count = 1'000'000;
  struct alignas(64) line {
    line* next = nullptr;
  };
  std::vector<line> lines(count);
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::mt19937_64 random(1);
  std::shuffle(order.begin(), order.end(), random);
  for (std::size_t i = 0; i < count; ++i) {
    lines[order[i]].next = &lines[order[(i + 1) % count]];
  }
  for (auto _ : state) {
    const double start = bench::process_seconds();
    line* at = lines.data();
    for (std::size_t i = 0; i < count; ++i) at = at->next;
    benchmark::DoNotOptimize(at);
    state.SetIterationTime((bench::process_seconds() - start) / static_cast<double>(count));
  }
}
BENCHMARK(miss)->Apply(bench::by_hand);

void bast_deadline(benchmark::State& state) {
  in_runtime(state, 1, [] {
    return time_of_one(1'000'000, [] {
      benchmark::DoNotOptimize(bench::must(bast::fail_after(1h, [] { return 1; }), "fail_after"));
    });
  });
}
BENCHMARK(bast_deadline)->Apply(bench::by_hand);

/// Wall time of one of the calls that each worker makes, all under one scope. `loop(count)` makes
/// them.
template <class F>
void on_each_worker(benchmark::State& state, F loop) {
  const auto workers = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t count = 200'000;
  in_runtime(state, workers, [=] {
    const auto start = bench::clock::now();
    const auto all = bast::run_scope([&](bast::scope& server) {
      for (std::size_t w = 0; w < workers; ++w) {
        if (!server.spawn([&] { loop(count); })) bench::give_up("spawn");
      }
    });
    if (!all) bench::give_up("run_scope");
    return bench::seconds_since(start) / static_cast<double>(count);
  });
}

void bast_requests(benchmark::State& state) {
  on_each_worker(state, [](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) request();
  });
}
BENCHMARK(bast_requests)->Apply(bench::by_hand)->Arg(1)->Arg(2);

/// A loop on memory of its own.
void private_memory(benchmark::State& state) {
  on_each_worker(state, [](std::size_t count) {
    std::vector<std::size_t> own(64);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t& each : own) each = each * 31 + i;
      benchmark::DoNotOptimize(own.data());
    }
  });
}
BENCHMARK(private_memory)->Apply(bench::by_hand)->Arg(1)->Arg(2);

}  // namespace

BENCHMARK_MAIN();
