// SPDX-License-Identifier: Apache-2.0
#include "bast/base/bytes.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace bast {
namespace {

TEST(Bytes, ANumberIsNeverTakenForASize) {
  static_assert(!std::is_convertible_v<bytes, std::size_t>);
  static_assert(!std::is_convertible_v<std::size_t, bytes>);
  static_assert(std::is_trivially_copyable_v<bytes>);
  EXPECT_EQ(bytes{}.count, 0U);
}

TEST(Bytes, LiteralsAreBinaryMultiples) {
  static_assert((17_B).count == 17);
  static_assert((1_KiB).count == 1024);
  static_assert((1_MiB).count == 1024 * 1024);
  static_assert((3_GiB).count == std::size_t{3} << 30);
  static_assert(1024_KiB == 1_MiB);
  static_assert(1024_MiB == 1_GiB);
}

TEST(Bytes, ArithmeticAndOrderAreThoseOfTheCounts) {
  static_assert(16_KiB + 16_KiB == 32_KiB);
  static_assert(16_KiB - 1_B == 16383_B);
  static_assert(4 * 16_KiB == 64_KiB);
  static_assert(1_KiB < 1025_B && 1_GiB > 1023_MiB && 5_B <= 5_B);
  // bytes.hpp: arithmetic wraps like std::size_t.
  static_assert(unlimited_bytes + 1_B == 0_B);
  static_assert(0_B - 1_B == unlimited_bytes);
}

TEST(Bytes, UnlimitedIsLargerThanAnySize) {
  static_assert(unlimited_bytes.count == static_cast<std::size_t>(-1));
  static_assert(unlimited_bytes >= 16'000'000_GiB);
}

TEST(Bytes, ZeroIsNoPowerOfTwoAndEverySingleBitIs) {
  static_assert(!internal::is_power_of_two(0));
  for (int bit = 0; bit < 64; ++bit) {
    const std::size_t power = std::size_t{1} << bit;
    EXPECT_TRUE(internal::is_power_of_two(power)) << bit;
    if (bit >= 2) {
      EXPECT_FALSE(internal::is_power_of_two(power - 1)) << bit;
      EXPECT_FALSE(internal::is_power_of_two(power + 1)) << bit;
    }
  }
}

TEST(Bytes, RoundingGivesTheNearestMultipleOnItsSide) {
  for (std::size_t unit : {1U, 2U, 16U, 4096U, 65536U}) {
    for (std::size_t n = 0; n < 3 * unit; n += unit < 16 ? 1 : unit / 16) {
      const std::size_t up = internal::round_up(n, unit);
      const std::size_t down = internal::round_down(n, unit);
      EXPECT_EQ(up % unit, 0U);
      EXPECT_EQ(down % unit, 0U);
      EXPECT_LE(down, n);
      EXPECT_GE(up, n);
      EXPECT_LT(n - down, unit);
      EXPECT_LT(up - n, unit);
      // Rounding is idempotent.
      EXPECT_EQ(internal::round_up(up, unit), up);
      EXPECT_EQ(internal::round_down(down, unit), down);
    }
  }
}

}  // namespace
}  // namespace bast
