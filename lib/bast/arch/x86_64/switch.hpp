// SPDX-License-Identifier: Apache-2.0
//
// The inline switch for x86-64. docs/context-switch.md explains the idea. Specific to this CPU:
//
//   A suspended context                        The stack that it left, untouched by the switch
//   +0   sp ------------------------------->   [ frame of the caller              ]
//   +8   pc -> label 1 in that function        [ its red zone, below sp           ]
//   +16  rbp of that function
//
// - Nothing is pushed: the caller's red zone below rsp may be in use, and stays intact.
// - Clang needs one word more. A function that both realigns and moves its stack pointer
//   (over-aligned locals and alloca) addresses its locals through rbx, and Clang does not save it
//   around an asm statement. So rbx is saved by hand, below the red zone, and is no clobber. Such a
//   function has a frame pointer anyway; every caller is made to have one, so that no unwind rule
//   depends on rsp.
// - rbp cannot be a clobber (the function may address its frame through it), so it is saved by
//   hand. Every other callee-saved register is a clobber.
// - The x87 and MMX registers are clobbers too: a switch in the middle of long double arithmetic is
//   legal. With AVX-512 the upper sixteen vector registers and the mask registers exist as well;
//   the xmm names of the lower sixteen cover their full width.
// - At the label the compiler's unwind information for this function is exact: rsp has its old
//   value again. From the first of the two moves to the jump it is not: the registers belong to the
//   other flow, the rules to this function. There the return address is undefined, so that a
//   profiler that unwinds from a signal stops (D13) and does not search memory for the caller.
#pragma once

#include <cstring>

#include "bast/arch/context.hpp"
#include "bast/base.hpp"

extern "C" const void* const bast_arch_stack_end;  // switch.S

// An indirect jump must land on endbr64 where indirect-branch tracking is on (bit 0 of __CET__).
#if defined(__CET__) && (__CET__ & 1)
#define BAST_ARCH_LANDING_PAD "endbr64\n\t"
#else
#define BAST_ARCH_LANDING_PAD ""
#endif

#if defined(__clang__)
#define BAST_ARCH_SAVE_BASE     \
  "leaq -136(%%rsp), %%rsp\n\t" \
  "movq %%rbx, 0(%%rsp)\n\t"
#define BAST_ARCH_RESTORE_BASE \
  "movq 0(%%rsp), %%rbx\n\t"   \
  "leaq 136(%%rsp), %%rsp\n\t"
#define BAST_ARCH_BASE_CLOBBER
#else
#define BAST_ARCH_SAVE_BASE ""
#define BAST_ARCH_RESTORE_BASE ""
#define BAST_ARCH_BASE_CLOBBER "rbx",
#endif

// Only where the compiler describes its functions by directives; elsewhere the assembler rejects
// these. Clang does not describe a function that cannot throw, with
// -fno-asynchronous-unwind-tables, and has no macro for that: there BAST_NO_SWITCH_CFI must be
// defined.
#if defined(__GCC_HAVE_DWARF2_CFI_ASM) && !defined(BAST_NO_SWITCH_CFI)
#define BAST_ARCH_BETWEEN_STACKS                \
  ".cfi_remember_state\n\t"                     \
  ".cfi_def_cfa rsp, 8\n\t"                     \
  ".cfi_undefined rip\n\t"                      \
  ".irp kept, rbx, rbp, r12, r13, r14, r15\n\t" \
  ".cfi_same_value \\kept\n\t"                  \
  ".endr\n\t"
#define BAST_ARCH_ON_ONE_STACK ".cfi_restore_state\n\t"
#else
#define BAST_ARCH_BETWEEN_STACKS ""
#define BAST_ARCH_ON_ONE_STACK ""
#endif

#if defined(__AVX512F__)
#define BAST_ARCH_AVX512_CLOBBERS                                                               \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", \
      "k6", "k7"
#else
#define BAST_ARCH_AVX512_CLOBBERS
#endif

namespace bast::inline BAST_ABI::arch {

[[gnu::always_inline]] inline void switch_inline(context& from, context& to) noexcept {
  context* load = &to;
  context* save = &from;
#if defined(__clang__)
  from.fp = __builtin_frame_address(0);  // Forces a frame pointer.
#endif
  asm volatile("leaq 1f(%%rip), %%rax\n\t"  // where we will continue
               BAST_ARCH_SAVE_BASE
               "movq %%rsp, 0(%1)\n\t"
               "movq %%rax, 8(%1)\n\t"
               "movq %%rbp, 16(%1)\n\t"
               "movq 16(%0), %%rbp\n\t" BAST_ARCH_BETWEEN_STACKS
               "movq 0(%0), %%rsp\n\t"
               "jmpq *8(%0)\n\t"  // rdi holds `to`: a fresh entry function's argument
               BAST_ARCH_ON_ONE_STACK "1:\n\t" BAST_ARCH_LANDING_PAD BAST_ARCH_RESTORE_BASE
               : "+D"(load), "+S"(save)
               :
               : BAST_ARCH_BASE_CLOBBER "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
                 "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",
                 "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "mm0", "mm1", "mm2",
                 "mm3", "mm4", "mm5", "mm6", "mm7", "cc", "memory" BAST_ARCH_AVX512_CLOBBERS);
}

/// Continues `to` and never returns. Saves nothing of the running flow of control, and neither does
/// the compiler.
[[noreturn, gnu::always_inline]] inline void leave_for(context& to) noexcept {
  asm volatile("movq 16(%0), %%rbp\n\t" BAST_ARCH_BETWEEN_STACKS
               "movq 0(%0), %%rsp\n\t"
               "jmpq *8(%0)\n\t" BAST_ARCH_ON_ONE_STACK
               :
               : "D"(&to)
               : "memory");
  __builtin_unreachable();
}

inline void prepare(context& fresh, std::byte* top, entry_function entry) noexcept {
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(top) % stack_alignment == 0);
  if (BAST_MUTANT(misaligned_entry)) top -= stack_alignment / 2;
  // At entry rsp is as after a call: 8 below a multiple of 16, pointing to the return address.
  const void* const return_address = bast_arch_stack_end;
  static_assert(sizeof return_address <= entry_frame_bytes);
  std::memcpy(top - sizeof return_address, &return_address, sizeof return_address);
  fresh.sp = top - sizeof return_address;
  std::memcpy(&fresh.pc, &entry, sizeof entry);
  fresh.fp = nullptr;  // Frame-pointer profilers stop at a zero frame pointer.
}

}  // namespace bast::inline BAST_ABI::arch

#undef BAST_ARCH_LANDING_PAD
#undef BAST_ARCH_SAVE_BASE
#undef BAST_ARCH_RESTORE_BASE
#undef BAST_ARCH_BASE_CLOBBER
#undef BAST_ARCH_BETWEEN_STACKS
#undef BAST_ARCH_ON_ONE_STACK
#undef BAST_ARCH_AVX512_CLOBBERS
