// SPDX-License-Identifier: Apache-2.0
//
// Every form of an instruction that `decode_arm` distinguishes, and similar ones that must not be
// confused with it: bytes and assembler syntax. The whole decoded record of each is compared.
#include <elf.h>
#include <gtest/gtest.h>

#include "code/testing/decoded_forms.hpp"
#include "model/test_whole.hpp"

namespace bast_stacks {
namespace {

constexpr char arm_forms[] = R"(04000094 bl .+0x10
fcffff97 bl .-0x10
60003fd6 blr x3
05000014 b .+0x14
fbffff17 b .-0x14
c0000054 b.eq .+0x18
ee000054 b.al .+0x1c
0f010054 b.nv .+0x20
48ffff54 b.hi .-0x18
80001fd6 br x4
200100b4 cbz x0, .+0x24
e5feff35 cbnz w5, .-0x24
40011836 tbz x0, #3, .+0x28
c0fe0fb7 tbnz x0, #33, .-0x28
c0035fd6 ret
20005fd6 ret x1
200020d4 brk #1
200040d4 hlt #1
010000d4 svc #0
1f2003d5 nop
5f2403d5 bti c
3f2303d5 paciasp
bf2303d5 autiasp
bf3b03d5 dmb ish
fd7bbea9 stp x29, x30, [sp, #-32]!
fd7b02a9 stp x29, x30, [sp, #32]
fd7b3ea9 stp x29, x30, [sp, #-32]
fd7b83a8 stp x29, x30, [sp], #48
3d78bea9 stp x29, x30, [x1, #-32]!
bd7b3da9 stp x29, x30, [x29, #-48]
fd7bc2a8 ldp x29, x30, [sp], #32
f35341a9 ldp x19, x20, [sp, #16]
f3537fa9 ldp x19, x20, [sp, #-16]
f353ffa9 ldp x19, x20, [sp, #-16]!
b3537ca9 ldp x19, x20, [x29, #-64]
3350c2a8 ldp x19, x20, [x1], #32
f30f1ff8 str x19, [sp, #-16]!
f38701f8 str x19, [sp], #24
f30f00f9 str x19, [sp, #24]
f3831ef8 stur x19, [sp, #-24]
b3831df8 stur x19, [x29, #-40]
33801df8 stur x19, [x1, #-40]
336822f8 str x19, [x1, x2]
338c00f8 str x19, [x1, #8]!
f30741f8 ldr x19, [sp], #16
f30f5cf8 ldr x19, [sp, #-64]!
f30f40f9 ldr x19, [sp, #24]
330c40f9 ldr x19, [x1, #24]
b30f40f9 ldr x19, [x29, #24]
f3835ef8 ldur x19, [sp, #-24]
b3735df8 ldur x19, [x29, #-41]
336862f8 ldr x19, [x1, x2]
337862f8 ldr x19, [x1, x2, lsl #3]
41486338 ldrb w1, [x2, w3, uxtw]
41586378 ldrh w1, [x2, w3, uxtw #1]
4178a3b8 ldrsw x1, [x2, x3, lsl #2]
f36b62f8 ldr x19, [sp, x2]
81010058 ldr x1, .+0x30
410c4039 ldrb w1, [x2, #3]
41fcdfc8 ldar x1, [x2]
417c5fc8 ldxr x1, [x2]
627c01c8 stxr w1, x2, [x3]
2070df4c ld1 {v0.16b}, [x1], #16
e0739f4c st1 {v0.16b}, [sp], #16
e00f9f3c str q0, [sp, #-16]!
e08f1ffc str d0, [sp, #-8]!
200480f9 prfm pldl1keep, [x1, #8]
bf030091 mov sp, x29
3f010091 mov sp, x9
fd030091 mov x29, sp
e0030091 mov x0, sp
e00301aa mov x0, x1
804682d2 mov x0, #0x1234
e0030011 mov w0, wsp
ff430011 add wsp, wsp, #16
1f000011 mov wsp, w0
a000a0f2 movk x0, #5, lsl #16
ff830091 add sp, sp, #32
ff074091 add sp, sp, #1, lsl #12
bf430091 add sp, x29, #16
3f094091 add sp, x9, #2, lsl #12
ff63208b add sp, sp, x0
ff8300d1 sub sp, sp, #32
ff0740d1 sub sp, sp, #1, lsl #12
bf4300d1 sub sp, x29, #16
3f0d40d1 sub sp, x9, #3, lsl #12
ff6320cb sub sp, sp, x0
ff7320cb sub sp, sp, x0, lsl #4
3fe97b92 and sp, x9, #-32
3fed7c92 and sp, x9, #-16
bfbf7092 and sp, x29, #-65536
3fb96f92 and sp, x9, #-131072
3f1d4092 and sp, x9, #0xff
3f0140b2 orr sp, x9, #1
3f0140d2 eor sp, x9, #1
ff6320eb cmp sp, x0
ff632aeb cmp sp, x10
ff4300f1 cmp sp, #16
ff0740f1 cmp sp, #1, lsl #12
ff6323ab cmn sp, x3
ff4300b1 cmn sp, #16
1f0001eb cmp x0, x1
1f0c00f1 cmp x0, #3
1f0001ab cmn x0, x1
1f0001ea tst x0, x1
e0430091 add x0, sp, #16
e0074091 add x0, sp, #1, lsl #12
e063218b add x0, sp, x1
00200091 add x0, x0, #8
00044091 add x0, x0, #1, lsl #12
0000018b add x0, x0, x1
20200091 add x0, x1, #8
fd030191 add x29, sp, #64
e04300d1 sub x0, sp, #16
e00740d1 sub x0, sp, #1, lsl #12
002000d1 sub x0, x0, #8
000440d1 sub x0, x0, #1, lsl #12
000001cb sub x0, x0, x1
202000d1 sub x0, x1, #8
e98304d1 sub x9, sp, #0x120
002000b1 adds x0, x0, #8
00ec7c92 and x0, x0, #-16
29ed7c92 and x9, x9, #-16
00020010 adr x0, .+0x40
00000090 adrp x0, .
200c029b madd x0, x1, x2, x3
2000829a csel x0, x1, x2, eq
40d03bd5 mrs x0, tpidr_el0
40d01bd5 msr tpidr_el0, x0
0000679e fmov d0, x0
0000669e fmov x0, d0
e827416d ldp d8, d9, [sp, #16]
e80b40fd ldr d8, [sp, #16]
40044069 ldpsw x0, x1, [x2]
20c05fb8 ldur w0, [x1, #-4]
20048039 ldrsb x0, [x1, #1]
000041fa ccmp x0, x1, #0, eq
e073c14c ld1 {v0.16b}, [sp], x1
2070824c st1 {v0.16b}, [x1], x2
092841a9 ldp x9, x10, [x0, #16]
e827c16c ldp d8, d9, [sp], #16
ff0b5fd6 retaa
ff0f5fd6 retab
ff0b9fd6 eretaa
22081fd7 braa x1, x2
3f081fd6 braaz x1
3f0c1fd7 brab x1, sp
22083fd7 blraa x1, x2
7f0c3fd6 blrabz x3
e0039fd6 eret
00000000 .inst 0x00000000
ffff0000 .inst 0x0000ffff
)";

TEST(DecoderArm, EveryFormHasItsWholeRecord) {
  test::expect_whole("code/whole/arm_forms.txt", test::decoded_forms(EM_AARCH64, arm_forms));
}

}  // namespace
}  // namespace bast_stacks
