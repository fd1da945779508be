// SPDX-License-Identifier: Apache-2.0
//
// One growth of a stack: a touch below the open part, the handler, the pages. The argument is the
// number of pages touched afterwards, of the eight (32 KiB) that the growth opened.
//
// The floor has two parts, measured separately and added: a SIGSEGV that is delivered to an empty
// handler on an alternate stack and returned from, and the same number of demand-zero faults in
// plain memory with existing page tables.
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

/// Handles SIGSEGV by itself while it exists, on the alternate stack that a pool prepares.
class own_handler {
 public:
  explicit own_handler(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction ours{};
    ours.sa_sigaction = handler;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    if (::sigaction(SIGSEGV, &ours, &before_) != 0) bench::give_up("sigaction");
  }
  ~own_handler() { ::sigaction(SIGSEGV, &before_, nullptr); }
  own_handler(const own_handler&) = delete;
  own_handler& operator=(const own_handler&) = delete;

 private:
  bast::coro_pool preparation_ = bench::must(bast::coro_pool::create(), "create");
  struct sigaction before_{};
};

/// The page is inaccessible by mprotect: the cheapest possible fault.
void bare_sigsegv(benchmark::State& state) {
  const own_handler handler(step_over);
  const bench::fresh_memory memory(bench::page);
  if (::mprotect(memory.base(), bench::page, PROT_NONE) != 0) bench::give_up("mprotect");
  for (auto _ : state) fault_once(memory.base());
}
BENCHMARK(bare_sigsegv);

// <linux/mman.h> of Linux 6.13; older headers lack them.
constexpr int guard_install = 102;
constexpr int guard_remove = 103;

/// The minimal handler that grows a stack: one system call, without a lookup of the owner.
void remove_guard(int, siginfo_t* info, void*) {
  constexpr std::size_t grown = 32 << 10;
  const auto fault = reinterpret_cast<std::uintptr_t>(info->si_addr);
  auto* const end = reinterpret_cast<std::byte*>((fault | (bench::page - 1)) + 1);
  ::madvise(end - grown, grown, guard_remove);
}

void least_growth(benchmark::State& state) {
  const auto pages = static_cast<std::size_t>(state.range(0));
  const own_handler handler(remove_guard);
  for (auto _ : state) {
    const bench::fresh_memory memory(stacks * bench::slot_bytes);
    bench::stopwatch watch(stacks);
    for (std::size_t i = 0; i < stacks; ++i) {
      std::byte* const low = memory.base() + i * bench::slot_bytes;
      const std::size_t guarded = bench::slot_bytes - (32 << 10);
      if (::madvise(low, guarded, guard_install) != 0) {
        state.SkipWithError("this kernel has no guard markers");
        return;
      }
      watch.lap([=] { bench::touch_down(low + guarded - 1, pages); });
    }
    state.SetIterationTime(watch.median());
  }
}
BENCHMARK(least_growth)->Arg(1)->Arg(8)->Apply(bench::by_hand);

}  // namespace

BENCHMARK_MAIN();
