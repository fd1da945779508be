// SPDX-License-Identifier: Apache-2.0
//
// `exchange(other)`: suspends the running flow of control into `other` and continues the one that
// `other` held. One contract, two forms that can be mixed freely, each proven against the other:
//
//   exchange_inline       expands at the call site and tells the compiler that every register is
//                         lost, so only what is live is saved, and by the compiler. Little live:
//                         about the cost of an indirect jump.
//   exchange_out_of_line  a function that saves the callee-saved registers itself. For the
//                         sanitizers, other compilers, and as the oracle of the inline form.
//
// Contract. `other` is a suspended context, or one made by `prepare`. After the call it holds the
// caller, until somebody exchanges it again; the call returns then, on the same thread or another.
// Preserved: stack and frame pointer, every callee-saved register, the direction flag (clear, as
// the ABI demands). Not touched: floating-point control words (float_control.hpp), the signal mask,
// exception state, thread-locals. Never returns through `ret`: the processor's return-address
// prediction belongs to the stack that was left.
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
extern "C" void bast_arch_exchange(context* other) noexcept;

[[gnu::always_inline]] inline void exchange_out_of_line(context& other) noexcept {
  bast_arch_exchange(&other);
}

/// The form that this build uses. Sanitizers instrument around calls, not around asm statements
/// that change the stack, so they get the out-of-line form.
[[gnu::always_inline]] inline void exchange(context& other) noexcept {
#if BAST_FORCE_OUT_OF_LINE_SWITCH || BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN
  exchange_out_of_line(other);
#else
  exchange_inline(other);
#endif
}

}  // namespace bast::arch
