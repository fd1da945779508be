// SPDX-License-Identifier: Apache-2.0
//
// `switch_context(from, to)`: suspends the running flow of control into `from` and continues the
// one that is suspended in `to`. One contract, two forms that can be mixed freely, each proven
// against the other:
//
//   switch_inline       expands at the call site and tells the compiler that every register is
//                       lost, so only what is live is saved, and by the compiler. Little live: less
//                       than an indirect call.
//   switch_out_of_line  a function that saves the callee-saved registers itself. For the
//                       sanitizers, other compilers, and as the oracle of the inline form.
//
// Contract. `to` is a suspended context, or one made by `prepare`; it is not `from`. The call
// returns when somebody continues `from`, on the same thread or another. Preserved: stack and frame
// pointer, every callee-saved register, the direction flag (clear, as the ABI demands). Not
// touched: floating-point control words (float_control.hpp), the signal mask, exception state,
// thread-locals. Never returns through `ret`: the processor's return-address prediction belongs to
// the stack that was left.
//
// Two contexts rather than one block that is exchanged: loading and storing the same words in every
// switch makes each wait for the one before, and more than doubles its cost (bench: switch).
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

namespace bast::arch {

/// The out-of-line form; see the head of this file.
extern "C" void bast_arch_switch(context* to, context* from) noexcept;

[[gnu::always_inline]] inline void switch_out_of_line(context& from, context& to) noexcept {
  bast_arch_switch(&to, &from);
}

/// The form that this build uses. Sanitizers instrument around calls, not around asm statements
/// that change the stack, so they get the out-of-line form.
[[gnu::always_inline]] inline void switch_context(context& from, context& to) noexcept {
#if BAST_FORCE_OUT_OF_LINE_SWITCH || BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN
  switch_out_of_line(from, to);
#else
  switch_inline(from, to);
#endif
}

}  // namespace bast::arch
