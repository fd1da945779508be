// SPDX-License-Identifier: Apache-2.0
//
// Every form of an instruction that `decode_x86` distinguishes, and similar ones that must not be
// confused with it: bytes and assembler syntax. The whole decoded record of each is compared.
#include <elf.h>
#include <gtest/gtest.h>

#include "code/testing/decoded_forms.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

constexpr char x86_forms[] = R"(e810000000 call .+0x15
e8ebffffff call .-0x10
ff1510000000 call *0x10(%rip)
ff15e0ffffff call *-0x20(%rip)
ffd0 call *%rax
ff5008 call *8(%rax)
ff14c7 call *(%rdi,%rax,8)
ff1487 call *(%rdi,%rax,4)
ff5424f8 call *-8(%rsp)
ff1d10000000 lcall *0x10(%rip)
eb10 jmp .+0x12
e9b6dcfeff jmp .-0x12345
ff2530000000 jmp *0x30(%rip)
ffe0 jmp *%rax
ff24c7 jmp *(%rdi,%rax,8)
ff2487 jmp *(%rdi,%rax,4)
ff24c500010000 jmp *0x100(,%rax,8)
3effe2 notrack jmp *%rdx
7410 je .+0x12
0f8500100000 jne .+0x1006
e320 jrcxz .+0x22
e2de loop .-0x20
c7f810000000 xbegin .+0x16
c3 ret
c21000 ret $16
cb lret
48cf iretq
f4 hlt
0f0b ud2
cc int3
cd80 int $0x80
0f05 syscall
90 nop
0f1f440008 nopl 0x8(%rax,%rax,1)
660f1f44c4f8 nopw -0x8(%rsp,%rax,8)
f30f1efa endbr64
0fa2 cpuid
40b400 mov $0,%spl
40b410 mov $0x10,%spl
66bc0000 mov $0,%sp
66bc0001 mov $0x100,%sp
bc00000000 mov $0,%esp
89c4 mov %eax,%esp
4088c4 mov %al,%spl
4080e4f0 and $0xf0,%spl
6683e4f0 and $-0x10,%sp
83e4f0 and $-0x10,%esp
83ec10 sub $0x10,%esp
83fc10 cmp $0x10,%esp
480fc1e0 xadd %rsp,%rax
480fc1c4 xadd %rax,%rsp
480f44e0 cmove %rax,%rsp
4887c1 xchg %rax,%rcx
4887c4 xchg %rax,%rsp
480fcc bswap %rsp
89c3 mov %eax,%ebx
b301 mov $1,%bl
b701 mov $1,%bh
4488e3 mov %r12b,%bl
4183c401 add $1,%r12d
488d4424f0 lea -0x10(%rsp),%rax
488d6424f0 lea -0x10(%rsp),%rsp
55 push %rbp
6a05 push $5
6845230100 push $0x12345
6650 pushw %ax
666a05 pushw $5
ff30 push (%rax)
ff7424f8 push -8(%rsp)
66ff7008 pushw 8(%rax)
ff75e8 push -0x18(%rbp)
9c pushfq
9d popfq
5d pop %rbp
5c pop %rsp
415c pop %r12
6658 popw %ax
8f00 pop (%rax)
8f442408 pop 8(%rsp)
668f4008 popw 8(%rax)
c9 leave
c8100000 enter $16,$0
4894 xchg %rax,%rsp
4887e1 xchg %rsp,%rcx
4887ca xchg %rcx,%rdx
48876708 xchg %rsp,8(%rdi)
4839c4 cmp %rax,%rsp
4c39dc cmp %r11,%rsp
4883fc08 cmp $8,%rsp
483b6008 cmp 8(%rax),%rsp
4885c4 test %rax,%rsp
4885e4 test %rsp,%rsp
4885e1 test %rsp,%rcx
4839e1 cmp %rsp,%rcx
4839ca cmp %rcx,%rdx
4883fa09 cmp $9,%rdx
48396008 cmp %rsp,8(%rax)
483b4c24f8 cmp -0x8(%rsp),%rcx
4883ec18 sub $0x18,%rsp
4881ec38120000 sub $0x1238,%rsp
4883ec80 sub $-0x80,%rsp
4829c4 sub %rax,%rsp
482b6008 sub 8(%rax),%rsp
4883c418 add $0x18,%rsp
4881c4c8edffff add $-0x1238,%rsp
4801c4 add %rax,%rsp
48036008 add 8(%rax),%rsp
4883e4f0 and $-16,%rsp
4883e4ff and $-1,%rsp
4883e4c0 and $-64,%rsp
4881e40000ffff and $-65536,%rsp
4881e4fffffeff and $-65537,%rsp
4881e40000feff and $-131072,%rsp
4883e440 and $64,%rsp
4883e400 and $0,%rsp
4821c4 and %rax,%rsp
48236008 and 8(%rax),%rsp
488d642448 lea 0x48(%rsp),%rsp
488d6424b8 lea -0x48(%rsp),%rsp
488d65d8 lea -0x28(%rbp),%rsp
498d6228 lea 0x28(%r10),%rsp
488d640410 lea 0x10(%rsp,%rax,1),%rsp
488d640510 lea 0x10(%rbp,%rax,1),%rsp
488d2510000000 lea 0x10(%rip),%rsp
4889ec mov %rbp,%rsp
4c89d4 mov %r10,%rsp
488b27 mov (%rdi),%rsp
488b6424e8 mov -0x18(%rsp),%rsp
48c7c445230100 mov $0x12345,%rsp
4831e4 xor %rsp,%rsp
4883cc08 or $8,%rsp
48ffc4 inc %rsp
48f7dc neg %rsp
48f7d4 not %rsp
4883d408 adc $8,%rsp
480f44e0 cmove %rax,%rsp
486be003 imul $3,%rax,%rsp
480fa3c4 bt %rax,%rsp
48632482 movslq (%rdx,%rax,4),%rsp
4883c008 add $8,%rax
4883c0f8 add $-8,%rax
4981c234120000 add $0x1234,%r10
4801d8 add %rbx,%rax
48034308 add 8(%rbx),%rax
4883e808 sub $8,%rax
4981eaccedffff sub $-0x1234,%r10
4829d8 sub %rbx,%rax
4883d008 adc $8,%rax
4883e0f0 and $-16,%rax
4839d8 cmp %rbx,%rax
4885d8 test %rbx,%rax
4889e0 mov %rsp,%rax
4889e5 mov %rsp,%rbp
4889d8 mov %rbx,%rax
488b03 mov (%rbx),%rax
488b4424f0 mov -0x10(%rsp),%rax
8b45ec mov -0x14(%rbp),%eax
8b4514 mov 0x14(%rbp),%eax
488b04c2 mov (%rdx,%rax,8),%rax
8b0482 mov (%rdx,%rax,4),%eax
8b0442 mov (%rdx,%rax,2),%eax
488b4c84d0 mov -0x30(%rsp,%rax,4),%rcx
b805000000 mov $5,%eax
48b89a78563412000000 movabs $0x123456789a,%rax
488d442418 lea 0x18(%rsp),%rax
488d4424e8 lea -0x18(%rsp),%rax
488d441c18 lea 0x18(%rsp,%rbx,1),%rax
488d0518000000 lea 0x18(%rip),%rax
488d05e8ffffff lea -0x18(%rip),%rax
488d4318 lea 0x18(%rbx),%rax
488d45e8 lea -0x18(%rbp),%rax
488d0482 lea (%rdx,%rax,4),%rax
31c0 xor %eax,%eax
48ffc0 inc %rax
48f7e3 mul %rbx
486bc303 imul $3,%rbx,%rax
480fafc3 imul %rbx,%rax
0fb64424f7 movzbl -0x9(%rsp),%eax
48630482 movslq (%rdx,%rax,4),%rax
0f94c0 sete %al
0f954424f6 setne -0xa(%rsp)
89442480 mov %eax,-0x80(%rsp)
89857fffffff mov %eax,-0x81(%rbp)
89442410 mov %eax,0x10(%rsp)
894510 mov %eax,0x10(%rbp)
890424 mov %eax,(%rsp)
488943e0 mov %rax,-0x20(%rbx)
0f294424e8 movaps %xmm0,-0x18(%rsp)
0f284424e8 movaps -0x18(%rsp),%xmm0
66480f6ec4 movq %rsp,%xmm0
66480f7ec4 movq %xmm0,%rsp
f3a4 rep movsb
f348ab rep stosq
669c pushfw
669d popfw
0fa0 push %fs
660fa1 popw %fs
ff2d10000000 ljmp *0x10(%rip)
e11e loope .+0x20
cf iret
)";

TEST(DecoderX86, EveryFormHasItsWholeRecord) {
  test::expect_whole("code/whole/x86_forms.txt", test::decoded_forms(EM_X86_64, x86_forms));
}

}  // namespace
}  // namespace bast_stacks
