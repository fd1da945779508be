// SPDX-License-Identifier: Apache-2.0
#include "draw/text.hpp"

#include <gtest/gtest.h>

namespace {

using namespace bast_stacks;
using namespace bast_stacks::draw;

TEST(DrawText, ControlsAndMalformedBytesBecomeReplacements) {
  EXPECT_EQ(safe_text("plain \u00e4\u65e5"), "plain \u00e4\u65e5");
  EXPECT_EQ(safe_text("a\x1b[2Jb"), "a\ufffd[2Jb");
  EXPECT_EQ(safe_text("line\nline\ttab\x7f"), "line\ufffdline\ufffdtab\ufffd");
  EXPECT_EQ(safe_text("\xff\xc0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(safe_text("\xe2\x82"), "\ufffd\ufffd");             // cut short
  EXPECT_EQ(safe_text("\xed\xa0\x80").substr(0, 3), "\ufffd");  // a surrogate
  EXPECT_EQ(safe_text("\xf4\x90\x80\x80").substr(0, 3), "\ufffd");
}

TEST(DrawText, NothingChangesTheDirectionOfWhatFollows) {
  EXPECT_EQ(safe_text("x\u202etxt"), "x\ufffdtxt");
  EXPECT_EQ(safe_text("\u2066\u2069\u200f"), "\ufffd\ufffd\ufffd");
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

TEST(DrawText, ExactBytesSayWhatTheyMean) {
  EXPECT_EQ(exact_bytes_text(1), "1 byte");
  EXPECT_EQ(exact_bytes_text(912), "912 bytes");
  EXPECT_EQ(exact_bytes_text(9318), "9,318 bytes (9.1 KiB)");
}

}  // namespace
