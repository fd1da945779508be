// SPDX-License-Identifier: Apache-2.0
//
// The out-of-line switch for aarch64, the entry to a fresh stack, and the end of every stack.
//
//   context           the suspended stack (160 bytes)
//   sp  ----------->  x19 x20 | x21 x22 | x23 x24 | x25 x26 | x27 x28
//   pc -> .Lcontinue  d8 d9   | d10 d11 | d12 d13 | d14 d15
//   fp  = x29         x30 (the return address), padding
//
// A fresh context, made by prepare():
//
//   sp  ----------->  the entry function, padding
//   pc -> bast_arch_enter
//   fp  = 0
//
        .text

// void bast_arch_switch(context* to, context* from)
        .globl  bast_arch_switch
        .type   bast_arch_switch, %function
        .p2align 4
bast_arch_switch:
        .cfi_startproc
        hint    #34                     // bti c
        // The callee-saved registers but x29, which travels in the context.
        sub     sp, sp, #160
        .cfi_adjust_cfa_offset 160
        stp     x19, x20, [sp, #0]
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        stp     x21, x22, [sp, #16]
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        stp     x23, x24, [sp, #32]
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        stp     x25, x26, [sp, #48]
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        stp     x27, x28, [sp, #64]
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        stp     d8, d9, [sp, #80]
        .cfi_rel_offset d8, 80
        .cfi_rel_offset d9, 88
        stp     d10, d11, [sp, #96]
        .cfi_rel_offset d10, 96
        .cfi_rel_offset d11, 104
        stp     d12, d13, [sp, #112]
        .cfi_rel_offset d12, 112
        .cfi_rel_offset d13, 120
        stp     d14, d15, [sp, #128]
        .cfi_rel_offset d14, 128
        .cfi_rel_offset d15, 136
        str     x30, [sp, #144]
        .cfi_rel_offset x30, 144
        adr     x9, .Lcontinue
        mov     x10, sp
        stp     x10, x9, [x1]
        str     x29, [x1, #16]
        ldp     x10, x17, [x0]
        ldr     x29, [x0, #16]
        // From here to the jump unwinders find no caller, as on x86-64 (D13). The callee-saved
        // registers count as unchanged.
        .cfi_remember_state
        .cfi_def_cfa sp, 0
        .cfi_undefined x30
        .irp    register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29
        .cfi_same_value \register
        .endr
        .irp    register, d8, d9, d10, d11, d12, d13, d14, d15
        .cfi_same_value \register
        .endr
        mov     sp, x10
        br      x17                     // x0 holds `to`: a fresh entry function's argument
        .cfi_restore_state
.Lcontinue:
        hint    #36                     // bti j
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     d8, d9, [sp, #80]
        ldp     d10, d11, [sp, #96]
        ldp     d12, d13, [sp, #112]
        ldp     d14, d15, [sp, #128]
        ldr     x30, [sp, #144]
        add     sp, sp, #160
        .cfi_adjust_cfa_offset -160
        // Memory below the stack pointer belongs to signal frames.
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        .cfi_restore x30
        // Landing pads are not checked for a return; a jump to a return address would be checked.
        ret
        .cfi_endproc
        .size   bast_arch_switch, . - bast_arch_switch

// The first instructions on a fresh stack. On this CPU the return address is in a register, which
// must be set before the entry function runs.
        .globl  bast_arch_enter
        .type   bast_arch_enter, %function
        .p2align 4
bast_arch_enter:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36                     // bti j
        ldr     x17, [sp], #16          // the entry function
        adr     x30, .Lstack_end
        br      x17                     // x0 holds `to`
        .cfi_endproc
        .size   bast_arch_enter, . - bast_arch_enter

// The return address of every entry function, as on x86-64.
        .type   bast_arch_stack_end_procedure, %function
bast_arch_stack_end_procedure:
        .cfi_startproc
        .cfi_undefined x30
        nop
.Lstack_end:
        brk     #0xba57
        .cfi_endproc
        .size   bast_arch_stack_end_procedure, . - bast_arch_stack_end_procedure

// Its address, as on x86-64. Here bast_arch_enter sets it, and only tests read this variable.
        .section .data.rel.ro, "aw", %progbits
        .p2align 3
        .globl  bast_arch_stack_end
        .type   bast_arch_stack_end, %object
        .size   bast_arch_stack_end, 8
bast_arch_stack_end:
        .quad   .Lstack_end

        .section .note.GNU-stack, "", %progbits

// Supports branch-target identification. The note declares that, because one object without it
// disables the protection for the whole program. Return addresses are not signed here, so the
// object does not claim PAC.
        .section .note.gnu.property, "a", %note
        .p2align 3
        .long   4               // length of the name
        .long   16              // length of the description
        .long   5               // NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000000      // GNU_PROPERTY_AARCH64_FEATURE_1_AND
        .long   4
        .long   1               // GNU_PROPERTY_AARCH64_FEATURE_1_BTI
        .long   0               // padding to 8
