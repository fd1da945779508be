// SPDX-License-Identifier: Apache-2.0
//
// The registers of the x86-64 switch, checked by hand-written assembly on both sides: it preserves
// the callee-saved registers and the stack pointer, leaves the direction flag clear, and does not
// touch the floating-point control words. The assembly fills all other registers, too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bast/testing/emulation.hpp"
#include "bast/testing/registers.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

/// The assembly below relies on this layout.
struct register_file {
  std::uint64_t sp_before = 0;        // 0
  std::uint64_t sp_after = 0;         // 8
  std::uint64_t saved[6] = {};        // 16: rbx rbp r12 r13 r14 r15
  std::uint64_t saved_after[6] = {};  // 64
  std::uint64_t scratch[6] = {};      // 112: rax rcx rdx r8 r9 r10
  std::uint64_t flags = 0;            // 160
  std::uint64_t flags_after = 0;      // 168
  std::uint32_t mxcsr = 0;            // 176
  std::uint32_t mxcsr_after = 0;      // 180
  std::uint16_t x87 = 0;              // 184
  std::uint16_t x87_after = 0;        // 186
  std::uint32_t padding = 0;
  std::uint64_t xmm[32] = {};  // 192: two words for each of xmm0 .. xmm15

  static void switch_with(register_file& file, context& to, context& from,
                          test::switch_function form);
  void fill(test::random_numbers& random);
  std::string lost(const register_file& others) const;
};
static_assert(offsetof(register_file, saved) == 16);
static_assert(offsetof(register_file, saved_after) == 64);
static_assert(offsetof(register_file, scratch) == 112);
static_assert(offsetof(register_file, flags) == 160);
static_assert(offsetof(register_file, mxcsr) == 176);
static_assert(offsetof(register_file, x87) == 184);
static_assert(offsetof(register_file, xmm) == 192);

}  // namespace

// Outside the unnamed namespace, because assembly defines it; hence the untyped `file`.
extern "C" void bast_test_switch_with_registers(void* file, context* to, context* from,
                                                test::switch_function form);

// rdi: file, rsi: to, rdx: from, rcx: the switch. The words pushed below keep rsp aligned at the
// call: six registers, the file, and sixteen bytes for the caller's control words.
asm(R"(
        .pushsection .text
        .globl  bast_test_switch_with_registers
        .type   bast_test_switch_with_registers, @function
bast_test_switch_with_registers:
        endbr64
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rdi
        subq    $16, %rsp
        stmxcsr 0(%rsp)
        fnstcw  4(%rsp)
        movq    %rsp, 0(%rdi)
        movq    %rcx, %r11
        ldmxcsr 176(%rdi)
        fldcw   184(%rdi)
        # From here to the call nothing changes the flags.
        pushq   160(%rdi)
        popfq
        movdqu  192(%rdi), %xmm0
        movdqu  208(%rdi), %xmm1
        movdqu  224(%rdi), %xmm2
        movdqu  240(%rdi), %xmm3
        movdqu  256(%rdi), %xmm4
        movdqu  272(%rdi), %xmm5
        movdqu  288(%rdi), %xmm6
        movdqu  304(%rdi), %xmm7
        movdqu  320(%rdi), %xmm8
        movdqu  336(%rdi), %xmm9
        movdqu  352(%rdi), %xmm10
        movdqu  368(%rdi), %xmm11
        movdqu  384(%rdi), %xmm12
        movdqu  400(%rdi), %xmm13
        movdqu  416(%rdi), %xmm14
        movdqu  432(%rdi), %xmm15
        movq    16(%rdi), %rbx
        movq    24(%rdi), %rbp
        movq    32(%rdi), %r12
        movq    40(%rdi), %r13
        movq    48(%rdi), %r14
        movq    56(%rdi), %r15
        movq    112(%rdi), %rax
        movq    120(%rdi), %rcx
        movq    136(%rdi), %r8
        movq    144(%rdi), %r9
        movq    %rsi, %r10              # to
        movq    %rdx, %rsi              # from, the second argument
        movq    128(%rdi), %rdx
        movq    %r10, %rdi              # to, the first
        call    *%r11
        movq    16(%rsp), %rax
        pushfq
        popq    168(%rax)
        cld
        movq    %rsp, 8(%rax)
        movq    %rbx, 64(%rax)
        movq    %rbp, 72(%rax)
        movq    %r12, 80(%rax)
        movq    %r13, 88(%rax)
        movq    %r14, 96(%rax)
        movq    %r15, 104(%rax)
        stmxcsr 180(%rax)
        fnstcw  186(%rax)
        ldmxcsr 0(%rsp)
        fldcw   4(%rsp)
        addq    $16, %rsp
        popq    %rdi
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret
        .size   bast_test_switch_with_registers, . - bast_test_switch_with_registers
        .popsection
)");

