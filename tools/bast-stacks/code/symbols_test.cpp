// SPDX-License-Identifier: Apache-2.0
#include "code/symbols.hpp"

#include <alloca.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "code/testing/recorded_stack.hpp"

namespace bast_stacks {
namespace {

using test::recorded_stack;
using test::start;
using test::this_process;

__attribute__((noinline)) int large_frame(recorded_stack& out, std::uint64_t top) {
  // Zeroed: leftovers of earlier calls would fill the record.
  volatile char room[5000] = {};
  room[0] = 1;
  test::record(out, top);
  return room[0];
}

__attribute__((noinline)) int small_frame(recorded_stack& out, std::uint64_t top) {
  volatile int kept = large_frame(out, top);
  return kept;
}

__attribute__((noinline)) int dynamic_frame(recorded_stack& out, std::uint64_t top,
                                            std::size_t bytes) {
  auto* const room = static_cast<volatile char*>(alloca(bytes));
  // Zeroed: leftovers of earlier calls would look like frames.
  std::fill_n(room, bytes, char{0});
  room[0] = 1;
  asm volatile("" : : "r"(room) : "memory");  // keeps it from being optimised away
  return small_frame(out, top) + room[0];
}

__attribute__((noinline)) int recursion(recorded_stack& out, std::uint64_t top, int depth) {
  // Volatile, so that no compiler turns it into a loop.
  volatile int kept = depth == 0 ? small_frame(out, top) : recursion(out, top, depth - 1);
  return kept;
}

std::uint64_t sum(const backtrace& trace) {
  auto bytes = trace.omitted_bytes;
  for (const auto& one : trace.frames) bytes += one.stack_bytes;
  return bytes;
}

/// The functions without their scopes, parameters and template arguments.
std::vector<std::string> names(const backtrace& trace) {
  constexpr std::string_view unnamed = "(anonymous namespace)::";
  std::vector<std::string> all;
  for (const auto& one : trace.frames) {
    std::string name = one.function;
    for (std::size_t at = 0; (at = name.find(unnamed)) != name.npos;)
      name.erase(at, unnamed.size());
    name.erase(std::min(name.find_first_of("(<"), name.size()));
    const auto scope = name.rfind("::");
    all.push_back(scope == name.npos ? name : name.substr(scope + 2));
  }
  return all;
}

TEST(Symbols, FramesAreThoseOfTheUnwinderByteForByte) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  const auto trace = frames_of(out.raw, out.all);
  ASSERT_GE(trace.frames.size(), 4U);
  EXPECT_EQ(names(trace)[1], "large_frame");
  EXPECT_EQ(names(trace)[2], "small_frame");
  std::uint64_t position = trace.depth;
  for (std::size_t i = 0; i + 1 < trace.frames.size(); ++i) {
    EXPECT_TRUE(trace.frames[i].confirmed) << i;
    position -= trace.frames[i].stack_bytes;
    ASSERT_LT(i + 1, out.truth.size());
    EXPECT_EQ(trace.frames[i + 1].pc + 1, out.truth[i + 1].pc) << i;
    EXPECT_EQ(out.raw.top - position, out.truth[i + 1].sp) << trace.frames[i].function;
  }
  EXPECT_GE(trace.frames[1].stack_bytes, 5000U);
}

TEST(Symbols, FramesAddUpToTheDepth) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 9); });
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_EQ(trace.depth, out.raw.depth);
  EXPECT_EQ(sum(trace), trace.depth);
  EXPECT_EQ(trace.inner, trace.frames.size());
  EXPECT_EQ(names(trace).back(), "start");
}

TEST(Symbols, WhatNoFrameHasIsTheStartOfTheStack) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 9); });
  out.raw.count = 0;
  const auto trace = frames_of(out.raw, out.all);
  ASSERT_EQ(trace.frames.size(), 2U);
  EXPECT_EQ(names(trace)[0], "record");
  EXPECT_EQ(trace.frames[1].function, start_of_stack);
  EXPECT_EQ(sum(trace), trace.depth);
}

TEST(Symbols, ShowsRecursionCallByCall) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 9); });
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_EQ(std::ranges::count(names(trace), "recursion"), 10);
}

TEST(Symbols, GoesOnBehindAFrameOfUnknownSize) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { dynamic_frame(out, top, 3000); });
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_THAT(names(trace), ::testing::IsSupersetOf({"record", "large_frame", "small_frame",
                                                     "dynamic_frame", "start"}));
  EXPECT_EQ(sum(trace), trace.depth);
  for (const auto& one : trace.frames) {
    if (one.function.find("dynamic_frame") != std::string::npos) {
      EXPECT_GE(one.stack_bytes, 3000U);
    }
  }
}

