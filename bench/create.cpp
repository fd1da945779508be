// SPDX-License-Identifier: Apache-2.0
//
// A coroutine's whole life on a warm pool: acquire, start, finish, release. Written as user code,
// and Boost's as in its documentation.
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include "support.hpp"

namespace {

void live_and_die(benchmark::State& state, const bast::coro_pool_options& options) {
  auto pool = bench::must(bast::coro_pool::create(options), "create");
  bench::repeat(state, [&pool] {
    auto one = pool.acquire();
    (void)one->start([] {});
    (void)one->release();
  });
}

void bast_life(benchmark::State& state) { live_and_die(state, {}); }
BENCHMARK(bast_life);

void bast_life_unmeasured(benchmark::State& state) {
  live_and_die(state, {.stack = {.measure = false}});
}
BENCHMARK(bast_life_unmeasured);

void bast_life_zero_used(benchmark::State& state) {
  live_and_die(state, {.stack = {.scrub = bast::stack_scrub::zero_used}});
}
BENCHMARK(bast_life_zero_used);

/// Without a run: the cost of the handle and the control block.
void bast_acquire_release(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  bench::repeat(state, [&pool] {
    auto one = pool.acquire();
    benchmark::DoNotOptimize(one);
    (void)one->release();
  });
}
BENCHMARK(bast_acquire_release);

/// Only the stack: the cost of measuring, guarding and recycling it.
void bast_stack_acquire_release(benchmark::State& state) {
  bast::stack_pool pool;
  bench::must(pool.init({}, 64), "init");
  static constexpr auto site = bast::site_key::labelled("bench");
  bench::repeat(state, [&pool] {
    bast::slot* const one = *pool.acquire(site);
    benchmark::DoNotOptimize(one);
    pool.release(*one);
  });
}
BENCHMARK(bast_stack_acquire_release);

template <class Allocator>
void boost_life(benchmark::State& state, Allocator allocator) {
  using boost::context::fiber;
  bench::repeat(state, [&allocator] {
    fiber one(std::allocator_arg, allocator, [](fiber&& main) { return std::move(main); });
    one = std::move(one).resume();
  });
}

void boost_life_pooled(benchmark::State& state) {
  boost_life(state, boost::context::pooled_fixedsize_stack(bench::slot_bytes));
}
BENCHMARK(boost_life_pooled);

/// A mapping and a guard page for each fiber: Boost's safe variant.
void boost_life_protected(benchmark::State& state) {
  boost_life(state, boost::context::protected_fixedsize_stack(bench::slot_bytes));
}
BENCHMARK(boost_life_protected);

}  // namespace

BENCHMARK_MAIN();
