// SPDX-License-Identifier: Apache-2.0
//
// Does the fault handler get slower with the number of stacks? The cost of one growth with ten live
// stacks and with a million. Both grow the same ten stacks repeatedly, so that caches and page
// tables are equally warm; only the handler's search differs. The ten are spread over the million,
// hence over all slabs.
//
// The stacks are live but never ran: untouched memory costs nothing, and the directory does not
// depend on it.
#include <bast/arch.hpp>

#include "support.hpp"

namespace {

constexpr std::size_t grown = 10;
constexpr std::size_t rounds = 200;
constexpr auto site = bast::site_key::labelled("lookup");

struct flow {
  bast::arch::context here;
  bast::arch::context there;
  bast::slot* stack = nullptr;
  bench::stopwatch* watch = nullptr;
};
flow the;

void grow_once(bast::arch::context*) noexcept {
  std::byte* const target = bast::slab::of(*the.stack).open_low(*the.stack) - 1;
  the.watch->lap([=] { bench::touch_down(target, 1); });
  bast::arch::switch_context(the.there, the.here);
}

void grow(benchmark::State& state) {
  const auto live = static_cast<std::size_t>(state.range(0));
  // Prepares the thread: its alternate signal stack.
  const auto preparation = bench::must(bast::coro_pool::create(), "create");
  bast::stack_pool pool;
  // A released stack is trimmed to its window, so that it grows again.
  bench::must(pool.init({.retain = bast::bytes{32 << 10}}, live), "init");
  std::vector<bast::slot*> all;
  for (std::size_t i = 0; i < live; ++i) all.push_back(bench::must(pool.acquire(site), "acquire"));
  for (auto _ : state) {
    bench::stopwatch watch(rounds * grown);
    the.watch = &watch;
    for (std::size_t i = 0; i < rounds * grown; ++i) {
      bast::slot*& one = all[i % grown * (live / grown)];
      the.stack = one;
      bast::arch::prepare(the.there, one->top, grow_once);
      bast::arch::switch_context(the.here, the.there);
      pool.release(*one);
      one = bench::must(pool.acquire(site), "acquire");  // LIFO: the same one.
    }
    state.SetIterationTime(watch.median());
  }
  for (bast::slot* one : all) pool.release(*one);
}
// Without calibration, which would set up the million several times.
BENCHMARK(grow)->Arg(10)->Arg(1'000'000)->UseManualTime()->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
