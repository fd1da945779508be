// SPDX-License-Identifier: Apache-2.0
//
// The words of a stack on which a page fault happened, each at its bound: those sampled with it,
// those still present, and those read afterwards.
#include <gtest/gtest.h>

#include <cstring>

#include "model/test_record_text.hpp"
#include "read/fault_words.hpp"
#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using test::record_text;
using testing::scripted_memory;

constexpr std::uint64_t fault_low = 0x7000'0000;
constexpr std::uint64_t fault_top = 0x7001'0000;
constexpr std::uint64_t text_low = 0x40'0000;
constexpr std::uint64_t text_high = 0x40'1000;

/// A stack whose pages from `resident` below its top are present, with words placed by a test.
struct faulted_stack {
  scripted_memory target;
  fault_sample fault;
  code_ranges code{{{.low = 0x60'0000, .high = 0x60'0100}, {.low = text_low, .high = text_high}}};

  explicit faulted_stack(std::uint64_t sp_depth, std::uint64_t resident = 0x10'000) {
    target.zeros_elsewhere = true;
    target.pages = {{.where = {.low = fault_top - resident, .high = fault_top}}};
    fault.sp = fault.address = fault_top - sp_depth;
    fault.pc = text_low + 8;
  }
  /// A word of the stack, `depth` below its top.
  void put(std::uint64_t depth, std::uint64_t value) { target.put(fault_top - depth, value); }
  /// The first bytes of the stack are sampled with the fault, with their present values.
  void came(std::size_t bytes) {
    fault.stack.resize(bytes);
    EXPECT_TRUE(target.read(fault.sp, fault.stack));
    target.reads.clear();
  }
  fault_words words() { return {target, fault, {.low = fault_low, .high = fault_top}, code}; }
  bool is_there() { return words().are_still_there(); }
  std::string recorded() { return record_text(words().record()); }
};

TEST(CodeRanges, HoldWhatLiesBetweenTheirBounds) {
  const code_ranges none;
  EXPECT_FALSE(none.holds(0));
  EXPECT_FALSE(none.may_return_to(1));
  const code_ranges code({{.low = 100, .high = 200}, {.low = 10, .high = 20}});
  for (const std::uint64_t in : {10U, 19U, 100U, 199U}) EXPECT_TRUE(code.holds(in)) << in;
  for (const std::uint64_t out : {0U, 9U, 20U, 99U, 200U}) EXPECT_FALSE(code.holds(out)) << out;
  for (const std::uint64_t to : {11U, 20U, 101U, 200U}) EXPECT_TRUE(code.may_return_to(to)) << to;
  for (const std::uint64_t to : {0U, 10U, 21U, 100U, 201U})
    EXPECT_FALSE(code.may_return_to(to)) << to;
}

TEST(FaultWords, ARecordHasTheWordsThatCameAndThoseAbove) {
  faulted_stack of(80);
  of.fault.address -= 24;
  of.fault.fp = 0x7777;
  of.put(80, text_low + 1);
  of.put(72, 5);
  of.put(64, text_high);
  of.put(40, text_low + 2);
  of.put(8, text_low + 3);
  of.came(24);
  of.put(80, text_low + 9);  // changed since: the sample holds the old value
  EXPECT_EQ(of.recorded(),
            "depth=104 sp=80 pc=0x400008 fp=0x7777 top=0x70010000 at=0 first=4 omitted=0 "
            "[0x400001@80 0x401000@64 0x400002@40 0x400003@8]");
  // A pointer that is not word-aligned: words begin above it.
  faulted_stack odd(77);
  odd.put(80, text_low + 1);
  odd.put(72, text_low + 2);
  odd.put(64, text_low + 3);
  odd.came(20);
  EXPECT_EQ(odd.recorded(),
            "depth=77 sp=77 pc=0x400008 fp=0x0 top=0x70010000 at=0 first=2 omitted=0 "
            "[0x400002@72 0x400003@64]");
  // The sample is longer than the rest of the stack.
  faulted_stack beyond(16);
  beyond.put(16, text_low + 1);
  beyond.put(0, text_low + 2);
  beyond.came(64);
  EXPECT_EQ(beyond.recorded(),
            "depth=16 sp=16 pc=0x400008 fp=0x0 top=0x70010000 at=0 first=1 omitted=0 "
            "[0x400001@16]");
}

