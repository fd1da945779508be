// SPDX-License-Identifier: Apache-2.0
//
// One growth of a stack: a touch below the open part, the handler, the pages. The argument is how
// many of the pages that the growth opened (eight: 32 KiB) are then touched.
//
// The floor has two parts, measured apart and added: a SIGSEGV that is delivered to an empty
// handler on an alternate stack and returned from, and the same number of demand-zero faults in
// plain memory whose page tables exist.
#include <signal.h>
#include <ucontext.h>

#include "support.hpp"

namespace {

constexpr std::size_t stacks = 256;

/// Suspends at once; resumed, touches pages below its open part.
void grow_when_resumed(bast::yielder<>& out, std::size_t pages, bench::stopwatch& watch) {
  out.yield();
  const std::byte here{};
  const bast::stack_view stack = bast::find_stack(&here);
  std::byte* const highest = const_cast<std::byte*>(stack.open_low) - 1;
  watch.lap([=] { bench::touch_down(highest, pages); });
}

void grow(benchmark::State& state, bast::stack_tier tier) {
  const auto pages = static_cast<std::size_t>(state.range(0));
  auto made = bast::coro_pool::create({.stack = {.tier = tier}});
  if (!made) {
    state.SkipWithError("this kernel has no guard markers");
    return;
  }
  bast::coro_pool& pool = *made;
  static bast::coro<> all[stacks];
  for (auto _ : state) {
    bench::stopwatch watch(stacks);
    for (auto& one : all) {
      one = bench::must(pool.acquire(), "acquire");
      bench::must(one.start([pages, &watch](bast::yielder<>& out) {
        grow_when_resumed(out, pages, watch);
      }),
                  "start");
    }
    for (auto& one : all) bench::must(one.resume(), "resume");
    state.SetIterationTime(watch.median());
    for (auto& one : all) (void)one.release();
    pool.shrink();
  }
}

void bast_growth(benchmark::State& state) { grow(state, bast::stack_tier::guard_markers); }
BENCHMARK(bast_growth)->Arg(1)->Arg(8)->Apply(bench::by_hand);

void bast_growth_protection(benchmark::State& state) { grow(state, bast::stack_tier::protection); }
BENCHMARK(bast_growth_protection)->Arg(1)->Arg(8)->Apply(bench::by_hand);

/// The same pages of plain memory, timed in the same way.
void plain_faults(benchmark::State& state) {
  const auto pages = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    bench::fresh_memory memory(stacks * bench::slot_bytes);
    memory.make_page_tables(bench::slot_bytes);
    bench::stopwatch watch(stacks);
    for (std::size_t i = 1; i <= stacks; ++i) {
      std::byte* const highest = memory.base() + i * bench::slot_bytes - (32 << 10) - 1;
      watch.lap([=] { bench::touch_down(highest, pages); });
    }
    state.SetIterationTime(watch.median());
  }
}
BENCHMARK(plain_faults)->Arg(1)->Arg(8)->Apply(bench::by_hand);

/// Steps over the instruction that faulted, whose length is known: see fault_once.
void step_over(int, siginfo_t*, void* context) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  machine.gregs[REG_RIP] += 3;
#elif defined(__aarch64__)
  machine.pc += 4;
#endif
}

inline void fault_once(std::byte* where) {
#if defined(__x86_64__)
  asm volatile("movb $1, (%%rax)" : : "a"(where) : "memory");  // c6 00 01
#elif defined(__aarch64__)
  asm volatile("strb wzr, [%0]" : : "r"(where) : "memory");
#endif
}

/// The page is inaccessible by mprotect; a fault on a guard marker is not cheaper.
void bare_sigsegv(benchmark::State& state) {
  // A pool prepares this thread's alternate stack.
  const auto pool = bench::must(bast::coro_pool::create(), "create");
  bench::fresh_memory memory(bench::page);
  if (::mprotect(memory.base(), bench::page, PROT_NONE) != 0) bench::give_up("mprotect");
  struct sigaction ours{};
  struct sigaction before{};
  ours.sa_sigaction = step_over;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  if (::sigaction(SIGSEGV, &ours, &before) != 0) bench::give_up("sigaction");
  for (auto _ : state) fault_once(memory.base());
  ::sigaction(SIGSEGV, &before, nullptr);
}
BENCHMARK(bare_sigsegv);

}  // namespace

BENCHMARK_MAIN();