namespace {

void register_file::switch_with(register_file& file, context& to, context& from,
                                test::switch_function form) {
  bast_test_switch_with_registers(&file, &to, &from, form);
}

void register_file::fill(test::random_numbers& random) {
  for (auto& word : saved) word = random.next();
  for (auto& word : scratch) word = random.next();
  for (auto& word : xmm) word = random.next();
  // Random CF, PF, AF, ZF, SF and OF; bit 1 is always set; DF stays clear, as the ABI requires.
  flags = (random.next() & 0x8d5) | 0x202;
  // Random rounding, flush-to-zero, denormals-are-zero and sticky flags. All exceptions are masked,
  // or the next operation would trap. The upper bits are reserved.
  mxcsr = static_cast<std::uint32_t>((random.next() & 0xe07f) | 0x1f80);
  // Random rounding; double or extended precision; all exceptions masked.
  x87 = static_cast<std::uint16_t>((random.next() & 0x0d00) | 0x027f);
}

std::string register_file::lost(const register_file& others) const {
  static constexpr const char* names[] = {"rbx", "rbp", "r12", "r13", "r14", "r15"};
  std::string list;
  for (std::size_t i = 0; i < 6; ++i) {
    if (saved_after[i] != saved[i]) list += std::string(names[i]) + ' ';
  }
  if (sp_after != sp_before) list += "rsp ";
  if ((flags_after & 0x400) != 0) list += "direction-flag ";
  // The other side set them last, and the switch does not touch them.
  if (mxcsr_after != others.mxcsr) list += "mxcsr ";
  if (x87_after != others.x87) list += "x87-control-word ";
  return list;
}

TEST(Registers, D13_CalleeSavedRegistersSurviveAndControlWordsAreUntouched) {
  if (test::under_valgrind) GTEST_SKIP() << "valgrind computes with control words of its own";
  test::expect_registers_preserved<register_file>();
}

TEST(Registers, D13_LiveValuesAndTheRedZoneSurviveAPeerThatFillsEveryRegister) {
  if (test::hooks_needed) GTEST_SKIP() << "the inline form is not used under this sanitizer";
  test::expect_live_values_preserved<register_file, test::form::in_line>();
  test::expect_live_values_preserved<register_file, test::form::out_of_line>();
}

TEST(Registers, ThePropertyReportsEachRegisterThatDiffers) {
  test::random_numbers random(1);
  register_file file;
  register_file others;
  file.fill(random);
  others.fill(random);
  const auto keep_all = [&] {
    std::copy(std::begin(file.saved), std::end(file.saved), file.saved_after);
    file.sp_after = file.sp_before;
    file.flags_after = file.flags;
    file.mxcsr_after = others.mxcsr;
    file.x87_after = others.x87;
  };
  keep_all();
  EXPECT_EQ(file.lost(others), "");
  for (auto& word : file.saved_after) word ^= 1;
  EXPECT_EQ(file.lost(others), "rbx rbp r12 r13 r14 r15 ");
  keep_all();
  file.sp_after += 8;
  file.flags_after |= 0x400;
  file.mxcsr_after ^= 0x2000;
  file.x87_after ^= 0x400;
  EXPECT_EQ(file.lost(others), "rsp direction-flag mxcsr x87-control-word ");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
