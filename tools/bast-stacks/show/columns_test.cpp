// SPDX-License-Identifier: Apache-2.0
#include "show/columns.hpp"

#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

TEST(Columns, AreCellsAndNotBytes) {
  EXPECT_EQ(columns_of("abc"), 3u);
  EXPECT_EQ(columns_of("\u65e5\u672c"), 4u);
  EXPECT_EQ(columns_of("e\u0301"), 1u);
  EXPECT_EQ(columns_of("\ufffd"), 1u);
}

TEST(Columns, TextThatFitsIsNotCut) {
  EXPECT_EQ(cut_start("0123456789", 10), "0123456789");
  EXPECT_EQ(cut_end("0123456789", 10, ellipsis), "0123456789");
}

TEST(Columns, CutsTheStartOrTheEnd) {
  EXPECT_EQ(cut_start("0123456789", 7), "...6789");
  EXPECT_EQ(cut_end("0123456789", 7), "0123...");
  EXPECT_EQ(cut_start("abcdef", 4, ellipsis), "\u2026def");
  EXPECT_EQ(cut_end("abcdef", 4, ellipsis), "abc\u2026");
}

TEST(Columns, CutsAtCharacters) {
  EXPECT_EQ(cut_start("\u00e4\u00f6\u00fc\u00e9\u00e8", 4), "...\u00e8");
  EXPECT_EQ(cut_end("\u00e4\u00f6\u00fc\u00e9\u00e8", 4), "\u00e4...");
  EXPECT_EQ(cut_start("\u65e5\u672c\u8a9e", 4, ellipsis), "\u2026\u8a9e");
  EXPECT_EQ(cut_end("\u65e5\u672c\u8a9e", 4, ellipsis), "\u65e5\u2026");
}

TEST(Columns, NoRoomIsNeverExceeded) {
  EXPECT_EQ(cut_end("abc", 0), "");
  EXPECT_EQ(cut_start("abc", 0, ellipsis), "");
  EXPECT_EQ(cut_start("abc", 1, ellipsis), "\u2026");
  EXPECT_EQ(cut_start("abcd", 2), "..");
  EXPECT_EQ(cut_end("abcd", 3), "...");
}

}  // namespace
}  // namespace bast_stacks
