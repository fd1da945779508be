// SPDX-License-Identifier: Apache-2.0
//
// A minimal scheduler: K coroutines are resumed in turn, each yields at once. Shows the cost of the
// switch when stacks and control blocks fall out of the first caches. One iteration is one pair of
// switches.
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <vector>

#include "support.hpp"

namespace {

void bast_round_robin(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  std::vector<bast::coro_ref<>> all;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    auto one = bench::must(pool.acquire(), "acquire");
    bench::must(one.start([](bast::yielder<>& out) {
      for (;;) out.yield();
    }),
                "start");
    all.push_back(one.detach());
  }
  while (state.KeepRunningBatch(state.range(0))) {
    for (bast::coro_ref<>& one : all) (void)one.resume();
  }
}
BENCHMARK(bast_round_robin)->Arg(8)->Arg(256)->Arg(4096);

/// On 256 KiB stacks from Boost's own pool, which does not colour them.
void boost_round_robin(benchmark::State& state) {
  using boost::context::fiber;
  boost::context::pooled_fixedsize_stack stacks(bench::slot_bytes);
  bool stop = false;
  std::vector<fiber> all;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    all.emplace_back(std::allocator_arg, stacks, [&stop](fiber&& main) {
      while (!stop) main = std::move(main).resume();
      return std::move(main);
    });
    all.back() = std::move(all.back()).resume();
  }
  while (state.KeepRunningBatch(state.range(0))) {
    for (fiber& one : all) one = std::move(one).resume();
  }
  stop = true;
  for (fiber& one : all) one = std::move(one).resume();
}
BENCHMARK(boost_round_robin)->Arg(8)->Arg(256)->Arg(4096);

}  // namespace

BENCHMARK_MAIN();
