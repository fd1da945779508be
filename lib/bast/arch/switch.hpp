// SPDX-License-Identifier: Apache-2.0
//
// `switch_context(from, to)`: suspends the running flow of control into `from` and continues the
// one that is suspended in `to`. One contract, two forms that can be mixed freely; the tests
// compare them with each other:
//
//   switch_inline       Expands at the call site and clobbers every register, so the compiler saves
//                       exactly what is live. With few live values it costs less than an indirect
//                       call.
//   switch_out_of_line  A function that saves the callee-saved registers itself. For sanitizers and
//                       other compilers, and as the oracle of the inline form.
//
// Contract. `to` is a suspended context, or one made by `prepare`; it is not `from`. The call
// returns when another flow continues `from`, on the same thread or another. Preserved: stack and
// frame pointer, every callee-saved register, the direction flag (clear, as the ABI requires). Not
// touched: floating-point control words (float_control.hpp), the signal mask, exception state,
// thread-locals. Never returns through `ret`: the processor's return-address predictor holds the
// calls of the stack that was left.
//
// Two contexts instead of one block that is exchanged: a load and a store of the same words in
// every switch would make each switch wait for the previous one, and more than double its cost
// (bench: switch).
//
// Async-signal-unsafe; allocates nothing; never fails.
#pragma once

#include <bast/config.hpp>

#include "bast/arch/context.hpp"

#if defined(__x86_64__)
#include "bast/arch/x86_64/switch.hpp"
#elif defined(__aarch64__)
#include "bast/arch/aarch64/switch.hpp"
#else
#error "bast runs on x86-64 and aarch64 Linux"
#endif

namespace bast::inline BAST_ABI::arch {

/// The out-of-line form. See the contract above.
extern "C" void bast_arch_switch(context* to, context* from) noexcept;

[[gnu::always_inline]] inline void switch_out_of_line(context& from, context& to) noexcept {
  bast_arch_switch(&to, &from);
}

/// The form that this build uses. Sanitizers instrument calls, not asm statements that change the
/// stack, so they get the out-of-line form.
[[gnu::always_inline]] inline void switch_context(context& from, context& to) noexcept {
#if BAST_FORCE_OUT_OF_LINE_SWITCH || BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN
  switch_out_of_line(from, to);
#else
  switch_inline(from, to);
#endif
}

}  // namespace bast::inline BAST_ABI::arch
