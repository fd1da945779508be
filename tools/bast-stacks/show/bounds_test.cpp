// SPDX-License-Identifier: Apache-2.0
//
// Columns, patterns and folded backtraces at each of their bounds and next to it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/test_samples.hpp"
#include "show/backtrace.hpp"
#include "show/check.hpp"
#include "show/columns.hpp"
#include "show/diff.hpp"
#include "show/glob.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

std::string utf8(char32_t code) {
  const auto byte = [](char32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xc0 | (code >> 6)), byte(0x80 | (code & 0x3f))};
  if (code < 0x10000)
    return {byte(0xe0 | (code >> 12)), byte(0x80 | ((code >> 6) & 0x3f)),
            byte(0x80 | (code & 0x3f))};
  return {byte(0xf0 | (code >> 18)), byte(0x80 | ((code >> 12) & 0x3f)),
          byte(0x80 | ((code >> 6) & 0x3f)), byte(0x80 | (code & 0x3f))};
}

TEST(Columns, OfEveryCharacter) {
  std::string text;
  std::size_t last = 1;
  for (char32_t code = 1; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const auto width = columns_of(utf8(code));
    if (width != last) text += fmt::format("{:x} {}, ", static_cast<unsigned>(code), width);
    last = width;
  }
  EXPECT_EQ(
      text,
      "300 0, 370 1, 1100 2, 1160 1, 1ab0 0, 1b00 1, 1dc0 0, 1e00 1, 20d0 0, 2100 1, 2e80 2, "
      "303f 1, 3041 2, a4d0 1, a960 2, a980 1, ac00 2, d7a4 1, f900 2, fb00 1, fe00 0, fe10 1, "
      "fe20 0, fe30 2, fe70 1, ff00 2, ff61 1, ffe0 2, ffe7 1, 1f300 2, 1f650 1, 1f900 2, "
      "1fa00 1, 20000 2, 3fffe 1, ");
}

TEST(Columns, CutToEveryWidth) {
  std::string text;
  for (std::size_t columns = 0; columns <= 7; ++columns)
    text += fmt::format("{} [{}] [{}] [{}] [{}]\n", columns, cut_start("abcdef", columns),
                        cut_end("abcdef", columns), cut_start("\u65e5a\u672c", columns, "~"),
                        cut_end("\u65e5a\u672c", columns, "~"));
  EXPECT_EQ(text,
            "0 [] [] [] []\n"
            "1 [.] [.] [~] [~]\n"
            "2 [..] [..] [~] [~]\n"
            "3 [...] [...] [~\u672c] [\u65e5~]\n"
            "4 [...f] [a...] [~a\u672c] [\u65e5a~]\n"
            "5 [...ef] [ab...] [\u65e5a\u672c] [\u65e5a\u672c]\n"
            "6 [abcdef] [abcdef] [\u65e5a\u672c] [\u65e5a\u672c]\n"
            "7 [abcdef] [abcdef] [\u65e5a\u672c] [\u65e5a\u672c]\n");
}

TEST(Glob, EveryPatternWithEveryText) {
  const std::vector<std::string> texts = {"",  "a", "b",  "ab", "ba",   "aab", "aba",
                                          "*", "?", "\\", "a*", "abab", "a\\"};
  std::string found;
  for (const char* const pattern :
       {"",    "a",   "?",    "*",    "**",   "a*",   "*a",  "*b",   "?b",
        "a?",  "a*b", "*a*b", "a**b", "*ab",  "*?",   "?*",  "??",   "\\*",
        "\\?", "\\a", "\\\\", "\\",   "a\\*", "*\\*", "a\\", "*ab*", "b*a"}) {
    found += fmt::format("{}:", pattern);
    for (const auto& text : texts)
      if (glob_match(pattern, text)) found += fmt::format(" \"{}\"", text);
    found += '\n';
  }
  EXPECT_EQ(found, R"(: ""
a: "a"
?: "a" "b" "*" "?" "\"
*: "" "a" "b" "ab" "ba" "aab" "aba" "*" "?" "\" "a*" "abab" "a\"
**: "" "a" "b" "ab" "ba" "aab" "aba" "*" "?" "\" "a*" "abab" "a\"
a*: "a" "ab" "aab" "aba" "a*" "abab" "a\"
*a: "a" "ba" "aba"
*b: "b" "ab" "aab" "abab"
?b: "ab"
a?: "ab" "a*" "a\"
a*b: "ab" "aab" "abab"
*a*b: "ab" "aab" "abab"
a**b: "ab" "aab" "abab"
*ab: "ab" "aab" "abab"
*?: "a" "b" "ab" "ba" "aab" "aba" "*" "?" "\" "a*" "abab" "a\"
?*: "a" "b" "ab" "ba" "aab" "aba" "*" "?" "\" "a*" "abab" "a\"
??: "ab" "ba" "a*" "a\"
\*: "*"
\?: "?"
\a: "a"
\\: "\"
\: "\"
a\*: "a*"
*\*: "*" "a*"
a\: "a\"
*ab*: "ab" "aab" "aba" "abab"
b*a: "ba"
)");
  for (const auto& text : texts) {
    for (const auto& other : texts)
      EXPECT_EQ(glob_match(glob_escape(text), other), text == other) << text << ' ' << other;
  }
}

