// SPDX-License-Identifier: Apache-2.0
//
// The coroutine as users see it: resume and yield, with all checks of the safe interface. One
// iteration is a pair: there and back.
#include <boost/context/fiber.hpp>

#include "support.hpp"

namespace {

void bast_resume_yield(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  auto other = bench::must(pool.acquire(), "acquire");
  bench::must(other.start([](bast::yielder<>& out) {
    for (;;) out.yield();
  }),
              "start");
  bench::repeat(state, [&other] { (void)other.resume(); });
}
BENCHMARK(bast_resume_yield);

/// A generator: an int crosses in each direction.
void bast_resume_yield_values(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  auto other = bench::must(pool.acquire<int, int>(), "acquire");
  bench::must(other.start([](bast::yielder<int, int>& out) {
    for (int next = 0;;) next = out.yield(next) + 1;
  }),
              "start");
  int sum = 0;
  bench::repeat(state, [&] {
    auto step = other.resume(sum);
    sum += step.value();
  });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(bast_resume_yield_values);

/// Rounding mode and exception masks travel with the coroutine, as Boost's do.
void bast_resume_yield_own_float_control(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create({.own_float_control = true}), "create");
  auto other = bench::must(pool.acquire(), "acquire");
  bench::must(other.start([](bast::yielder<>& out) {
    for (;;) out.yield();
  }),
              "start");
  bench::repeat(state, [&other] { (void)other.resume(); });
}
BENCHMARK(bast_resume_yield_own_float_control);

void boost_fiber_pair(benchmark::State& state) {
  using boost::context::fiber;
  bool stop = false;
  fiber other([&stop](fiber&& main) {
    while (!stop) main = std::move(main).resume();
    return std::move(main);
  });
  bench::repeat(state, [&other] { other = std::move(other).resume(); });
  stop = true;
  other = std::move(other).resume();
}
BENCHMARK(boost_fiber_pair);

/// Boost passes values through memory that both sides share.
void boost_fiber_pair_values(benchmark::State& state) {
  using boost::context::fiber;
  bool stop = false;
  int crossing = 0;
  fiber other([&](fiber&& main) {
    for (int next = 0; !stop;) {
      crossing = next;
      main = std::move(main).resume();
      next = crossing + 1;
    }
    return std::move(main);
  });
  other = std::move(other).resume();
  int sum = 0;
  bench::repeat(state, [&] {
    crossing = sum;
    other = std::move(other).resume();
    sum += crossing;
  });
  benchmark::DoNotOptimize(sum);
  stop = true;
  other = std::move(other).resume();
}
BENCHMARK(boost_fiber_pair_values);

}  // namespace

BENCHMARK_MAIN();
