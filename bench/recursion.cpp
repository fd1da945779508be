// SPDX-License-Identifier: Apache-2.0
//
// Deep recursion: 160 calls with frames of about 1 KiB, 44 pages of stack. Cold: on an unused
// stack, so that bast grows it three times (32, 64, 128, 192 KiB); the peer is the same recursion
// on plain fresh memory of the same size, all of it open. Warm: the stack has been used before; the
// peer is the thread's own stack.
#include <bast/arch.hpp>

#include "support.hpp"

namespace {

constexpr std::size_t stacks = 64;
constexpr int depth = 160;

/// Not a tail call: the frame is used after the call.
[[gnu::noinline]] int recurse(int left) {
  volatile std::byte frame[1 << 10];
  frame[0] = std::byte{1};
  const int below = left == 0 ? 0 : recurse(left - 1);
  return below + std::to_integer<int>(frame[0]);
}

void bast_cold(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  static bast::coro<> all[stacks];
  for (auto _ : state) {
    bench::must(pool.reserve(stacks), "reserve");
    bench::timed(state, stacks, [&pool] {
      for (auto& one : all) {
        one = bench::must(pool.acquire(), "acquire");
        bench::must(one.start([] { benchmark::DoNotOptimize(recurse(depth)); }), "start");
      }
    });
    for (auto& one : all) (void)one.release();
    pool.shrink();
  }
}
BENCHMARK(bast_cold)->Apply(bench::by_hand);

struct pair {
  bast::arch::context here;
  bast::arch::context there;
};
pair plain_pair;

void plain_entry(bast::arch::context*) noexcept {
  benchmark::DoNotOptimize(recurse(depth));
  bast::arch::switch_context(plain_pair.there, plain_pair.here);
}

void plain_cold(benchmark::State& state) {
  for (auto _ : state) {
    bench::fresh_memory memory(stacks * bench::slot_bytes);
    memory.make_page_tables(bench::slot_bytes);
    bench::timed(state, stacks, [&memory] {
      for (std::size_t i = 1; i <= stacks; ++i) {
        bast::arch::prepare(plain_pair.there, memory.base() + i * bench::slot_bytes, plain_entry);
        bast::arch::switch_context(plain_pair.here, plain_pair.there);
      }
    });
  }
}
BENCHMARK(plain_cold)->Apply(bench::by_hand);

void bast_warm(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  auto one = bench::must(pool.acquire(), "acquire");
  bench::must(one.start([](bast::yielder<>& out) {
    for (;;) {
      benchmark::DoNotOptimize(recurse(depth));
      out.yield();
    }
  }),
              "start");
  for (auto _ : state) (void)one.resume();
}
BENCHMARK(bast_warm);

void thread_warm(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(recurse(depth));
}
BENCHMARK(thread_warm);

}  // namespace

BENCHMARK_MAIN();
