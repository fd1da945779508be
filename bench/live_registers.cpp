// SPDX-License-Identifier: Apache-2.0
//
// The context switch with much to save: six integers and four doubles are live across each switch,
// on both sides. The inline form makes the compiler save live values; a callee-saved form always
// saves the same registers and leaves the doubles to the compiler. One iteration is two switches.
#include <bast/arch.hpp>
#include <boost/context/fiber.hpp>

#include "support.hpp"

namespace {

constexpr std::size_t stack_bytes = 64 << 10;

/// Keeps ten values in use across `hand_over`, while `more()` is true.
template <class More, class HandOver>
[[gnu::noinline]] void loop_with_ten_live(More more, HandOver hand_over) {
  std::uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
  double w = 1.0, x = 1.5, y = 2.0, z = 2.5;
  asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
  while (more()) {
    a += b;
    c ^= a;
    d += e;
    f += c;
    w += x;
    y += z;
    hand_over();
    b += f;
    e ^= d;
    x += 0.5;
    z += 0.25;
  }
  benchmark::DoNotOptimize(a + b + c + d + e + f);
  benchmark::DoNotOptimize(w + x + y + z);
}

template <class HandOver>
void run_this_side(benchmark::State& state, HandOver hand_over) {
  constexpr int batch = 1000;
  while (state.KeepRunningBatch(batch)) {
    int left = batch;
    loop_with_ten_live([&left] { return left-- != 0; }, hand_over);
  }
}

struct pair {
  bast::arch::context here;
  bast::arch::context there;
};
pair inline_pair;
pair out_of_line_pair;

constexpr auto for_ever = [] { return true; };

void inline_peer(bast::arch::context*) noexcept {
  loop_with_ten_live(for_ever,
                     [] { bast::arch::switch_inline(inline_pair.there, inline_pair.here); });
}
void out_of_line_peer(bast::arch::context*) noexcept {
  loop_with_ten_live(for_ever, [] {
    bast::arch::switch_out_of_line(out_of_line_pair.there, out_of_line_pair.here);
  });
}

void bast_switch_inline(benchmark::State& state) {
  const bench::fresh_memory stack(stack_bytes);
  bast::arch::prepare(inline_pair.there, stack.base() + stack_bytes, inline_peer);
  run_this_side(state, [] { bast::arch::switch_inline(inline_pair.here, inline_pair.there); });
}
BENCHMARK(bast_switch_inline);

void bast_switch_out_of_line(benchmark::State& state) {
  const bench::fresh_memory stack(stack_bytes);
  bast::arch::prepare(out_of_line_pair.there, stack.base() + stack_bytes, out_of_line_peer);
  run_this_side(
      state, [] { bast::arch::switch_out_of_line(out_of_line_pair.here, out_of_line_pair.there); });
}
BENCHMARK(bast_switch_out_of_line);

void boost_fiber(benchmark::State& state) {
  using boost::context::fiber;
  bool stop = false;
  fiber other([&stop](fiber&& main) {
    loop_with_ten_live([&stop] { return !stop; }, [&main] { main = std::move(main).resume(); });
    return std::move(main);
  });
  run_this_side(state, [&other] { other = std::move(other).resume(); });
  stop = true;
  other = std::move(other).resume();
}
BENCHMARK(boost_fiber);

}  // namespace

BENCHMARK_MAIN();