TEST(FaultWords, OnlyPagesThatAreThereAreRead) {
  faulted_stack of(0x9000, 0x1000);
  of.target.pages.insert(
      of.target.pages.begin(),
      {{.where = {.low = fault_top - 0x9000, .high = fault_top - 0x8000}},
       {.where = {.low = fault_top - 0x6000, .high = fault_top - 0x5000}, .swapped = true}});
  of.put(0x8800, text_low + 1);
  of.put(0x5800, text_low + 2);
  of.put(0x0800, text_low + 3);
  of.came(16);
  EXPECT_EQ(of.recorded(),
            "depth=36864 sp=36864 pc=0x400008 fp=0x0 top=0x70010000 at=0 first=2 omitted=0 "
            "[0x400001@34816 0x400003@2048]");
  EXPECT_EQ(of.target.reads,
            (std::vector<std::pair<std::uint64_t, std::uint64_t>>{
                {fault_top - 0x9000 + 16, 0x1000 - 16}, {fault_top - 0x1000, 0x1000}}));
  EXPECT_EQ(of.target.questions,
            (std::vector<std::pair<std::uint64_t, std::uint64_t>>{
                {fault_top - 0xa000, 0xa000}}));  // with the page below its pointer
}

TEST(FaultWords, WhatIsAskedOfPagesBeginsWithWhatWasTouched) {
  const auto asked = [](std::uint64_t sp_depth, std::uint64_t below) {
    faulted_stack of(sp_depth);
    of.fault.address -= below;
    (void)of.words();
    return of.target.questions.at(0).first;
  };
  EXPECT_EQ(asked(0x1000, 0), fault_top - 0x2000);
  EXPECT_EQ(asked(0x0ff8, 0), fault_top - 0x1000);
  EXPECT_EQ(asked(0x0ff8, 9), fault_top - 0x2000);
  EXPECT_EQ(asked(0x1'0000, 0), fault_low);  // never below the stack
}

TEST(FaultWords, LongStacksAreReadInChunks) {
  constexpr std::uint64_t chunk = 8192 * 8;
  scripted_memory target;
  target.zeros_elsewhere = true;
  constexpr std::uint64_t depth = 2 * chunk + 64;
  fault_sample fault;
  fault.sp = fault.address = fault_top - depth;
  target.pages = {{.where = {.low = fault_top - depth, .high = fault_top - 4}}};
  const code_ranges code({{.low = text_low, .high = text_high}});
  const std::uint64_t known[] = {depth, depth - chunk + 8, depth - chunk, 72, 16, 8};
  for (const std::uint64_t at : known) target.put(fault_top - at, text_low + at % 4096 + 1);
  fault_words words(target, fault, {.low = fault_top - 2 * depth, .high = fault_top}, code);
  const auto made = words.record();
  ASSERT_EQ(made.count, std::size(known) - 1);  // a part of the last word is absent
  for (std::size_t i = 0; i < made.count; ++i) EXPECT_EQ(made.return_at[i], known[i]);
  EXPECT_EQ(
      target.reads,
      (std::vector<std::pair<std::uint64_t, std::uint64_t>>{
          {fault_top - depth, chunk}, {fault_top - depth + chunk, chunk}, {fault_top - 64, 56}}));
}

TEST(FaultWords, ARecordKeepsBothEndsWhenThereAreTooMany) {
  const auto with = [](std::uint64_t words) {
    faulted_stack of(words * 8);
    for (std::uint64_t i = 1; i <= words; ++i) of.put(i * 8, text_low + i);
    const auto made = of.words().record();
    return fmt::format(
        "{} {} {} {} {} {}", made.count, made.first, made.omitted, made.return_at[made.first - 1],
        made.first < made.count ? made.return_at[made.first] : 0, made.return_at[made.count - 1]);
  };
  EXPECT_EQ(with(1), "1 1 0 8 0 8");
  EXPECT_EQ(with(79), "79 79 0 8 0 8");
  EXPECT_EQ(with(80), "80 80 0 8 0 8");
  EXPECT_EQ(with(81), "81 81 0 8 0 8");
  EXPECT_EQ(with(104), "104 104 0 8 0 8");
  EXPECT_EQ(with(105), "104 80 1 208 192 8");
  EXPECT_EQ(with(120), "104 80 16 328 192 8");
}

TEST(FaultWords, TheOutermostReturnAddressesMustStillBeThere) {
  const auto there = [](std::uint64_t changes) {
    faulted_stack of(80);
    for (std::uint64_t at = 80; at > 40; at -= 8) of.put(at, text_low + at);  // five of them
    of.put(40, 5);
    of.came(48);
    if (changes != 0) of.put(changes, 0);
    return of.is_there();
  };
  EXPECT_TRUE(there(0));
  EXPECT_TRUE(there(80));  // Of five the three outermost.
  EXPECT_TRUE(there(72));
  EXPECT_FALSE(there(64));
  EXPECT_FALSE(there(56));
  EXPECT_FALSE(there(48));
  EXPECT_TRUE(there(40));  // Not a return address.
}

TEST(FaultWords, TheLastWordOfAPageIsThere) {
  faulted_stack of(16);
  of.put(8, text_low + 1);
  of.came(16);
  EXPECT_TRUE(of.is_there());
}

TEST(FaultWords, WithoutReturnAddressesAllThatIsNoZeroMustBeThere) {
  const auto there = [](std::uint64_t changes, std::uint64_t resident = 0x1000) {
    faulted_stack of(80, resident);
    of.put(80, 1);
    of.put(64, 2);
    of.put(56, 3);
    of.put(48, 4);
    of.came(40);
    if (changes != 0) of.put(changes, 9);
    return of.is_there();
  };
  EXPECT_TRUE(there(0));
  for (const std::uint64_t at : {80U, 64U, 56U, 48U}) EXPECT_FALSE(there(at)) << at;
  EXPECT_TRUE(there(72));  // A zero may become anything.
  EXPECT_TRUE(there(40));  // It was not sampled.
  EXPECT_TRUE(there(0, 80));
  EXPECT_FALSE(there(0, 79));  // One's page is gone.
}

TEST(FaultWords, ACallLeftItsReturnAddressNearTheInstruction) {
  const auto there = [](std::uint64_t value, std::uint64_t pc = text_low + 8,
                        std::uint64_t resident = 0x1000) {
    faulted_stack of(64, resident);
    of.fault.pc = pc;
    of.came(32);
    of.put(72, value);
    return of.is_there();
  };
  constexpr std::uint64_t other = 0x60'0080;
  EXPECT_TRUE(there(text_low + 9));
  EXPECT_FALSE(there(0));
  EXPECT_FALSE(there(text_low));  // not after an instruction
  EXPECT_TRUE(there(other, other - 4096));
  EXPECT_FALSE(there(other, other - 4097));
  EXPECT_TRUE(there(other, other + 4096));
  EXPECT_FALSE(there(other, other + 4097));
  EXPECT_TRUE(there(text_low + 9, text_low + 8, 72));
  EXPECT_FALSE(there(text_low + 9, text_low + 8, 71));
}

TEST(FaultWords, AnArmStoresItsLinkWhereItTouched) {
  const auto there = [](std::uint64_t at, std::uint64_t value) {
    faulted_stack of(64);
    of.fault.address = fault_top - 93;  // in the word at 96
    of.fault.link = text_low + 0x100;
    of.fault.pc = 0x60'0000;
    of.came(32);
    of.put(at, value);
    return of.is_there();
  };
  EXPECT_TRUE(there(96, text_low + 0x100));
  EXPECT_TRUE(there(88, text_low + 0x100));
  EXPECT_FALSE(there(104, text_low + 0x100));
  EXPECT_FALSE(there(80, text_low + 0x100));
  EXPECT_FALSE(there(72, text_low + 0x100));  // that is the rule of x86-64
  EXPECT_FALSE(there(96, 0x60'0010));         // near the instruction, not the link
}

TEST(FaultWords, WhereNoPageIsKnownNothingIs) {
  faulted_stack of(64);
  of.put(64, 7);
  of.came(16);
  of.target.knows_pages = false;
  EXPECT_FALSE(of.is_there());
  EXPECT_EQ(of.recorded(),
            "depth=64 sp=64 pc=0x400008 fp=0x0 top=0x70010000 at=0 first=0 omitted=0 []");
}

}  // namespace
}  // namespace bast_stacks
