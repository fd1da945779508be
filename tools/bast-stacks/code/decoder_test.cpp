// SPDX-License-Identifier: Apache-2.0
#include "code/decoder.hpp"

#include <elf.h>
#include <gtest/gtest.h>

#include "code/x86_length.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t pc = 0x1000;

step x86(const std::vector<std::uint8_t>& code) {
  decoder engine(EM_X86_64);
  step out;
  EXPECT_TRUE(engine.decode(code, pc, out));
  EXPECT_EQ(out.bytes, code.size());
  return out;
}

step arm(std::uint32_t word) {
  decoder engine(EM_AARCH64);
  step out;
  const std::uint8_t code[] = {
      static_cast<std::uint8_t>(word), static_cast<std::uint8_t>(word >> 8),
      static_cast<std::uint8_t>(word >> 16), static_cast<std::uint8_t>(word >> 24)};
  EXPECT_TRUE(engine.decode(code, pc, out));
  EXPECT_EQ(out.bytes, 4U);
  return out;
}

TEST(DecoderX86, FindsWhereCallsAndJumpsGo) {
  const auto call = x86({0xe8, 0x10, 0, 0, 0});
  EXPECT_EQ(call.leads, flow::call);
  EXPECT_EQ(call.target_is, target_kind::direct);
  EXPECT_EQ(call.target, pc + 5 + 0x10);
  const auto slot = x86({0xff, 0x15, 0x10, 0, 0, 0});  // call *0x10(%rip)
  EXPECT_EQ(slot.target_is, target_kind::slot);
  EXPECT_EQ(slot.target, pc + 6 + 0x10);
  EXPECT_EQ(x86({0xff, 0xd0}).target_is, target_kind::unknown);  // call *%rax
  EXPECT_EQ(x86({0xff, 0xd0}).leads, flow::call);
  EXPECT_EQ(x86({0xeb, 0x10}).leads, flow::jump);
  EXPECT_EQ(x86({0x74, 0x10}).leads, flow::branch);
  EXPECT_EQ(x86({0xc3}).leads, flow::leaves);
  EXPECT_EQ(x86({0x0f, 0x0b}).leads, flow::leaves);
}

TEST(DecoderX86, FollowsTheStackPointer) {
  EXPECT_EQ(x86({0x55}).amount, -8);                              // push %rbp
  EXPECT_EQ(x86({0x5d}).amount, 8);                               // pop %rbp
  EXPECT_EQ(x86({0x48, 0x83, 0xec, 0x18}).amount, -0x18);         // sub $0x18,%rsp
  EXPECT_EQ(x86({0x48, 0x83, 0xc4, 0x80}).amount, -0x80);         // add $-0x80,%rsp
  EXPECT_EQ(x86({0x48, 0x83, 0xe4, 0xc0}).alignment, 64U);        // and $-64,%rsp
  EXPECT_EQ(x86({0x48, 0x29, 0xc4}).change, sp_change::unknown);  // sub %rax,%rsp
  EXPECT_EQ(x86({0x48, 0x8b, 0x27}).change, sp_change::loaded);   // mov (%rdi),%rsp
  const auto lea = x86({0x48, 0x8d, 0x65, 0xf0});                 // lea -0x10(%rbp),%rsp
  EXPECT_EQ(lea.change, sp_change::from_register);
  EXPECT_EQ(lea.amount, -0x10);
  EXPECT_EQ(x86({0x48, 0x39, 0xc4}).change, sp_change::none);  // cmp %rax,%rsp
  EXPECT_NE(x86({0x48, 0x39, 0xc4}).compared_with_sp, 0U);
}

TEST(DecoderX86, FindsWhatIsTouchedBelowTheStackPointer) {
  EXPECT_EQ(x86({0x89, 0x44, 0x24, 0xf0}).below_sp, 0x10U);        // mov %eax,-0x10(%rsp)
  EXPECT_EQ(x86({0x89, 0x45, 0xec}).below_fp, 0x14U);              // mov %eax,-0x14(%rbp)
  EXPECT_EQ(x86({0x48, 0x8d, 0x44, 0x24, 0xf0}).below_sp, 0x10U);  // lea -0x10(%rsp),%rax
}

