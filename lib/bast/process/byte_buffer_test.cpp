// SPDX-License-Identifier: Apache-2.0
#include "bast/process/byte_buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>

#include "bast/os.hpp"

namespace bast {
namespace {

void append(byte_buffer& buffer, std::string_view text) {
  ASSERT_GE(buffer.room().size(), text.size());
  std::memcpy(buffer.room().data(), text.data(), text.size());
  buffer.commit(text.size());
}

TEST(ByteBuffer, I1_WhatIsCommittedIsTheContent) {
  byte_buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.text(), "");
  ASSERT_TRUE(buffer.reserve(8));
  append(buffer, "abcdef");
  EXPECT_EQ(buffer.text(), "abcdef");
  EXPECT_EQ(buffer.room().size(), 2U);
  buffer.truncate(4);
  buffer.truncate(100);
  EXPECT_EQ(buffer.text(), "abcd");
}

TEST(ByteBuffer, I1_WhatIsTakenLeavesTheRestWhereItIs) {
  byte_buffer buffer;
  ASSERT_TRUE(buffer.reserve(8));
  append(buffer, "abcdef");
  const auto room = buffer.room();
  std::byte into[4];
  EXPECT_EQ(buffer.take(into), 4U);
  EXPECT_EQ(buffer.text(), "ef");
  EXPECT_EQ(buffer.room().data(), room.data());
  buffer.compact();
  EXPECT_EQ(buffer.text(), "ef");
  EXPECT_EQ(buffer.room().size(), 6U);
  EXPECT_EQ(buffer.take(into), 2U);
  EXPECT_EQ(buffer.take(into), 0U);
}

TEST(ByteBuffer, X6_WithoutMemoryNothingChanges) {
  byte_buffer buffer;
  ASSERT_TRUE(buffer.reserve(8));
  append(buffer, "abc");
  os::fault_scope fault({.kind = os::call::allocate, .nth = 1});
  EXPECT_FALSE(buffer.reserve(1000));
  EXPECT_EQ(buffer.text(), "abc");
  EXPECT_EQ(buffer.capacity(), 8U);
}

TEST(ByteBuffer, I1_MovingLeavesNothingBehind) {
  byte_buffer buffer;
  ASSERT_TRUE(buffer.reserve(8));
  append(buffer, "abc");
  byte_buffer other(std::move(buffer));
  EXPECT_EQ(other.text(), "abc");
  EXPECT_EQ(other.capacity(), 8U);
  EXPECT_TRUE(buffer.empty());  // NOLINT(bugprone-use-after-move): tests the moved-from object
  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_EQ(buffer.room().size(), 0U);
  byte_buffer third;
  ASSERT_TRUE(third.reserve(4));
  third = std::move(other);
  EXPECT_EQ(third.text(), "abc");
}

TEST(ByteBuffer, I1_RoomGrowsAndIsUsedToItsLastByte) {
  byte_buffer buffer;
  ASSERT_TRUE(buffer.reserve(4));
  append(buffer, "abcd");
  EXPECT_TRUE(buffer.room().empty());
  const os::fault_scope counted({.kind = os::call::allocate});
  ASSERT_TRUE(buffer.reserve(4));
  EXPECT_EQ(counted.seen(), 0U) << "the capacity is sufficient already";
  ASSERT_TRUE(buffer.reserve(5));
  EXPECT_EQ(counted.seen(), 1U);
  EXPECT_EQ(buffer.text(), "abcd");
  EXPECT_EQ(buffer.room().size(), 1U);
  std::byte two[2];
  EXPECT_EQ(buffer.take(two), 2U);
  EXPECT_EQ(static_cast<char>(two[0]), 'a');
  EXPECT_EQ(static_cast<char>(two[1]), 'b');
  EXPECT_EQ(buffer.size(), 2U);
  buffer.truncate(2);
  EXPECT_EQ(buffer.text(), "cd");
  buffer.truncate(1);
  EXPECT_EQ(buffer.text(), "c");
  buffer.compact();
  EXPECT_EQ(buffer.text(), "c");
  EXPECT_EQ(buffer.room().size(), 4U);
  buffer.compact();
  EXPECT_EQ(buffer.text(), "c");
}

TEST(ByteBufferDeathTest, I1_MoreThanThereIsRoomForIsRefused) {
  byte_buffer buffer;
  EXPECT_DEATH(buffer.commit(1), "more bytes are committed");
}

}  // namespace
}  // namespace bast
