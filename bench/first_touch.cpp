// SPDX-License-Identifier: Apache-2.0
//
// The first run of a coroutine on an unused stack: it uses 10 KiB, which is three pages, all within
// the initially open window. The floor is the kernel: the same three pages of plain fresh memory, a
// slot apart like the stacks, descending like a stack.
//
// The page tables are in the same state on both sides: installing a slot's guard has created them,
// so the plain memory has one page of each slot touched beforehand. The timed plain side is then
// three faults on demand-zero pages and nothing else.
#include "support.hpp"

namespace {

constexpr std::size_t stacks = 512;
constexpr std::size_t pages_used = 3;

/// Uses 10 KiB of stack. The window's top page also holds the coroutine's frames, and up to 960
/// bytes of colour, so the three pages are the same for every slot.
[[gnu::noinline]] void use_ten_kib() {
  std::byte frame[10 << 10];
  for (std::size_t at = sizeof frame; at >= bench::page; at -= bench::page) {
    *static_cast<volatile std::byte*>(frame + at - 1) = std::byte{1};
  }
  *static_cast<volatile std::byte*>(frame) = std::byte{1};
}

void bast_first_run(benchmark::State& state) {
  auto pool = bench::must(bast::coro_pool::create(), "create");
  static bast::coro<> all[stacks];
  for (auto _ : state) {
    bench::must(pool.reserve(stacks), "reserve");
    bench::timed(state, stacks, [&pool] {
      for (auto& one : all) {
        one = bench::must(pool.acquire(), "acquire");
        bench::must(one.start(use_ten_kib), "start");
      }
    });
    for (auto& one : all) (void)one.release();
    pool.shrink();  // Unmaps all of it: the next iteration starts on fresh stacks again.
  }
}
BENCHMARK(bast_first_run)->Apply(bench::by_hand);

void plain_memory(benchmark::State& state) {
  for (auto _ : state) {
    bench::fresh_memory memory(stacks * bench::slot_bytes);
    memory.make_page_tables(bench::slot_bytes);
    bench::timed(state, stacks, [&memory] {
      for (std::size_t i = 1; i <= stacks; ++i) {
        bench::touch_down(memory.base() + i * bench::slot_bytes - 1, pages_used);
      }
    });
  }
}
BENCHMARK(plain_memory)->Apply(bench::by_hand);

}  // namespace

BENCHMARK_MAIN();
