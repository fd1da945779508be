// SPDX-License-Identifier: Apache-2.0
//
// The cost of always recording stacks: lives and switches with recording on and off, and a growth
// that must remember its stack against one that need not.
#include "support.hpp"

namespace {

using namespace bast::literals;

void live_and_die(benchmark::State& state, bool measure) {
  auto pool = bench::must(bast::coro_pool::create({.stack = {.measure = measure}}), "create");
  bench::repeat(state, [&pool] {
    auto one = pool.acquire();
    (void)one->start([] {});
    (void)one->release();
  });
}
void recorded_life(benchmark::State& state) { live_and_die(state, true); }
void unrecorded_life(benchmark::State& state) { live_and_die(state, false); }
BENCHMARK(recorded_life);
BENCHMARK(unrecorded_life);

/// A site's first 1,024 uses, on a warm stack.
void first_uses(benchmark::State& state, bool measure) {
  constexpr std::size_t uses = 1024;
  constexpr std::size_t sites = 64;
  static char labels[sites][4];
  for (std::size_t i = 0; i < sites; ++i) std::snprintf(labels[i], sizeof labels[i], "%zu", i);
  for (auto _ : state) {
    auto pool = bench::must(bast::coro_pool::create({.stack = {.measure = measure}}), "create");
    for (std::size_t i = 0; i < 100; ++i) {
      auto one = pool.acquire();
      (void)one->start("warm", [] {});
    }
    bench::timed(state, uses * sites, [&] {
      for (std::size_t site = 0; site < sites; ++site) {
        for (std::size_t i = 0; i < uses; ++i) {
          auto one = pool.acquire();
          (void)one->start(bast::static_string::promise(labels[site]), [] {});
        }
      }
    });
  }
}
void recorded_first_uses(benchmark::State& state) { first_uses(state, true); }
void unrecorded_first_uses(benchmark::State& state) { first_uses(state, false); }
BENCHMARK(recorded_first_uses)->Apply(bench::by_hand);
BENCHMARK(unrecorded_first_uses)->Apply(bench::by_hand);

void switch_there_and_back(benchmark::State& state, bool measure) {
  auto pool = bench::must(bast::coro_pool::create({.stack = {.measure = measure}}), "create");
  auto one = bench::must(pool.acquire(), "acquire");
  (void)one.start([] {
    while (bast::this_coro::yield()) {
    }
  });
  bench::repeat(state, [&one] { (void)one.resume(); });
}
void recorded_switch(benchmark::State& state) { switch_there_and_back(state, true); }
void unrecorded_switch(benchmark::State& state) { switch_there_and_back(state, false); }
BENCHMARK(recorded_switch);
BENCHMARK(unrecorded_switch);

[[gnu::noinline]] int descend(int pages) {
  volatile char frame[4096];
  frame[0] = 1;
  return pages <= 1 ? frame[0] : descend(pages - 1) + frame[0];
}

/// A coroutine that needs one growth, from 32 KiB to 64 KiB.
void grow(bast::coro_pool& pool, bast::static_string site) {
  auto one = pool.acquire();
  (void)one->start(site, [] { benchmark::DoNotOptimize(descend(10)); });
  (void)one->release();
}

/// One growth on a warm stack, after `before` was grown there.
void grow_after(benchmark::State& state, bast::static_string before) {
  for (auto _ : state) {
    state.PauseTiming();
    {
      auto pool = bench::must(bast::coro_pool::create({.stack = {.retain = 32_KiB}}), "create");
      grow(pool, before);
      state.ResumeTiming();
      grow(pool, "timed");
      state.PauseTiming();
    }
    state.ResumeTiming();
  }
}
/// The deepest of its site, which is remembered; and one that is not deeper, which is not.
void growth_remembered(benchmark::State& state) { grow_after(state, "other"); }
void growth_known(benchmark::State& state) { grow_after(state, "timed"); }
BENCHMARK(growth_remembered);
BENCHMARK(growth_known);

}  // namespace

BENCHMARK_MAIN();