TEST(Glob, SitesAreNamedFromAnyDirectoryOn) {
  const site source = test::make_site("/src/app/x.cpp", 5, {});
  const site label = test::make_site("a/b/c", 0, {});
  std::string found;
  for (const char* const pattern : {"/src/app/x.cpp:5", "src/app/x.cpp:5", "app/x.cpp:5", "x.cpp:5",
                                    "cpp:5", "x.cpp", "x.cpp:*", "", "a/b/c", "b/c", "c", "*c"})
    found += fmt::format("{}{}", site_matches(pattern, source) ? 1 : 0,
                         site_matches(pattern, label) ? 1 : 0);
  EXPECT_EQ(found, "101010100000100001000001");
}

// --- backtraces ----------------------------------------------------------------------------------

/// One frame per letter, the deepest first; '-' has no name.
backtrace of_letters(std::string_view letters) {
  backtrace all;
  std::uint64_t bytes = 1;
  for (const char letter : letters) {
    all.frames.push_back(test::make_frame(letter == '-' ? "" : std::string(1, letter), bytes));
    all.frames.back().module.clear();
    bytes *= 2;
  }
  all.inner = all.frames.size();
  return all;
}

std::string folded(std::string_view letters) {
  auto text = backtrace_text(of_letters(letters), true);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' && (out.empty() || out.ends_with(' ') || out.ends_with('\n'))) continue;
    out += text[i];
  }
  return out;
}

TEST(Backtrace, FoldsFromTwoCallsOrThreeCyclesOn) {
  EXPECT_EQ(folded(""), "");
  EXPECT_EQ(folded("a"), "1 B a\n");
  EXPECT_EQ(folded("aa"), "3 B a x2\n");
  EXPECT_EQ(folded("aab"), "3 B a x2\n4 B b\n");
  EXPECT_EQ(folded("baa"), "1 B b\n6 B a x2\n");
  EXPECT_EQ(folded("--"), "1 B 0x401001\n2 B 0x401002\n");
  EXPECT_EQ(folded("abab"), "1 B a\n2 B b\n4 B a\n8 B b\n");
  EXPECT_EQ(folded("ababab"), "63 B 3 times these 2 calls:\n1 B a\n2 B b\n");
  EXPECT_EQ(folded("abababa"), "63 B 3 times these 2 calls:\n1 B a\n2 B b\n64 B a\n");
  EXPECT_EQ(folded("ababa"), "1 B a\n2 B b\n4 B a\n8 B b\n16 B a\n");
  EXPECT_EQ(folded("aabaabaab"), "511 B 3 times these 3 calls:\n1 B a\n2 B a\n4 B b\n");
  EXPECT_EQ(folded("aaaaab"), "31 B a x5\n32 B b\n");
  EXPECT_EQ(folded("aaaaaa"), "63 B a x6\n");
  EXPECT_EQ(folded("a-a-a-"), "1 B a\n2 B 0x401002\n4 B a\n8 B 0x401008\n16 B a\n32 B 0x401020\n");
}

TEST(Backtrace, ACycleHasSixteenCallsAtMost) {
  const std::string cycle = "abcdefghijklmnop";
  EXPECT_TRUE(folded(cycle + cycle + cycle)
                  .starts_with("281474976710655 B 3 times these 16 calls:\n1 B a\n2 B b\n"));
  EXPECT_TRUE(folded(cycle + "q" + cycle + "q" + cycle + "q").starts_with("1 B a\n2 B b\n4 B c\n"));
}

