// SPDX-License-Identifier: Apache-2.0
#include "code/stack_sizes.hpp"

#include <elf.h>
#include <gtest/gtest.h>

#include <string>

#include "code/code_file.hpp"
#include "code/static.hpp"

namespace bast_stacks {
namespace {

using byte_list = std::vector<std::uint8_t>;

void add_record(byte_list& out, std::uint64_t function, byte_list size) {
  for (unsigned shift = 0; shift < 64; shift += 8)
    out.push_back(static_cast<std::uint8_t>(function >> shift));
  out.insert(out.end(), size.begin(), size.end());
}

TEST(StackSizes, CountTheReturnAddressWhereACallPushesOne) {
  byte_list section;
  add_record(section, 0x1000, {24});
  add_record(section, 0x2000, {0x80, 0x20});  // 4096
  const stack_sizes on_x86(section, EM_X86_64);
  EXPECT_EQ(on_x86.of(0x1000), 32U);
  EXPECT_EQ(on_x86.of(0x2000), 4104U);
  EXPECT_EQ(on_x86.of(0x1001), std::nullopt);
  EXPECT_EQ(on_x86.of(0), std::nullopt);
  const stack_sizes on_arm(section, EM_AARCH64);
  EXPECT_EQ(on_arm.of(0x1000), 24U);
}

TEST(StackSizes, TheLargestOfAFunctionCounts) {
  byte_list section;
  add_record(section, 0x1000, {16});
  add_record(section, 0x1000, {48});
  add_record(section, 0x1000, {32});
  EXPECT_EQ(stack_sizes(section, EM_AARCH64).of(0x1000), 48U);
}

TEST(StackSizes, WhatIsDamagedIsLeftOut) {
  byte_list section;
  add_record(section, 0x1000, {16});
  add_record(section, 0x2000, {0x80});  // its last byte is missing
  EXPECT_EQ(stack_sizes(section, EM_AARCH64).size(), 1U);
  byte_list huge;
  add_record(huge, 0x1000, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f});
  EXPECT_EQ(stack_sizes(huge, EM_AARCH64).size(), 0U);
  for (std::size_t cut = 0; cut < section.size(); ++cut)
    EXPECT_LE(stack_sizes(byte_span(section).first(cut), EM_AARCH64).size(), 1U);
}

// The compiler's records agree with the unwind tables and the instructions.
TEST(StackSizes, AreTheFramesThatTheTablesTell) {
  const auto file = code_file::open(BAST_KNOWN_FRAMES);
  ASSERT_TRUE(file) << file.error().what;
  const stack_sizes told((*file)->elf());
#ifdef __clang__
  EXPECT_GE(told.size(), 16U);
#endif
  const auto frames = frames_in(BAST_KNOWN_FRAMES);
  ASSERT_TRUE(frames) << frames.error().what;
  int compared = 0;
  for (const auto& one : *frames) {
    const auto size = told.of(one.address);
    if (!size || one.realigned) continue;
    EXPECT_FALSE(one.dynamic) << one.function;
    EXPECT_EQ(one.bytes, *size) << one.function;
    ++compared;
  }
#ifdef __clang__
  EXPECT_GE(compared, 12);
#endif
}

#ifdef __x86_64__
TEST(StackSizes, HelpWhereNothingElseTellsAFrame) {
  const auto report = analyse({.program = BAST_KNOWN_FRAMES, .roots = {"untabled_root"}});
  ASSERT_TRUE(report) << report.error().what;
  ASSERT_EQ(report->bounds.size(), 1U);
  const static_bound& bound = report->bounds[0];
  ASSERT_EQ(bound.worst.size(), 2U);
  EXPECT_EQ(bound.worst[1].function, "untabled");
  EXPECT_EQ(bound.worst[1].bytes, 72U + 8);
  // Its callees are not known all the same.
  ASSERT_EQ(bound.reasons.size(), 1U);
  EXPECT_EQ(bound.reasons[0].kind, reason_kind::no_table);
}
#endif

}  // namespace
}  // namespace bast_stacks
