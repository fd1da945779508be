// SPDX-License-Identifier: Apache-2.0
#include "model/text.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace bast_stacks {
namespace {

TEST(Text, SizesSpellTheirUnit) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1 KiB");
  EXPECT_EQ(size_text(9318), "9.1 KiB");
  EXPECT_EQ(size_text((1 << 20) - 1), "1 MiB");
  EXPECT_EQ(size_text(3 << 20), "3 MiB");
  EXPECT_EQ(size_text(9318, true), "9318 B");
  EXPECT_EQ(size_text(std::numeric_limits<std::uint64_t>::max()), "16777216 TiB");
}

TEST(Text, ExactBytesSayWhatTheyMean) {
  EXPECT_EQ(exact_bytes_text(1), "1 byte");
  EXPECT_EQ(exact_bytes_text(912), "912 bytes");
  EXPECT_EQ(exact_bytes_text(9318), "9,318 bytes (9.1 KiB)");
}

TEST(Text, CountsAndTimes) {
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "site"), "1 site");
  EXPECT_EQ(duration_text(3'600'000'000'000), "60 min");
  EXPECT_EQ(duration_text(1'200'000), "1.2 ms");
  EXPECT_EQ(duration_text(200'000'000'000'000), "2 d 7 h");
}

}  // namespace
}  // namespace bast_stacks