TEST(DecoderX86, PassesByWhatCapstoneDoesNotKnow) {
  EXPECT_EQ(unknown_x86_length(std::vector<std::uint8_t>{0xc5, 0xfb, 0x92, 0xd1}), 4U);
  EXPECT_EQ(unknown_x86_length(std::vector<std::uint8_t>{0x62, 0xf3, 0x7d, 0x20, 0x3f, 0x07, 0x00}),
            7U);
  EXPECT_EQ(unknown_x86_length(std::vector<std::uint8_t>{0xf3, 0x48, 0x0f, 0x1e, 0xc8}), 5U);
  EXPECT_EQ(unknown_x86_length(std::vector<std::uint8_t>{0x0f, 0x01, 0xee, 0x90}), 3U);
  EXPECT_EQ(unknown_x86_length(std::vector<std::uint8_t>{0x62, 0xf3, 0x7d, 0x20}), 0U);
  EXPECT_EQ(unknown_x86_length(std::vector<std::uint8_t>{0x90, 0x90, 0x90, 0x90}), 0U);
}

TEST(DecoderX86, SaysWhatIsNoInstruction) {
  decoder engine(EM_X86_64);
  step out;
  const std::uint8_t code[] = {0x06, 0x06, 0x06, 0x06};
  EXPECT_FALSE(engine.decode(code, pc, out));
  EXPECT_FALSE(engine.decode({}, pc, out));
}

TEST(DecoderArm, FindsWhereCallsAndJumpsGo) {
  const auto call = arm(0x94000004);  // bl .+16
  EXPECT_EQ(call.leads, flow::call);
  EXPECT_EQ(call.target, pc + 16);
  EXPECT_EQ(arm(0xd63f0000).leads, flow::call);  // blr x0
  EXPECT_EQ(arm(0xd63f0000).target_is, target_kind::unknown);
  EXPECT_EQ(arm(0x14000004).leads, flow::jump);    // b .+16
  EXPECT_EQ(arm(0x54000080).leads, flow::branch);  // b.eq .+16
  EXPECT_EQ(arm(0xb4000080).leads, flow::branch);  // cbz x0, .+16
  EXPECT_EQ(arm(0xb4000080).target, pc + 16);
  EXPECT_EQ(arm(0xd61f0000).leads, flow::jump);    // br x0
  EXPECT_EQ(arm(0xd65f03c0).leads, flow::leaves);  // ret
}

TEST(DecoderArm, FollowsTheStackPointer) {
  EXPECT_EQ(arm(0xa9be7bfd).amount, -32);                        // stp x29, x30, [sp, #-32]!
  EXPECT_EQ(arm(0xa8c27bfd).amount, 32);                         // ldp x29, x30, [sp], #32
  EXPECT_EQ(arm(0xd10083ff).amount, -32);                        // sub sp, sp, #32
  EXPECT_EQ(arm(0xd14007ff).amount, -4096);                      // sub sp, sp, #1, lsl #12
  EXPECT_EQ(arm(0x910083ff).amount, 32);                         // add sp, sp, #32
  EXPECT_EQ(arm(0xcb2063ff).change, sp_change::unknown);         // sub sp, sp, x0
  EXPECT_EQ(arm(0x910003bf).change, sp_change::from_register);   // mov sp, x29
  EXPECT_EQ(arm(0x927be93f).alignment, 32U);                     // and sp, x9, #-32
  EXPECT_EQ(arm(0x910003fd).other, register_change::copies_sp);  // mov x29, sp
  EXPECT_EQ(arm(0xf9400be0).change, sp_change::none);            // ldr x0, [sp, #16]
}

}  // namespace
}  // namespace bast_stacks