TEST(Backtrace, WhatIsMissingIsWhereItIs) {
  auto some = of_letters("aaaa");
  some.omitted_bytes = 500;
  std::string text;
  for (some.inner = 0; some.inner <= 5; ++some.inner) text += backtrace_text(some, true) + "-\n";
  EXPECT_EQ(text,
            "        15 B  a x4\n-\n"
            "         1 B  a\n       500 B  (frames not recorded)\n        14 B  a x3\n-\n"
            "         3 B  a x2\n       500 B  (frames not recorded)\n        12 B  a x2\n-\n"
            "         7 B  a x3\n       500 B  (frames not recorded)\n         8 B  a\n-\n"
            "        15 B  a x4\n       500 B  (frames not recorded)\n-\n"
            "        15 B  a x4\n-\n");
  some.inner = 2;
  some.frames[1].confirmed = false;
  EXPECT_EQ(backtrace_text(some, true),
            "         3 B  a x2 ?\n       500 B  (frames not recorded)\n        12 B  a x2\n");
  auto cycle = of_letters("ababab");
  cycle.frames[5].confirmed = false;
  EXPECT_EQ(backtrace_text(cycle, true),
            "        63 B  3 times these 2 calls ?:\n         1 B    a\n         2 B    b\n");
}

std::string recursion_of_letters(std::string_view letters, std::uint64_t least) {
  const auto found = recursion_of(of_letters(letters), least);
  return fmt::format("{} {} {}{}", found.function, found.times, found.round_bytes,
                     found.estimated ? " estimated" : "");
}

TEST(Backtrace, TheMostFrequentAndOutermostRecurs) {
  EXPECT_EQ(recursion_of_letters("", 1), " 0 0");
  EXPECT_EQ(recursion_of_letters("a", 1), "a 1 0");
  EXPECT_EQ(recursion_of_letters("aa", 3), " 0 0");
  EXPECT_EQ(recursion_of_letters("aa", 2), "a 2 2");
  EXPECT_EQ(recursion_of_letters("aaa", 3), "a 3 4");
  EXPECT_EQ(recursion_of_letters("axaya", 3), "a 3 24");
  EXPECT_EQ(recursion_of_letters("aaabbb", 3), "b 3 32");
  EXPECT_EQ(recursion_of_letters("bbbaaaa", 3), "a 4 64");
  EXPECT_EQ(recursion_of_letters("---", 1), " 0 0");
}

TEST(Backtrace, WhatIsMissingIsEstimatedFromThreeCallsOn) {
  std::string text;
  for (const std::size_t inner : {0U, 2U, 3U, 4U, 9U}) {
    for (const std::uint64_t omitted : {0U, 1U, 99U, 100U, 9'900U, 9'999U, 123'456U}) {
      backtrace some;
      some.frames.assign(4, test::make_frame("f", 100));
      some.inner = inner;
      some.omitted_bytes = omitted;
      text += recursion_text(some).substr(12) + ' ';
    }
    text += '\n';
  }
  EXPECT_EQ(text,
            "x4 x4 x4 x4 x4 x4 x4 \n"
            "x4 x4 x4 x4 x4 x4 x4 \n"
            "x4 x4 x4 x~5 x~100 x~100 x~1200 \n"
            "x4 x4 x4 x~5 x~100 x~100 x~1200 \n"
            "x4 x4 x4 x~5 x~100 x~100 x~1200 \n");
  EXPECT_EQ(recursion_text(recursion{.function = "f", .times = 98, .estimated = true}),
            "recursion f x~98");
  EXPECT_EQ(recursion_text(recursion{.function = "f", .times = 99, .estimated = true}),
            "recursion f x~99");
  EXPECT_EQ(recursion_text(recursion{.function = "f", .times = 109, .estimated = true}),
            "recursion f x~100");
  EXPECT_EQ(recursion_text(recursion{.function = "f", .times = 999, .estimated = true}),
            "recursion f x~990");
  EXPECT_EQ(recursion_text(recursion{.function = "f", .times = 999}), "recursion f x999");
  EXPECT_EQ(recursion_text(recursion{.function = "a::b::abcdefghijklmnopqrst", .times = 3}),
            "recursion abcdefghijklmnopqrst x3");
  EXPECT_EQ(recursion_text(recursion{.function = "abcdefghijklmnopqrstu", .times = 3}),
            "recursion abcdefghijklmnopq... x3");
  backtrace nothing;
  nothing.frames.assign(3, test::make_frame("f", 0));
  nothing.inner = 3;
  nothing.omitted_bytes = 100;
  EXPECT_EQ(recursion_text(nothing), "recursion f x3");
}

}  // namespace
}  // namespace bast_stacks
