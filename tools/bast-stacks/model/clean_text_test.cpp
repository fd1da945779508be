// SPDX-License-Identifier: Apache-2.0
#include "model/clean_text.hpp"

#include <gtest/gtest.h>

#include "bast/testing/random.hpp"
#include "model/utf8.hpp"

namespace bast_stacks {
namespace {

using namespace std::string_view_literals;

/// One replacement per replaced character or byte.
std::string replaced(std::size_t times) {
  std::string text;
  while (times-- != 0) text += "\ufffd";
  return text;
}

TEST(CleanText, KeepsUtf8) {
  for (const std::string_view text :
       {"", "worker", "Grüße, 世界, 🧵", "“quoted” – 1…2", "e\u0301", "\u2764\ufe0f"})
    EXPECT_EQ(clean_text(text), text);
}

TEST(CleanText, AFieldEndsAtItsFirstZero) {
  EXPECT_EQ(clean_field("a\0b"sv), "a");
  EXPECT_EQ(clean_field("full\x1b"), "full\ufffd");
  EXPECT_EQ(clean_field(""), "");
  EXPECT_EQ(clean_text("a\0b"sv), "a\ufffdb");
}

TEST(CleanText, AFileIsTheLastPartOfItsPath) {
  EXPECT_EQ(file_name("/lib/lib\x1b]0;x\a.so"), "lib\ufffd]0;x\ufffd.so");
  EXPECT_EQ(file_name("/usr/lib/libc.so.6"), "libc.so.6");
  EXPECT_EQ(file_name("libc.so.6"), "libc.so.6");
  EXPECT_EQ(file_name("/"), "");
}

TEST(CleanText, ReplacesWhatATerminalWouldObey) {
  EXPECT_EQ(clean_text("a\x1b[2Jb"), "a\ufffd[2Jb");
  EXPECT_EQ(clean_text("\t\r\n\x7f"), replaced(4));
  EXPECT_EQ(clean_text("\xc2\x9b"), replaced(1));  // CSI of Latin-1
}

TEST(CleanText, IsOneLine) {
  EXPECT_EQ(clean_text("a\u2028b\u2029\u0085"), "a\ufffdb\ufffd\ufffd");
}

TEST(CleanText, NothingTurnsTheDirectionOfWhatFollowsAround) {
  EXPECT_EQ(clean_text("x\u202etxt"), "x\ufffdtxt");
  EXPECT_EQ(clean_text("\u061c\u200e\u200f\u202a\u2066\u2069"), replaced(6));
}

TEST(CleanText, NothingIsInvisible) {
  EXPECT_EQ(clean_text("same\u200b"), "same\ufffd");
  EXPECT_EQ(clean_text("\u00ad\u200d\u2060\u3164\ufeff\U000e0041"), replaced(6));
}

TEST(CleanText, ReplacesEachByteThatIsNoUtf8) {
  EXPECT_EQ(clean_text("a\xff\xfe"), "a\ufffd\ufffd");
  EXPECT_EQ(clean_text("\xc3"), replaced(1));              // cut short
  EXPECT_EQ(clean_text("\xe2\x82"), replaced(2));          // cut short
  EXPECT_EQ(clean_text("\xc3("), "\ufffd(");               // not continued
  EXPECT_EQ(clean_text("\xc0\xaf"), replaced(2));          // longer than needed
  EXPECT_EQ(clean_text("\xe0\x80\xaf"), replaced(3));      // longer than needed
  EXPECT_EQ(clean_text("\xed\xa0\x80"), replaced(3));      // a surrogate
  EXPECT_EQ(clean_text("\xf4\x90\x80\x80"), replaced(4));  // beyond Unicode
  EXPECT_EQ(clean_text("\xf5\x80"), replaced(2));
}

TEST(CleanText, ReplacesCodesThatAreNoCharacters) {
  EXPECT_EQ(clean_text("\ufdd0\uffff\U0010fffe\ufff9"), replaced(4));
}

TEST(CleanText, OfAnythingIsNotChangedByCleaningAgain) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::uint64_t n = random.below(40); n != 0; --n)
      text += static_cast<char>(random.below(2) == 0 ? random.below(256) : 0xe0 + random.below(3));
    const std::string clean = clean_text(text);
    EXPECT_EQ(clean_text(clean), clean);
    EXPECT_LE(clean.size(), 3 * text.size());
  }
}

TEST(Utf8, TellsCodeAndLength) {
  const auto expect = [](std::string_view text, char32_t code, std::size_t bytes) {
    const character found = first_character(text);
    EXPECT_EQ(found.code, code) << text;
    EXPECT_EQ(found.bytes, bytes) << text;
  };
  expect("", 0, 0);
  expect("\0x"sv, 0, 1);
  expect("ab", 'a', 1);
  expect("äb", 0xe4, 2);
  expect("世", 0x4e16, 3);
  expect("🧵", 0x1f9f5, 4);
  expect("\xf4\x8f\xbf\xbf", 0x10ffff, 4);
  expect("\xed\x9f\xbf", 0xd7ff, 3);
  expect("\x80", replacement_character, 1);
}

}  // namespace
}  // namespace bast_stacks
