// SPDX-License-Identifier: Apache-2.0
//
// The inline switch for aarch64. docs/context-switch.md explains the idea. Specific to this CPU:
//
// - x29 is the frame pointer and cannot be a clobber: saved by hand, as rbp is on x86-64.
// - Clang addresses locals through x19 where it uses rbx on x86-64: saved by hand, likewise.
// - x30 is an ordinary clobber: the compiler reloads the return address from the frame.
// - x18 is a temporary on Linux and a clobber like the others.
// - The ABI preserves the low halves of v8..v15; naming the vector registers covers them, and the
//   full width of their SVE twins. With SVE the predicate registers exist as well.
// - The jump goes through x17: with branch-target identification a jump through x16 or x17 may land
//   on `bti c` (the start of a fresh entry function) as well as on `bti j` (the label).
#pragma once

#include <cstring>

#include "bast/arch/context.hpp"
#include "bast/base.hpp"

extern "C" void bast_arch_enter() noexcept;  // switch.S

#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define BAST_ARCH_LANDING_PAD "hint #36\n\t"  // bti j
#else
#define BAST_ARCH_LANDING_PAD ""
#endif

#if defined(__clang__)
#define BAST_ARCH_SAVE_BASE "str x19, [sp, #-16]!\n\t"
#define BAST_ARCH_RESTORE_BASE "ldr x19, [sp], #16\n\t"
#define BAST_ARCH_BASE_CLOBBER
#else
#define BAST_ARCH_SAVE_BASE ""
#define BAST_ARCH_RESTORE_BASE ""
#define BAST_ARCH_BASE_CLOBBER "x19",
#endif

// As on x86-64: from the first of the two moves to the jump, unwinders find no return address
// (D13).
#if defined(__GCC_HAVE_DWARF2_CFI_ASM) && !defined(BAST_NO_SWITCH_CFI)
#define BAST_ARCH_BETWEEN_STACKS                                         \
  ".cfi_remember_state\n\t"                                              \
  ".cfi_def_cfa sp, 0\n\t"                                               \
  ".cfi_undefined x30\n\t"                                               \
  ".irp kept, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29\n\t" \
  ".cfi_same_value \\kept\n\t"                                           \
  ".endr\n\t"                                                            \
  ".irp kept, d8, d9, d10, d11, d12, d13, d14, d15\n\t"                  \
  ".cfi_same_value \\kept\n\t"                                           \
  ".endr\n\t"
#define BAST_ARCH_ON_ONE_STACK ".cfi_restore_state\n\t"
#else
#define BAST_ARCH_BETWEEN_STACKS ""
#define BAST_ARCH_ON_ONE_STACK ""
#endif

#if defined(__ARM_FEATURE_SVE)
#define BAST_ARCH_SVE_CLOBBERS                                                                     \
  , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", \
      "p15", "ffr"
#else
#define BAST_ARCH_SVE_CLOBBERS
#endif

namespace bast::inline BAST_ABI::arch {

[[gnu::always_inline]] inline void switch_inline(context& from, context& to) noexcept {
  // The operands arrive in any free registers and are moved into fixed ones here: a local register
  // variable does not survive the call that computes a thread-local's address before this
  // statement.
#if defined(__clang__)
  // Clang binds such a variable only at the statement. It must be fixed there: of the three
  // registers that are no clobbers, two would become the operands, and Clang would assume that the
  // third keeps its value.
  register context* load asm("x0") = &to;
  register context* save asm("x1") = &from;
  from.fp = __builtin_frame_address(0);  // Forces a frame pointer, because sp moves below.
#else
  context* load = &to;
  context* save = &from;
#endif
  asm volatile(
      "mov x10, %[to]\n\t"
      "mov x11, %[from]\n\t"
      "adr x9, 1f\n\t"  // where we will continue
      BAST_ARCH_SAVE_BASE
      "mov x12, sp\n\t"
      "stp x12, x9, [x11]\n\t"
      "str x29, [x11, #16]\n\t"
      "ldp x12, x17, [x10]\n\t"
      "mov x0, x10\n\t"  // `to`: a fresh entry function's argument
      "ldr x29, [x10, #16]\n\t" BAST_ARCH_BETWEEN_STACKS
      "mov sp, x12\n\t"
      "br x17\n\t" BAST_ARCH_ON_ONE_STACK "1:\n\t" BAST_ARCH_LANDING_PAD BAST_ARCH_RESTORE_BASE
      : [to] "+&r"(load), [from] "+&r"(save)
      :
      : BAST_ARCH_BASE_CLOBBER "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
        "x13", "x14", "x15", "x16", "x17", "x18", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
        "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
        "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
        "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "cc",
        "memory" BAST_ARCH_SVE_CLOBBERS);
}

/// Continues `to` and never returns. Saves nothing of the running flow of control, and neither does
/// the compiler.
[[noreturn, gnu::always_inline]] inline void leave_for(context& to) noexcept {
  asm volatile(
      "mov x10, %[to]\n\t"
      "ldp x12, x17, [x10]\n\t"
      "mov x0, x10\n\t"
      "ldr x29, [x10, #16]\n\t" BAST_ARCH_BETWEEN_STACKS
      "mov sp, x12\n\t"
      "br x17\n\t" BAST_ARCH_ON_ONE_STACK
      :
      : [to] "r"(&to)
      : "x0", "x10", "x12", "x17", "memory");
  __builtin_unreachable();
}

inline void prepare(context& fresh, std::byte* top, entry_function entry) noexcept {
  BAST_ASSERT(reinterpret_cast<std::uintptr_t>(top) % stack_alignment == 0);
  if (BAST_MUTANT(misaligned_entry)) top -= stack_alignment / 2;
  // bast_arch_enter pops the entry function and sets the link register.
  void* frame[2] = {};
  static_assert(sizeof frame <= entry_frame_bytes);
  std::memcpy(&frame[0], &entry, sizeof entry);
  std::memcpy(top - sizeof frame, frame, sizeof frame);
  fresh.sp = top - sizeof frame;
  fresh.pc = reinterpret_cast<void*>(&bast_arch_enter);
  fresh.fp = nullptr;  // Frame-pointer profilers stop at a zero frame pointer.
}

}  // namespace bast::inline BAST_ABI::arch

#undef BAST_ARCH_LANDING_PAD
#undef BAST_ARCH_SAVE_BASE
#undef BAST_ARCH_RESTORE_BASE
#undef BAST_ARCH_BASE_CLOBBER
#undef BAST_ARCH_BETWEEN_STACKS
#undef BAST_ARCH_ON_ONE_STACK
#undef BAST_ARCH_SVE_CLOBBERS
