// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/report.hpp"

#include <gtest/gtest.h>

#include <string>

namespace bast {
namespace {

overflow_info example(overflow_cause cause) {
  return {.cause = cause,
          .name = "walker",
          .site = {"tree.cpp", 42, 7},
          .fault_address = 0x7f00deadb000,
          .stack_pointer = 0x7f00deadb010,
          .program_counter = 0x401234,
          .limit = 192_KiB,
          .open = 64_KiB,
          .depth = 65_KiB,
          .grows = 3};
}

std::string report_of(const overflow_info& info) {
  text out;
  compose_overflow_report(info, out);
  return std::string(out.view());
}

TEST(OverflowReport, F19_SaysWhoWhereHowDeepAndWhatToDo) {
  EXPECT_EQ(report_of(example(overflow_cause::limit)),
            "bast: stack overflow in coroutine 'walker', spawned at tree.cpp:42\n"
            "  the stack reached its limit: limit 192 KiB, open 64 KiB, depth 65 KiB, grown 3 "
            "times\n"
            "  fault address 0x7f00deadb000, stack pointer 0x7f00deadb010, instruction 0x401234\n"
            "  to fix it: raise stack_options::limit or recurse less\n");
}

TEST(OverflowReport, F19_EveryCauseHasItsWordsAndItsRemedy) {
  const struct {
    overflow_cause cause;
    const char* what;
    const char* remedy;
  } rows[] = {
      {overflow_cause::limit, "the stack reached its limit",
       "raise stack_options::limit or recurse less"},
      {overflow_cause::pool_budget, "the pool's budget of open stack bytes is spent",
       "raise stack_options::budget"},
      {overflow_cause::process_budget, "the process's budget of open stack bytes is spent",
       "raise the limit of process_stack_budget()"},
      {overflow_cause::kernel, "the kernel refused to open more of the stack",
       "check free memory, vm.max_map_count and locked memory"},
      {overflow_cause::guard_skipped,
       "a frame was larger than the rest of the stack and the guard, and reached another stack",
       "compile with -fstack-clash-protection, and raise stack_options::limit"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(
        report_of(example(row.cause)),
        std::string("bast: stack overflow in coroutine 'walker', spawned at tree.cpp:42\n  ") +
            row.what + ": limit 192 KiB, open 64 KiB, depth 65 KiB, grown 3 times\n" +
            "  fault address 0x7f00deadb000, stack pointer 0x7f00deadb010, instruction 0x401234\n" +
            "  to fix it: " + row.remedy + "\n");
  }
}

TEST(OverflowReport, AnEmptyRecordIsTheLimitOfNobody) {
  const overflow_info nothing;
  EXPECT_EQ(nothing.cause, overflow_cause::limit);
  EXPECT_EQ(nothing.name, nullptr);
  EXPECT_EQ(nothing.site, site_key{});
  EXPECT_EQ(nothing.fault_address, 0U);
  EXPECT_EQ(nothing.stack_pointer, 0U);
  EXPECT_EQ(nothing.program_counter, 0U);
  EXPECT_EQ(nothing.grows, 0U);
}

TEST(OverflowReport, F19_SizesAreThoseOfTheRecordToTheByte) {
  overflow_info info = example(overflow_cause::limit);
  info.limit = 1000_B;
  info.open = 900_B;
  info.depth = 800_B;
  const std::string words = report_of(info);
  EXPECT_NE(words.find(": limit 1000 B, open 900 B, depth 800 B, grown 3 times\n"),
            std::string::npos)
      << words;
}

TEST(OverflowReport, UnnamedCoroutineWithALabel) {
  overflow_info info = example(overflow_cause::limit);
  info.name = nullptr;
  info.site = site_key::labelled("parser");
  const std::string words = report_of(info);
  EXPECT_EQ(words.find("bast: stack overflow in coroutine (unnamed), spawned at parser\n"), 0U)
      << words;
}

TEST(OverflowReport, LongNamesAreCutNotOverrun) {
  const std::string name(4000, 'n');
  overflow_info info = example(overflow_cause::limit);
  info.name = name.c_str();
  const std::string words = report_of(info);
  EXPECT_EQ(words.size(), text::capacity);
  EXPECT_EQ(words.substr(words.size() - 3), "...");
}

}  // namespace
}  // namespace bast
