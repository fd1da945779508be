// SPDX-License-Identifier: Apache-2.0
//
// The out-of-line switch for x86-64, and the end of every coroutine's stack.
//
// A suspended context. The inline form leaves its own frame in place of the six words. The resumer
// does not distinguish the forms: it loads sp, pc and rbp and jumps.
//
//   context           the suspended stack
//   sp  ----------->  r15
//   pc -> .Lcontinue  r14
//   fp  = rbp         r13
//                     r12
//                     rbx
//                     return address into the caller of bast_arch_switch
//
// A fresh context, made by prepare():
//
//   sp  ----------->  bast_arch_stack_end   the "return address" of the entry function: at entry
//   pc -> the entry   (top of the stack)    rsp is 8 below a multiple of 16, as after a call
//   fp  = 0
//
        .text

// void bast_arch_switch(context* to, context* from)
        .globl  bast_arch_switch
        .type   bast_arch_switch, @function
        .p2align 4
bast_arch_switch:
        .cfi_startproc
        endbr64
        leaq    .Lcontinue(%rip), %rax
        movq    8(%rdi), %rcx           // where `to` continues
        // The callee-saved registers except rbp, which is in the context. They are stored in the
        // red zone, which no signal touches, instead of pushed: rsp moves once, and the frame keeps
        // a constant distance from it.
        movq    %rbx, -8(%rsp)
        movq    %r12, -16(%rsp)
        movq    %r13, -24(%rsp)
        movq    %r14, -32(%rsp)
        movq    %r15, -40(%rsp)
        leaq    -40(%rsp), %rdx
        movq    %rdx, 0(%rsi)
        movq    %rax, 8(%rsi)
        movq    %rbp, 16(%rsi)
        movq    16(%rdi), %rbp
        // From here until the frame on the other stack is known, unwinders find no caller: the
        // registers belong to the other flow (D13).
        .cfi_remember_state
        .cfi_undefined %rip
        .cfi_same_value %rbp
        movq    0(%rdi), %rsp
        // Now on the other stack. If that flow left through this function too, it continues right
        // below, without an indirect jump. The only one is at the end, because two in a row make
        // each other mispredict.
        cmpq    %rax, %rcx
        jne     .Lother
        .cfi_restore_state
        .cfi_adjust_cfa_offset 40
        .cfi_rel_offset %rbx, 32
        .cfi_rel_offset %r12, 24
        .cfi_rel_offset %r13, 16
        .cfi_rel_offset %r14, 8
        .cfi_rel_offset %r15, 0
.Lcontinue:
        endbr64
        movq    0(%rsp), %r15
        movq    8(%rsp), %r14
        movq    16(%rsp), %r13
        movq    24(%rsp), %r12
        movq    32(%rsp), %rbx
        movq    40(%rsp), %rcx
        addq    $48, %rsp
        .cfi_adjust_cfa_offset -48
        .cfi_restore %r15
        .cfi_restore %r14
        .cfi_restore %r13
        .cfi_restore %r12
        .cfi_restore %rbx
        .cfi_register %rip, %rcx
        // Not `ret`: the return-address predictor holds the calls of the stack that was left, and a
        // misprediction costs five times this jump. The return address is no landing pad, so the
        // jump is marked `notrack`.
        notrack jmpq *%rcx
.Lother:
        .cfi_undefined %rip
        // A fresh context, or one suspended by the inline form. rdi holds `to`: it is the argument
        // of a fresh entry function.
        jmpq    *%rcx
        .cfi_endproc
        .size   bast_arch_switch, . - bast_arch_switch

// The return address of every entry function. Never executed, only looked up. Unwinders look up the
// instruction before a return address, hence the nop inside the procedure, and read there that the
// frame has no caller.
        .type   bast_arch_stack_end_procedure, @function
bast_arch_stack_end_procedure:
        .cfi_startproc
        .cfi_undefined %rip
        nop
.Lstack_end:
        ud2
        .cfi_endproc
        .size   bast_arch_stack_end_procedure, . - bast_arch_stack_end_procedure

// Its address, for prepare(), which is inlined into users of a shared library. A variable instead
// of the label: for a function of another object a linker may substitute its own stub, where an
// unwinder would not find the end.
        .section .data.rel.ro, "aw", @progbits
        .p2align 3
        .globl  bast_arch_stack_end
        .type   bast_arch_stack_end, @object
        .size   bast_arch_stack_end, 8
bast_arch_stack_end:
        .quad   .Lstack_end

        .section .note.GNU-stack, "", @progbits

// Supports indirect-branch tracking. The note declares that, because one object without it disables
// the protection for the whole program. It does not claim shadow stacks: a coroutine has none, and
// a program that links bast must not be started with them enforced.
        .section .note.gnu.property, "a", @note
        .p2align 3
        .long   4               // length of the name
        .long   16              // length of the description
        .long   5               // NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002      // GNU_PROPERTY_X86_FEATURE_1_AND
        .long   4
        .long   1               // GNU_PROPERTY_X86_FEATURE_1_IBT
        .long   0               // padding to 8
