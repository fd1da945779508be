// SPDX-License-Identifier: Apache-2.0
#include "draw/text.hpp"

#include <gtest/gtest.h>

#include "draw/sample.hpp"

namespace {

using namespace bast_stacks;
using namespace bast_stacks::draw;

TEST(DrawText, ControlsAndMalformedBytesBecomeReplacements) {
  EXPECT_EQ(printable("plain \u00e4\u65e5"), "plain \u00e4\u65e5");
  EXPECT_EQ(printable("a\x1b[2Jb"), "a\ufffd[2Jb");
  EXPECT_EQ(printable("line\nline\ttab\x7f"), "line\ufffdline\ufffdtab\ufffd");
  EXPECT_EQ(printable("\xff\xc0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(printable("\xe2\x82"), "\ufffd\ufffd");             // cut short
  EXPECT_EQ(printable("\xed\xa0\x80").substr(0, 3), "\ufffd");  // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80").substr(0, 3), "\ufffd");
}

TEST(DrawText, NothingChangesTheDirectionOfWhatFollows) {
  EXPECT_EQ(printable("x\u202etxt"), "x\ufffdtxt");
  EXPECT_EQ(printable("\u2066\u2069\u200f"), "\ufffd\ufffd\ufffd");
}

TEST(DrawText, MarkupIsHarmless) {
  EXPECT_EQ(markup("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(markup("]]>\0"), "]]&gt;");
}

TEST(DrawText, CutsToColumnsAndNotToBytes) {
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("\u65e5\u672c"), 4U);
  EXPECT_EQ(columns_of("e\u0301"), 1U);
  EXPECT_EQ(cut_end("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_end("abcdef", 4), "abc\u2026");
  EXPECT_EQ(cut_start("abcdef", 4), "\u2026def");
  EXPECT_EQ(cut_end("\u65e5\u672c\u8a9e", 4), "\u65e5\u2026");
  EXPECT_EQ(cut_start("\u65e5\u672c\u8a9e", 4), "\u2026\u8a9e");
  EXPECT_EQ(cut_end("abc", 0), "");
  EXPECT_EQ(cut_start("abc", 0), "");
  EXPECT_EQ(cut_start("abc", 1), "\u2026");
}

TEST(DrawText, FunctionsLoseParametersAndTemplateArguments) {
  EXPECT_EQ(short_function("f(int)"), "f");
  EXPECT_EQ(short_function("std::vector<int, std::allocator<int> >::push_back(int&&)"),
            "std::vector<\u2026>::push_back");
  EXPECT_EQ(short_function("(anonymous namespace)::parse(char const*)"),
            "(anonymous namespace)::parse");
  EXPECT_EQ(short_function("a::operator<(a const&)"), "a::operator<(a const&)");
  EXPECT_EQ(short_function("main::{lambda(int)#1}::operator()(int) const"),
            "main::{lambda(int)#1}::operator()(int) const");
  EXPECT_EQ(short_function("broken<<<"), "broken<<<");
  EXPECT_EQ(short_function("broken>"), "broken>");
  EXPECT_EQ(short_function("(odd)"), "(odd)");
  EXPECT_EQ(short_function(""), "");
}

TEST(DrawText, BytesNameTheirUnit) {
  EXPECT_EQ(bytes_text(0), "0 bytes");
  EXPECT_EQ(bytes_text(1), "1 byte");
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1024), "1 KiB");
  EXPECT_EQ(bytes_text(9318), "9.1 KiB");
  EXPECT_EQ(bytes_text((1 << 20) - 1), "1 MiB");
  EXPECT_EQ(bytes_text(3 << 19), "1.5 MiB");
  EXPECT_EQ(bytes_text(~std::uint64_t{0}), "16 EiB");
  EXPECT_EQ(exact_bytes_text(9318), "9,318 bytes (9.1 KiB)");
  EXPECT_EQ(count_text(41203), "41,203");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(percent_text(1, 0), "-");
  EXPECT_EQ(percent_text(964, 1000), "96.4 %");
}

TEST(DrawText, ShortSiteNamesTellSitesApart) {
  snapshot made;
  made.sites = {sample::place("a/x.cpp", 7, {}, 1), sample::place("b/x.cpp", 7, {}, 1),
                sample::place("b/y.cpp", 9, {}, 1), sample::place("c/z.cpp", 1, {}, 1),
                sample::place("c/z.cpp", 1, {}, 1), sample::place("get /a/b", 0, {}, 1)};
  made.sites[3].column = 5;
  made.sites[4].column = 30;
  EXPECT_EQ(short_site_names(made),
            (std::vector<std::string>{"a/x.cpp:7", "b/x.cpp:7", "y.cpp:9", "c/z.cpp:1:5",
                                      "c/z.cpp:1:30", "get /a/b"}));
}

TEST(DrawText, NamelessSitesHaveAName) {
  EXPECT_EQ(site_name(site{}), "(other)");
  site cut = sample::place("long/path.cpp", 3, {}, 1);
  cut.where_is_cut = true;
  EXPECT_EQ(site_name(cut), "\u2026long/path.cpp:3");
}

}  // namespace