TEST(Symbols, NamesSourceLines) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  const auto trace = frames_of(out.raw, out.all);
  ASSERT_GE(trace.frames.size(), 3U);
  if (trace.frames[1].file.empty()) GTEST_SKIP() << "built without debug information";
  EXPECT_TRUE(trace.frames[1].file.ends_with("symbols_test.cpp")) << trace.frames[1].file;
  EXPECT_NE(trace.frames[1].line, 0U);
}

TEST(Symbols, BytesBelowTheStackPointerBelongToTheDeepestFrame) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  const auto before = frames_of(out.raw, out.all);
  out.raw.depth += 100;
  const auto after = frames_of(out.raw, out.all);
  EXPECT_EQ(after.frames[0].stack_bytes, before.frames[0].stack_bytes + 100);
  EXPECT_EQ(sum(after), after.depth);
}

TEST(Symbols, CountsWhatWasLeftOutOfTheRecord) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 20); });
  const auto whole = frames_of(out.raw, out.all);
  auto& raw = out.raw;
  ASSERT_GT(raw.count, 16U);
  // As if the words between the four deepest and the six outermost had found no room.
  raw.omitted = raw.count - 10;
  for (std::uint32_t i = 0; i < 6; ++i) {
    raw.return_pc[4 + i] = raw.return_pc[raw.count - 6 + i];
    raw.return_at[4 + i] = raw.return_at[raw.count - 6 + i];
  }
  raw.first = 4;
  raw.count = 10;
  const auto cut = frames_of(raw, out.all);
  EXPECT_GT(cut.omitted_bytes, 0U);
  EXPECT_EQ(sum(cut), cut.depth);
  EXPECT_LT(cut.inner, cut.frames.size());
  EXPECT_LT(cut.frames.size(), whole.frames.size());
  EXPECT_EQ(cut.frames.back().stack_bytes, whole.frames.back().stack_bytes);
}

TEST(Symbols, ARecordWithoutTheRestEndsInWhatWasLeftOut) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 12); });
  out.raw.count = 4;
  out.raw.first = 4;
  out.raw.omitted = 30;
  const auto trace = frames_of(out.raw, out.all);
  EXPECT_GT(trace.omitted_bytes, 0U);
  EXPECT_EQ(trace.inner, trace.frames.size());
  EXPECT_EQ(sum(trace), trace.depth);
}

TEST(Symbols, SaysWhichModuleIsAnotherFileNow) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { small_frame(out, top); });
  site one;
  one.raw = out.raw;
  out.all.sites.push_back(one);
  for (auto& each : out.all.modules) each.build_id = "00ff";
  name_frames(out.all);
  ASSERT_FALSE(out.all.not_seen.empty());
  EXPECT_THAT(out.all.not_seen[0], ::testing::HasSubstr("00ff"));
  const auto& trace = out.all.sites[0].deepest;
  EXPECT_EQ(sum(trace), trace.depth);
  ASSERT_FALSE(trace.frames.empty());
  EXPECT_TRUE(trace.frames[0].function.empty());
  EXPECT_FALSE(trace.frames[0].confirmed);
}

TEST(Symbols, LeavesSitesWithoutARecordAlone) {
  snapshot all = this_process();
  all.sites.resize(1);
  all.sites[0].deepest.depth = 7;
  all.sites[0].deepest.frames.emplace_back().function = "kept";
  name_frames(all);
  EXPECT_EQ(all.sites[0].deepest.frames.at(0).function, "kept");
}

TEST(Symbols, FramesAddUpForNonsenseToo) {
  recorded_stack out{.all = this_process()};
  start([&](std::uint64_t top) { recursion(out, top, 12); });
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    auto raw = out.raw;
    for (int change = 0; change < 6; ++change) {
      auto* const bytes = reinterpret_cast<std::uint8_t*>(&raw);
      bytes[random() % sizeof raw] = static_cast<std::uint8_t>(random());
    }
    const auto trace = frames_of(raw, out.all);
    ASSERT_EQ(sum(trace), raw.depth) << round;
    ASSERT_LE(trace.frames.size(), bast::watch::return_count + 2U);
    ASSERT_LE(trace.inner, trace.frames.size());
  }
}

}  // namespace
}  // namespace bast_stacks
