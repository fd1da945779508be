// SPDX-License-Identifier: Apache-2.0
#include "read/clean_text.hpp"

#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

using namespace std::string_view_literals;

TEST(CleanText, KeepsUtf8) {
  EXPECT_EQ(clean_text("worker"), "worker");
  EXPECT_EQ(clean_text("Grüße, 世界, 🧵"), "Grüße, 世界, 🧵");
}

TEST(CleanText, EndsAtTheFirstZero) {
  EXPECT_EQ(clean_text("a\0b"sv), "a");
  EXPECT_EQ(clean_text(""), "");
}

TEST(CleanText, ReplacesWhatATerminalWouldObey) {
  EXPECT_EQ(clean_text("\x1b[2J\r\n\x7f"), "?[2J???");
  EXPECT_EQ(clean_text("\xc2\x9b"), "??");  // CSI as one code point
}

TEST(CleanText, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(clean_text("a\xff"), "a?");
  EXPECT_EQ(clean_text("\xc3"), "?");                 // cut short
  EXPECT_EQ(clean_text("\xc0\xaf"), "??");            // longer than needed
  EXPECT_EQ(clean_text("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(clean_text("\xf4\x90\x80\x80"), "????");  // beyond Unicode
}

}  // namespace
}  // namespace bast_stacks
