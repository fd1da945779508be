// SPDX-License-Identifier: Apache-2.0
//
// Boost.Fiber, a peer of bench/sched.cpp: the same spawn and join, yields, and messages to and fro,
// on one thread with its default scheduler, as its documentation shows them. Stacks are pooled and
// as large as bast's, without a guard.
#include <boost/fiber/all.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "support.hpp"

namespace {

using boost::fibers::fiber;
using stack_source = boost::fibers::pooled_fixedsize_stack;

template <class F>
fiber spawn(stack_source& stacks, F function) {
  return fiber(std::allocator_arg, stacks, std::move(function));
}

void spawn_join(benchmark::State& state) {
  constexpr std::size_t operations = 1'000'000;
  stack_source stacks(bench::slot_bytes);
  for (auto _ : state) {
    bench::timed(state, operations, [&stacks] {
      for (std::size_t i = 0; i < operations; ++i) {
        std::size_t value = 0;
        spawn(stacks, [i, &value] { value = i; }).join();
        benchmark::DoNotOptimize(value);
      }
    });
  }
}
BENCHMARK(spawn_join)->Apply(bench::by_hand);

/// The figure is that of so many yields, as bast's.
void yield(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::size_t rounds = 3'000'000 / count;
  stack_source stacks(bench::slot_bytes);
  for (auto _ : state) {
    bool over = false;
    std::vector<fiber> others;
    for (std::size_t i = 1; i < count; ++i) {
      others.push_back(spawn(stacks, [&over] {
        while (!over) boost::this_fiber::yield();
      }));
    }
    boost::this_fiber::yield();  // Its queue is in order: all of them run.
    bench::timed(state, rounds, [rounds] {
      for (std::size_t i = 0; i < rounds; ++i) boost::this_fiber::yield();
    });
    over = true;
    for (fiber& each : others) each.join();
  }
}
BENCHMARK(yield)->Arg(2)->Arg(1000)->Apply(bench::by_hand);

void ping_pong(benchmark::State& state) {
  constexpr std::size_t operations = 300'000;
  stack_source stacks(bench::slot_bytes);
  for (auto _ : state) {
    boost::fibers::unbuffered_channel<int> there;
    boost::fibers::unbuffered_channel<int> back;
    fiber other = spawn(stacks, [&] {
      for (std::size_t i = 0; i < operations; ++i) (void)back.push(there.value_pop());
    });
    bench::timed(state, operations, [&] {
      for (std::size_t i = 0; i < operations; ++i) {
        (void)there.push(static_cast<int>(i));
        benchmark::DoNotOptimize(back.value_pop());
      }
    });
    other.join();
  }
}
BENCHMARK(ping_pong)->Apply(bench::by_hand);

}  // namespace

BENCHMARK_MAIN();
