// SPDX-License-Identifier: Apache-2.0
//
// The bare context switch, with only a loop counter live: two flows of control switch to each
// other. One iteration is two switches, there and back; bench/run divides by two.
#include <ucontext.h>

#include <bast/arch.hpp>
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>

#include "support.hpp"

namespace {

constexpr std::size_t stack_bytes = 64 << 10;

[[gnu::noinline]] void nothing() { asm volatile(""); }
// Volatile, so that the compiler does not know the target.
void (*volatile call_target)() = nothing;

void empty_indirect_call(benchmark::State& state) {
  bench::repeat(state, [] { call_target(); });
}
BENCHMARK(empty_indirect_call);

struct pair {
  bast::arch::context here;
  bast::arch::context there;
};

// The entry function receives the address of `there`; the pair is static, so it needs no more.
pair inline_pair;
pair out_of_line_pair;

void inline_peer(bast::arch::context*) noexcept {
  for (;;) bast::arch::switch_inline(inline_pair.there, inline_pair.here);
}
void out_of_line_peer(bast::arch::context*) noexcept {
  for (;;) bast::arch::switch_out_of_line(out_of_line_pair.there, out_of_line_pair.here);
}

void bast_switch_inline(benchmark::State& state) {
  const bench::fresh_memory stack(stack_bytes);
  bast::arch::prepare(inline_pair.there, stack.base() + stack_bytes, inline_peer);
  bench::repeat(state, [] { bast::arch::switch_inline(inline_pair.here, inline_pair.there); });
}
BENCHMARK(bast_switch_inline);

void bast_switch_out_of_line(benchmark::State& state) {
  const bench::fresh_memory stack(stack_bytes);
  bast::arch::prepare(out_of_line_pair.there, stack.base() + stack_bytes, out_of_line_peer);
  bench::repeat(
      state, [] { bast::arch::switch_out_of_line(out_of_line_pair.here, out_of_line_pair.there); });
}
BENCHMARK(bast_switch_out_of_line);

void boost_fiber(benchmark::State& state) {
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
BENCHMARK(boost_fiber);

void boost_fcontext(benchmark::State& state) {
  using namespace boost::context::detail;
  const bench::fresh_memory stack(stack_bytes);
  fcontext_t other = make_fcontext(stack.base() + stack_bytes, stack_bytes, [](transfer_t from) {
    for (;;) from = jump_fcontext(from.fctx, nullptr);
  });
  bench::repeat(state, [&other] { other = jump_fcontext(other, nullptr).fctx; });
}
BENCHMARK(boost_fcontext);

ucontext_t ucontext_here;
ucontext_t ucontext_there;

void ucontext_peer() {
  for (;;) ::swapcontext(&ucontext_there, &ucontext_here);
}

void ucontext_swap(benchmark::State& state) {
  const bench::fresh_memory stack(stack_bytes);
  if (::getcontext(&ucontext_there) != 0) bench::give_up("getcontext");
  ucontext_there.uc_stack.ss_sp = stack.base();
  ucontext_there.uc_stack.ss_size = stack_bytes;
  ucontext_there.uc_link = nullptr;
  ::makecontext(&ucontext_there, ucontext_peer, 0);
  bench::repeat(state, [] { ::swapcontext(&ucontext_here, &ucontext_there); });
}
BENCHMARK(ucontext_swap);

}  // namespace

BENCHMARK_MAIN();
