// SPDX-License-Identifier: Apache-2.0
#include "draw/path.hpp"

#include <gtest/gtest.h>

#include "draw/testing/sample.hpp"

namespace {

using namespace bast_stacks;
using namespace bast_stacks::draw;

site recursive(const std::vector<std::pair<std::string, int>>& groups) {
  std::vector<frame> calls;
  for (const auto& [letters, times] : groups)
    for (int i = 0; i < times; ++i)
      for (const char name : letters) calls.push_back(test::make_frame(std::string(1, name), 100));
  return test::with_calls(test::make_site("a.cpp", 1, {}, 65536), std::move(calls));
}

std::vector<std::string> drawn(const stack_path& path) {
  std::vector<std::string> functions;
  for (const path_step& each : path.steps)
    functions.push_back(each.function + (each.calls == 1 ? "" : " x" + std::to_string(each.calls)));
  return functions;
}

using names = std::vector<std::string>;

void expect_whole(const stack_path& path) {
  std::uint64_t end = 0;
  for (const path_step& each : path.steps) {
    EXPECT_EQ(each.begin, end);
    end += each.bytes;
  }
  EXPECT_EQ(path.bytes, end);
}

TEST(Path, BeginsWithTheOutermostCall) {
  const stack_path path = path_of(recursive({{"abc", 1}}));
  EXPECT_EQ(drawn(path), (names{"a", "b", "c"}));
  EXPECT_EQ(path.steps[1].begin, 100U);
  EXPECT_EQ(path.bytes, 300U);
}

TEST(Path, IsEmptyWithoutADeepestStack) {
  EXPECT_TRUE(path_of(site{}).steps.empty());
  EXPECT_EQ(path_of(site{}).bytes, 0U);
}

TEST(Path, FoldsWhatComesMoreOftenThanAsked) {
  EXPECT_EQ(path_of(recursive({{"a", 12}})).steps.size(), 12U);
  EXPECT_EQ(drawn(path_of(recursive({{"x", 1}, {"a", 13}, {"y", 1}}))), (names{"x", "a x13", "y"}));
  EXPECT_EQ(drawn(path_of(recursive({{"aabc", 4}}))), (names{"a x4", "a x4", "b x4", "c x4"}));
  EXPECT_EQ(path_of(recursive({{"abcdefgh", 2}})).steps.size(), 16U);
  EXPECT_EQ(drawn(path_of(recursive({{"ab", 13}}))), (names{"a x13", "b x13"}));
  EXPECT_EQ(drawn(path_of(recursive({{"aab", 20}, {"z", 1}}))),
            (names{"a x20", "a x20", "b x20", "z"}));
  EXPECT_EQ(path_of(recursive({{"a", 40}}), {.fold_beyond = 0}).steps.size(), 40U);
}

TEST(Path, ALongerGroupDoesNotHideAShorterRecursion) {
  EXPECT_EQ(drawn(path_of(recursive({{"a", 14}, {"bcdefgh", 1}, {"a", 1}, {"bcdefgh", 1}})))[0],
            "a x14");
}

TEST(Path, FoldingKeepsEveryByte) {
  for (const std::size_t beyond : {0U, 1U, 2U, 12U, 1000U}) {
    const stack_path path =
        path_of(recursive({{"abcab", 9}, {"a", 30}, {"ba", 17}}), {.fold_beyond = beyond});
    expect_whole(path);
    EXPECT_EQ(path.bytes, 10900U);
  }
}

TEST(Path, TellsTheRangeOfFoldedCalls) {
  site made = recursive({{"a", 20}});
  made.deepest.frames[4].stack_bytes = 60;
  made.deepest.frames[7].confirmed = false;
  const path_step step = path_of(made).steps.at(1);  // after the 40 bytes that are missing
  EXPECT_EQ(step.calls, 20U);
  EXPECT_EQ(step.least, 60U);
  EXPECT_EQ(step.most, 100U);
  EXPECT_FALSE(step.confirmed);
}

TEST(Path, WhatNoCallExplainsIsAtTheTop) {
  site made = recursive({{"ab", 1}});
  made.deepest.depth += 50;
  const stack_path path = path_of(made);
  EXPECT_EQ(path.steps.at(0).kind, step_kind::unexplained);
  EXPECT_EQ(path.steps.at(0).bytes, 50U);
  EXPECT_EQ(path.bytes, 250U);
  expect_whole(path);
}

TEST(Path, OmittedBytesLieBetweenInnerAndOuterCalls) {
  site made = recursive({{"abcd", 1}});
  made.deepest.inner = 1;
  made.deepest.omitted_bytes = 1000;
  made.deepest.depth += 1000;
  const stack_path path = path_of(made);
  ASSERT_EQ(path.steps.size(), 5U);
  EXPECT_EQ(path.steps[3].kind, step_kind::omitted);
  EXPECT_EQ(path.steps[4].function, "d");
  expect_whole(path);
}

TEST(Path, ManyStepsLoseTheirMiddle) {
  site made;
  for (int i = 0; i < 5000; ++i)
    made.deepest.frames.push_back(test::make_frame("f" + std::to_string(i), 10));
  made.deepest.depth = 50000;
  const stack_path path = path_of(made, {.steps_max = 20});
  EXPECT_EQ(path.steps.size(), 20U);
  EXPECT_EQ(path.steps.front().function, "f4999");
  EXPECT_EQ(path.steps.back().function, "f0");
  EXPECT_EQ(path.steps.at(10).function, "(4,981 calls that are not drawn)");
  EXPECT_EQ(path.bytes, 50000U);
  expect_whole(path);
}

TEST(Path, SumsOfLiesDoNotWrap) {
  site made = recursive({{"abcdef", 9}});
  for (frame& each : made.deepest.frames) each.stack_bytes = ~std::uint64_t{0};
  made.deepest.omitted_bytes = ~std::uint64_t{0};
  made.deepest.inner = ~std::size_t{0};
  made.deepest.depth = ~std::uint64_t{0};
  const stack_path path = path_of(made);
  EXPECT_EQ(path.bytes, path_bytes_max);
  for (const path_step& each : path.steps) EXPECT_LE(each.begin, path_bytes_max);
}

TEST(Path, ACallWithoutANameIsItsPlaceInAFile) {
  site made = recursive({{"a", 1}});
  made.deepest.frames[0].function.clear();
  EXPECT_EQ(path_of(made).steps.at(0).function, "server+0x1064");
  made.deepest.frames[0].function_start = 0x1040;
  EXPECT_EQ(path_of(made).steps.at(0).function, "server+0x1040");
  made.deepest.frames[0].module.clear();
  EXPECT_EQ(path_of(made).steps.at(0).function, "0x401064");
}

// Two sources can have static functions of one name, and a stripped program has no names.
TEST(Path, FoldsByFunctionAndNotByName) {
  site made = recursive({{"a", 8}});
  for (std::size_t i = 0; i < 8; ++i) made.deepest.frames[i].function_start = i % 2 == 0 ? 16 : 32;
  const auto functions = [&] {
    std::string all;
    for (const path_step& each : path_of(made, {.fold_beyond = 3}).steps)
      all += identity_of(each) + " x" + std::to_string(each.calls) + ", ";
    return all;
  };
  EXPECT_EQ(functions(), "server+0x20 x4, server+0x10 x4, ");
  for (frame& each : made.deepest.frames) each.function_start = 16;
  EXPECT_EQ(functions(), "server+0x10 x8, ");
  for (frame& each : made.deepest.frames) each.function.clear();
  EXPECT_EQ(functions(), "server+0x10 x8, ");
  for (frame& each : made.deepest.frames) each.function_start = 0;
  for (frame& each : made.deepest.frames) each.function = "f";
  EXPECT_EQ(functions(), "server f x8, ");
  made.deepest.frames[3].module = "other.so";
  EXPECT_EQ(functions().substr(0, 13), "server f x4, ");
}

}  // namespace
