// SPDX-License-Identifier: Apache-2.0
//
// The registers of the aarch64 switch, checked by hand-written assembly on both sides: it preserves
// x19 to x29, the low halves of v8 to v15 and the stack pointer, and does not touch the
// floating-point control register. The assembly fills all other registers, too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bast/testing/registers.hpp"

namespace bast::inline BAST_ABI::arch {
namespace {

/// The assembly below relies on this layout.
struct register_file {
  std::uint64_t sp_before = 0;                // 0
  std::uint64_t sp_after = 0;                 // 8
  std::uint64_t saved[12] = {};               // 16: x19 .. x29, and a word of padding
  std::uint64_t saved_after[12] = {};         // 112
  std::uint64_t vectors_saved_after[8] = {};  // 208: the low halves of v8 .. v15
  std::uint64_t fpcr = 0;                     // 272
  std::uint64_t fpcr_after = 0;               // 280
  std::uint64_t scratch[16] = {};             // 288: x2 .. x15, x17, x18
  alignas(16) std::uint64_t v[64] = {};       // 416: two words for each of v0 .. v31

  static void switch_with(register_file& file, context& to, context& from,
                          test::switch_function form);
  void fill(test::random_numbers& random);
  std::string lost(const register_file& others) const;
};
static_assert(offsetof(register_file, saved) == 16);
static_assert(offsetof(register_file, saved_after) == 112);
static_assert(offsetof(register_file, vectors_saved_after) == 208);
static_assert(offsetof(register_file, fpcr) == 272);
static_assert(offsetof(register_file, scratch) == 288);
static_assert(offsetof(register_file, v) == 416);

}  // namespace

// Outside the unnamed namespace, because assembly defines it; hence the untyped `file`.
extern "C" void bast_test_switch_with_registers(void* file, context* to, context* from,
                                                test::switch_function form);

// x0: file, x1: to, x2: from, x3: the switch.
asm(R"(
        .pushsection .text
        .globl  bast_test_switch_with_registers
        .type   bast_test_switch_with_registers, %function
        .p2align 2
bast_test_switch_with_registers:
        hint    #34
        stp     x29, x30, [sp, #-192]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        stp     x0, x9, [sp, #160]
        mov     x9, sp
        str     x9, [x0]
        ldr     x9, [x0, #272]
        msr     fpcr, x9
        add     x9, x0, #416
        ldp     q0, q1, [x9, #0]
        ldp     q2, q3, [x9, #32]
        ldp     q4, q5, [x9, #64]
        ldp     q6, q7, [x9, #96]
        ldp     q8, q9, [x9, #128]
        ldp     q10, q11, [x9, #160]
        ldp     q12, q13, [x9, #192]
        ldp     q14, q15, [x9, #224]
        ldp     q16, q17, [x9, #256]
        ldp     q18, q19, [x9, #288]
        ldp     q20, q21, [x9, #320]
        ldp     q22, q23, [x9, #352]
        ldp     q24, q25, [x9, #384]
        ldp     q26, q27, [x9, #416]
        ldp     q28, q29, [x9, #448]
        ldp     q30, q31, [x9, #480]
        ldp     x19, x20, [x0, #16]
        ldp     x21, x22, [x0, #32]
        ldp     x23, x24, [x0, #48]
        ldp     x25, x26, [x0, #64]
        ldp     x27, x28, [x0, #80]
        ldr     x29, [x0, #96]
        mov     x16, x3
        mov     x30, x0
        mov     x0, x1                  // to
        mov     x1, x2                  // from
        ldp     x2, x3, [x30, #288]
        ldp     x4, x5, [x30, #304]
        ldp     x6, x7, [x30, #320]
        ldp     x8, x9, [x30, #336]
        ldp     x10, x11, [x30, #352]
        ldp     x12, x13, [x30, #368]
        ldp     x14, x15, [x30, #384]
        ldp     x17, x18, [x30, #400]
        blr     x16
        ldr     x9, [sp, #160]          // the file
        mov     x10, sp
        str     x10, [x9, #8]
        stp     x19, x20, [x9, #112]
        stp     x21, x22, [x9, #128]
        stp     x23, x24, [x9, #144]
        stp     x25, x26, [x9, #160]
        stp     x27, x28, [x9, #176]
        str     x29, [x9, #192]
        stp     d8, d9, [x9, #208]
        stp     d10, d11, [x9, #224]
        stp     d12, d13, [x9, #240]
        stp     d14, d15, [x9, #256]
        mrs     x10, fpcr
        str     x10, [x9, #280]
        ldr     x10, [sp, #168]
        msr     fpcr, x10
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #192
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
  for (auto& word : v) word = random.next();
  // Rounding mode, flush-to-zero and default-NaN: bits 22 to 25. Traps stay off.
  fpcr = random.next() & 0x3c00000;
}

std::string register_file::lost(const register_file& others) const {
  std::string list;
  for (std::size_t i = 0; i < 11; ++i) {
    if (saved_after[i] != saved[i]) list += 'x' + std::to_string(19 + i) + ' ';
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if (vectors_saved_after[i] != v[2 * (8 + i)]) list += 'd' + std::to_string(8 + i) + ' ';
  }
  if (sp_after != sp_before) list += "sp ";
  // The other side set it last, and the switch does not touch it.
  if (fpcr_after != others.fpcr) list += "fpcr ";
  return list;
}

TEST(Registers, D13_CalleeSavedRegistersSurviveAndControlWordsAreUntouched) {
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
    for (std::size_t i = 0; i < 8; ++i) file.vectors_saved_after[i] = file.v[2 * (8 + i)];
    file.sp_after = file.sp_before;
    file.fpcr_after = others.fpcr;
  };
  keep_all();
  EXPECT_EQ(file.lost(others), "");
  for (auto& word : file.saved_after) word ^= 1;
  for (auto& word : file.vectors_saved_after) word ^= 1;
  EXPECT_EQ(file.lost(others),
            "x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 x29 d8 d9 d10 d11 d12 d13 d14 d15 ");
  keep_all();
  file.sp_after += 16;
  file.fpcr_after ^= 0x400000;
  EXPECT_EQ(file.lost(others), "sp fpcr ");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::arch
