// SPDX-License-Identifier: Apache-2.0
#include "code/byte_cursor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bast_stacks {
namespace {

using byte_list = std::vector<std::uint8_t>;

TEST(ByteCursor, ReadsNumbersOfEveryWidthUpToTheLastByte) {
  const byte_list bytes{1, 0x82, 3, 0x84, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff};
  byte_cursor at(bytes);
  EXPECT_EQ(at.read<std::uint8_t>(), 1U);
  EXPECT_EQ(at.read<std::uint16_t>(), 0x0382U);
  EXPECT_EQ(at.read<std::uint32_t>(), 0x07060584U);
  EXPECT_EQ(at.at(), 7U);
  EXPECT_EQ(at.left(), 8U);
  EXPECT_FALSE(at.done());
  EXPECT_EQ(at.read<std::uint64_t>(), 0xff0e0d0c0b0a0908U);
  EXPECT_TRUE(at.done());
  EXPECT_FALSE(at.failed());
  EXPECT_EQ(at.read<std::uint8_t>(), 0U);
  EXPECT_TRUE(at.failed());
}

TEST(ByteCursor, ANumberThatEndsBehindTheLastByteIsAFailureAndTheLast) {
  const byte_list bytes{1, 2, 3};
  byte_cursor at(bytes);
  EXPECT_EQ(at.read<std::uint32_t>(), 0U);
  EXPECT_TRUE(at.failed());
  EXPECT_TRUE(at.done());
  EXPECT_EQ(at.read<std::uint8_t>(), 0U);
}

struct leb {
  byte_list bytes;
  std::uint64_t is_unsigned;
  std::int64_t is_signed;
};

TEST(ByteCursor, ReadsLeb128) {
  const std::vector<leb> all{
      {{0x00}, 0, 0},
      {{0x3f}, 63, 63},
      {{0x40}, 64, -64},
      {{0x7f}, 127, -1},
      {{0x80, 0x01}, 128, 128},
      {{0xff, 0x3f}, 8191, 8191},
      {{0x80, 0x40}, 8192, -8192},
      {{0xff, 0x7f}, 16383, -1},
      {{0xe5, 0x8e, 0x26}, 624485, 624485},
      // 63 bits, and bit 63 alone.
      {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, ~std::uint64_t{0} >> 1, -1},
      {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
       std::uint64_t{1} << 63,
       INT64_MIN},
      // Bits beyond 64 are dropped.
      {{0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40}, 1, 1},
      {{0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}, 1, 1}};
  for (const auto& each : all) {
    byte_cursor first(each.bytes);
    EXPECT_EQ(first.read_unsigned(), each.is_unsigned);
    EXPECT_TRUE(first.done());
    EXPECT_FALSE(first.failed());
    byte_cursor second(each.bytes);
    EXPECT_EQ(second.read_signed(), each.is_signed);
    EXPECT_TRUE(second.done());
    byte_cursor cut(std::span(each.bytes).first(each.bytes.size() - 1));
    EXPECT_EQ(cut.read_unsigned(), 0U);
    EXPECT_TRUE(cut.failed());
  }
}

std::string text_of(std::span<const std::uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(ByteCursor, TextsEndWithAZeroThatIsNoPartOfThem) {
  const byte_list bytes{'a', 'b', 0, 0, 'c', 0, 'd'};
  byte_cursor at(bytes);
  EXPECT_EQ(text_of(at.read_text()), "ab");
  EXPECT_EQ(text_of(at.read_text()), "");
  EXPECT_EQ(text_of(at.read_text()), "c");
  EXPECT_EQ(at.at(), 6U);
  EXPECT_FALSE(at.failed());
  EXPECT_EQ(text_of(at.read_text()), "");
  EXPECT_TRUE(at.failed());
}

TEST(ByteCursor, TakesWhatIsThereAndNoByteMore) {
  const byte_list bytes{'a', 'b', 'c', 'd', 'e'};
  byte_cursor at(bytes);
  EXPECT_EQ(text_of(at.take(2)), "ab");
  EXPECT_EQ(text_of(at.take(0)), "");
  EXPECT_EQ(text_of(at.take(3)), "cde");
  EXPECT_EQ(text_of(at.take(0)), "");
  EXPECT_FALSE(at.failed());
  EXPECT_EQ(text_of(at.take(1)), "");
  EXPECT_TRUE(at.failed());
  byte_cursor more(bytes);
  EXPECT_EQ(text_of(more.take(6)), "");
  EXPECT_TRUE(more.failed());
  EXPECT_EQ(more.at(), 5U);
}

}  // namespace
}  // namespace bast_stacks
