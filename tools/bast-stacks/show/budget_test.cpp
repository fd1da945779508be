// SPDX-License-Identifier: Apache-2.0
#include "show/budget.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/test_samples.hpp"
#include "show/glob.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  const auto read = parse_budgets(text, "stack.toml");
  if (read.has_value()) return "no error";
  EXPECT_EQ(read.error().status, 3);
  return read.error().what;
}

TEST(Glob, MatchesAsAShellDoes) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("a*c", "abbc"));
  EXPECT_TRUE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("a?c", "ac"));
  EXPECT_FALSE(glob_match("a*c", "abcd"));
  EXPECT_TRUE(glob_match("*a*b*", "xxaxxbxx"));
  EXPECT_TRUE(glob_match("a\\*", "a*"));
  EXPECT_FALSE(glob_match("a\\*", "ab"));
  EXPECT_TRUE(glob_match("\\", "\\"));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(Glob, ManyStarsTakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(10'000, 'a')));
}

TEST(Glob, EscapedTextMatchesItselfOnly) {
  for (const std::string text : {"a*b", "?", "\\", "plain"}) {
    EXPECT_TRUE(glob_match(glob_escape(text), text));
    EXPECT_FALSE(glob_match(glob_escape(text), text + "x"));
  }
}

TEST(Glob, ASourceSiteIsNamedByTheEndOfItsPath) {
  const site s = test::make_site("/src/app/server.cpp", 88, {});
  for (const char* pattern : {"server.cpp:88", "server.cpp:*", "app/server.cpp:88", "*.cpp:*",
                              "/src/app/server.cpp:88", "app/*"}) {
    EXPECT_TRUE(site_matches(pattern, s)) << pattern;
  }
  for (const char* pattern : {"erver.cpp:88", "server.cpp", "server.cpp:8", "/server.cpp:88"})
    EXPECT_FALSE(site_matches(pattern, s)) << pattern;
}

TEST(Glob, ALabelIsNamedWhole) {
  site s;
  s.kind = bast::watch::site_kind::label;
  s.where = "pool/worker";
  EXPECT_TRUE(site_matches("pool/*", s));
  EXPECT_FALSE(site_matches("worker", s));
}

TEST(Budget, SizesHaveAUnit) {
  EXPECT_EQ(parse_size("12 KiB"), 12288u);
  EXPECT_EQ(parse_size("12KiB"), 12288u);
  EXPECT_EQ(parse_size("1.5 MiB"), 1572864u);
  EXPECT_EQ(parse_size("300 B"), 300u);
  EXPECT_EQ(parse_size("0 B"), 0u);
  EXPECT_EQ(parse_size("4 GiB"), std::uint64_t{4} << 30);
  for (const char* wrong :
       {"", "12", "12K", "12 KB", "KiB", "-1 KiB", "1.2.3 KiB", "1e3 KiB", "1.5 B", "12  KiB",
        "12 KiB ", "99999999999999999999 B", "18446744073709551615 KiB", ". KiB"}) {
    EXPECT_FALSE(parse_size(wrong).has_value()) << wrong;
  }
  EXPECT_THAT(parse_size("12K").error(),
              HasSubstr("\"12K\" is not a size: expected a number and B"));
}

TEST(Budget, ReadsWhatItIsGiven) {
  const auto file = parse_budgets(
      "# Ours.\n\n[[budget]]\nsite = \"server.cpp:*\"\nmax = \"12 KiB\"\np99 = \"8 KiB\"\n"
      "uses_min = 1000\n[[budget]]\nsite = \"accept\"\nmax = \"1 MiB\"\n",
      "stack.toml");
  ASSERT_TRUE(file.has_value()) << file.error().what;
  ASSERT_EQ(file->budgets.size(), 2u);
  EXPECT_EQ(file->heading, "# Ours.\n\n");
  EXPECT_EQ(file->budgets[0].site, "server.cpp:*");
  EXPECT_EQ(file->budgets[0].max, 12288u);
  EXPECT_EQ(file->budgets[0].p99, 8192u);
  EXPECT_EQ(file->budgets[0].uses_min, 1000u);
  EXPECT_EQ(file->budgets[0].line, 4u);
  EXPECT_EQ(file->budgets[1].max, 1u << 20);
  EXPECT_FALSE(file->budgets[1].p99.has_value());
}

TEST(Budget, AnEmptyFileHasNone) {
  EXPECT_TRUE(parse_budgets("", "x").value().budgets.empty());
  EXPECT_TRUE(parse_budgets("# only words", "x").value().budgets.empty());
}

TEST(Budget, ErrorsNameLineAndColumn) {
  EXPECT_THAT(error_of("[[budget]]\nsite = \"a\"\nmx = \"1 KiB\"\n"),
              StartsWith("stack.toml:3:1: unknown key \"mx\": there are site, max, p99 and"));
  EXPECT_THAT(error_of("[[budget]]\nsite = \"a\"\nmax = \"12K\"\n"),
              StartsWith("stack.toml:3:7: \"12K\" is not a size"));
  EXPECT_THAT(error_of("[[budget]]\nsite = \"a\"\nmax = 12\n"),
              StartsWith("stack.toml:3:7: a size has a unit: \"12 B\""));
  EXPECT_THAT(error_of("[[budget]]\nsite = \"a\"\nuses_min = -1\n"),
              StartsWith("stack.toml:3:12: expected a number of uses"));
  EXPECT_THAT(error_of("[[budget]]\nsite = 3\n"), StartsWith("stack.toml:2:8: expected a site"));
  EXPECT_THAT(error_of("[[budget]]\nmax = \"1 KiB\"\n"), HasSubstr("this budget names no site"));
  EXPECT_THAT(error_of("[[budget]]\nsite = \"a\"\n"), HasSubstr("this budget limits nothing"));
  EXPECT_THAT(error_of("[budget]\nsite = \"a\"\n"), HasSubstr("write [[budget]]"));
  EXPECT_THAT(error_of("budget = [1]\n"), HasSubstr("1:10: expected a string or a number"));
  EXPECT_THAT(error_of("[[budgets]]\n"), StartsWith("stack.toml:1:3: unknown key \"budgets\""));
  EXPECT_EQ(error_of(std::string_view("#\nx\0;\n", 6)), "stack.toml:2:2: a control character");
  EXPECT_EQ(error_of("# x\r\n  [.a]\n"), "stack.toml:2:3: expected [[budget]]");
  EXPECT_EQ(error_of("\xef\xbb\xbf\xef\xbb\xbft"),
            "stack.toml:1:1: expected a key in ASCII, or quotes");
  EXPECT_EQ(error_of("a\xc3\xa9 = 1"), "stack.toml:1:2: expected a key in ASCII, or quotes");
  EXPECT_EQ(error_of("# \xc3\xa9\n[[budget]]\nsite = \"caf\xc3\xa9\"\nuses_min = 1\n"), "no error");
  EXPECT_EQ(error_of("[[\nbudget]]\n"), "stack.toml:1:1: expected [[budget]]");
  EXPECT_THAT(error_of("[[budget]\n"), StartsWith("stack.toml:1:"));
  EXPECT_THAT(error_of("a = " + std::string(100'000, '[')),
              StartsWith("stack.toml:1:5: expected a string"));
}

TEST(Budget, TheCanonicalTextReadsBackTheSame) {
  budget_file file{"x", "", {}};
  file.budgets.push_back(
      {.site = "a \"quoted\"\n\\*:1", .max = 12289, .p99 = 1 << 20, .uses_min = {}});
  file.budgets.push_back({.site = "b", .max = 0, .p99 = {}, .uses_min = 7});
  const std::string text = budgets_text(file);
  EXPECT_THAT(text, StartsWith("# What each spawn site may use"));
  const auto again = parse_budgets(text, "x");
  ASSERT_TRUE(again.has_value()) << again.error().what << text;
  EXPECT_EQ(again->budgets[0].site, file.budgets[0].site);
  EXPECT_EQ(again->budgets[0].max, 12289u);
  EXPECT_EQ(again->budgets[1].uses_min, 7u);
  EXPECT_EQ(budgets_text(*again), text);
}

}  // namespace
}  // namespace bast_stacks
