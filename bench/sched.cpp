// SPDX-License-Identifier: Apache-2.0
//
// Fibers on their scheduler: a spawn and its join, a yield, a message to and fro, trees of a
// million and of small calls. Peers: TBB's task_group for the calls; Go (bench/go), Boost.Fiber
// (boost_fiber.cpp) and Asio (asio.cpp) for the rest.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>

#include <array>
#include <bast/sched.hpp>
#include <cstddef>
#include <ctime>
#include <vector>

#include "bast/testing/rendezvous.hpp"
#include "processors.hpp"
#include "support.hpp"

namespace {

/// `body(operations)` in a runtime of so many workers; the figure is processor time of the process
/// for one of its operations, without the start and the end of the runtime.
template <class F>
void in_runtime(benchmark::State& state, std::size_t workers, std::size_t operations, F body) {
  if (workers > 1) bench::use_all_processors();
  for (auto _ : state) {
    double took = 0;
    const auto ran = bast::run(
        [&] {
          const double start = bench::process_seconds();
          body(operations);
          took = bench::process_seconds() - start;
        },
        {.workers = workers});
    if (!ran) bench::give_up("run");
    state.SetIterationTime(took / static_cast<double>(operations));
  }
}

template <class T>
auto spawn(T function) {
  return bench::must(bast::spawn(std::move(function)), "spawn");
}

void bast_spawn_join(benchmark::State& state) {
  in_runtime(state, 1, 1'000'000, [](std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      auto child = spawn([i] { return i; });
      benchmark::DoNotOptimize(bench::must(child.join(), "join"));
    }
  });
}
BENCHMARK(bast_spawn_join)->Apply(bench::by_hand);

/// The figure is that of so many yields, as Go's.
void bast_yield(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    double took = 0;
    const std::size_t rounds = 3'000'000 / count;
    const auto ran = bast::run(
        [&] {
          bool over = false;
          std::size_t started = 1;
          std::vector<bast::fiber<void>> others;
          for (std::size_t i = 1; i < count; ++i) {
            others.push_back(spawn([&] {
              ++started;
              while (!over) bench::must(bast::yield_now(), "yield");
            }));
          }
          while (started != count) bench::must(bast::yield_now(), "yield");
          const double start = bench::process_seconds();
          for (std::size_t i = 0; i < rounds; ++i) bench::must(bast::yield_now(), "yield");
          took = bench::process_seconds() - start;
          over = true;
          for (auto& each : others) bench::must(each.join(), "join");
        },
        {.workers = 1});
    if (!ran) bench::give_up("run");
    state.SetIterationTime(took / static_cast<double>(rounds));
  }
}
BENCHMARK(bast_yield)->Arg(2)->Arg(1000)->Apply(bench::by_hand);

void bast_ping_pong(benchmark::State& state) {
  in_runtime(state, 1, 300'000, [](std::size_t n) {
    bast::test::rendezvous<int> there;
    bast::test::rendezvous<int> back;
    auto other = spawn([&] {
      for (std::size_t i = 0; i < n; ++i) {
        int got = bench::must(bast::perform(there.receive()), "receive");
        bench::must(bast::perform(back.send(got)), "send");
      }
    });
    for (std::size_t i = 0; i < n; ++i) {
      int number = static_cast<int>(i);
      bench::must(bast::perform(there.send(number)), "send");
      benchmark::DoNotOptimize(bench::must(bast::perform(back.receive()), "receive"));
    }
    bench::must(other.join(), "join");
  });
}
BENCHMARK(bast_ping_pong)->Apply(bench::by_hand);

constexpr std::size_t leaves = 1'000'000;

std::size_t skynet(std::size_t first, std::size_t size) {
  if (size == 1) return first;
  std::array<bast::fiber<std::size_t>, 10> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const std::size_t part = size / children.size();
    children[i] = spawn([=] { return skynet(first + i * part, part); });
  }
  std::size_t sum = 0;
  for (auto& each : children) sum += bench::must(each.join(), "join");
  return sum;
}

void bast_skynet(benchmark::State& state) {
  in_runtime(state, static_cast<std::size_t>(state.range(0)), leaves,
             [](std::size_t n) { benchmark::DoNotOptimize(skynet(0, n)); });
}
BENCHMARK(bast_skynet)->Arg(1)->Apply(bench::by_hand);

constexpr int depth = 27;
constexpr std::size_t calls = 317'810;  // spawned by fib(27)

int bast_fib(int n) {
  if (n < 2) return n;
  auto left = spawn([n] { return bast_fib(n - 1); });
  const int right = bast_fib(n - 2);
  return bench::must(left.join(), "join") + right;
}

void bast_calls(benchmark::State& state) {
  in_runtime(state, static_cast<std::size_t>(state.range(0)), calls,
             [](std::size_t) { benchmark::DoNotOptimize(bast_fib(depth)); });
}
BENCHMARK(bast_calls)->Arg(1)->Apply(bench::by_hand);

int tbb_fib(int n) {
  if (n < 2) return n;
  int left = 0;
  oneapi::tbb::task_group group;
  group.run([&left, n] { left = tbb_fib(n - 1); });
  const int right = tbb_fib(n - 2);
  group.wait();
  return left + right;
}

void tbb_calls(benchmark::State& state) {
  if (state.range(0) > 1) bench::use_all_processors();
  const oneapi::tbb::global_control workers(oneapi::tbb::global_control::max_allowed_parallelism,
                                            static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const double start = bench::process_seconds();
    benchmark::DoNotOptimize(tbb_fib(depth));
    state.SetIterationTime((bench::process_seconds() - start) / static_cast<double>(calls));
  }
}
BENCHMARK(tbb_calls)->Arg(1)->Apply(bench::by_hand);

// Last: from here on nothing is pinned.
BENCHMARK(bast_skynet)->Arg(2)->Apply(bench::by_hand);
BENCHMARK(bast_calls)->Arg(2)->Apply(bench::by_hand);
BENCHMARK(tbb_calls)->Arg(2)->Apply(bench::by_hand);

}  // namespace

BENCHMARK_MAIN();
