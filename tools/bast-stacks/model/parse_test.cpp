// SPDX-License-Identifier: Apache-2.0
#include "model/parse.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace bast_stacks {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) lines.push_back(take_line(text));
  return lines;
}

TEST(Parse, ALineEndsAtItsNewlineOrWithTheText) {
  using lines = std::vector<std::string_view>;
  EXPECT_EQ(lines_of(""), lines{});
  EXPECT_EQ(lines_of("a\nb"), (lines{"a", "b"}));
  EXPECT_EQ(lines_of("a\n\nb\n"), (lines{"a", "", "b"}));
  EXPECT_EQ(lines_of("\n"), lines{""});
}

TEST(Parse, ANumberIsAllOfTheText) {
  EXPECT_EQ(number_in<std::uint8_t>("255"), 255);
  for (const char* text : {"", "256", "-1", "+1", " 1", "1 ", "0x1", "1.0"})
    EXPECT_FALSE(number_in<std::uint8_t>(text)) << text;
  EXPECT_EQ(number_in<int>("-1"), -1);
}

TEST(Parse, ADecimalHasDigitsAndAtMostOnePoint) {
  EXPECT_EQ(decimal_in("12"), 12.0);
  EXPECT_EQ(decimal_in("1.25"), 1.25);
  EXPECT_EQ(decimal_in(".5"), 0.5);
  EXPECT_EQ(decimal_in("5."), 5.0);
  EXPECT_EQ(decimal_in(std::string_view("1.257").substr(0, 3)), 1.2);
  EXPECT_GT(decimal_in(std::string(400, '9')), 1e300);
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "."sv, "1.2.3"sv, "-1"sv, "+1"sv, " 1"sv, "1 "sv, "0x1"sv, "1e3"sv,
                          "inf"sv, "nan"sv, "1,5"sv, "1\0"sv})
    EXPECT_FALSE(decimal_in(text)) << text;
}

}  // namespace
}  // namespace bast_stacks
