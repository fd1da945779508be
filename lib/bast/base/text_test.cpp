// SPDX-License-Identifier: Apache-2.0
#include "bast/base/text.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

namespace bast {
namespace {

/// True of every text.
void check_invariants(const text& t) {
  ASSERT_LE(t.view().size(), text::capacity);
  EXPECT_EQ(std::strlen(t.c_str()), t.view().size()) << "terminated where the view ends";
  EXPECT_EQ(t.view().data(), t.c_str());
}

template <class T>
std::string written(T value) {
  text t;
  t << value;
  check_invariants(t);
  return std::string(t.view());
}

TEST(Text, StartsEmptyAndTerminated) {
  const text t;
  check_invariants(t);
  EXPECT_EQ(t.view(), "");
}

TEST(Text, AppendsInOrder) {
  text t;
  t << "a " << 'b' << std::string_view(" c") << ' ' << std::uint32_t{7} << ' ' << std::int32_t{-7};
  check_invariants(t);
  EXPECT_EQ(t.view(), "a b c 7 -7");
}

TEST(Text, ANullStringIsAQuestionMarkAndAnEmptyViewIsNothing) {
  text t;
  t << static_cast<const char*>(nullptr) << std::string_view();
  check_invariants(t);
  EXPECT_EQ(t.view(), "?");
}

TEST(Text, WritesEveryIntegerAtItsLimits) {
  EXPECT_EQ(written(std::uint64_t{0}), "0");
  EXPECT_EQ(written(std::int64_t{0}), "0");
  EXPECT_EQ(written(std::int64_t{-1}), "-1");
  EXPECT_EQ(written(std::int64_t{1000}), "1000");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::max()), "9223372036854775807");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::int32_t>::min()), "-2147483648");
  EXPECT_EQ(written(std::numeric_limits<std::uint32_t>::max()), "4294967295");
}

TEST(Text, HexadecimalIsLowerCaseAndWithoutLeadingZeros) {
  text t;
  t.hex(0) << ' ';
  t.hex(0xabcdef0123) << ' ';
  t.hex(std::numeric_limits<std::uintptr_t>::max());
  check_invariants(t);
  EXPECT_EQ(t.view(), "0x0 0xabcdef0123 0xffffffffffffffff");
}

TEST(Text, ASizeHasOneTruncatedDecimalAndTheLargestUnitThatFits) {
  const auto size = [](std::size_t n) {
    text t;
    t.size(n);
    check_invariants(t);
    return std::string(t.view());
  };
  EXPECT_EQ(size(0), "0 B");
  EXPECT_EQ(size(17), "17 B");
  EXPECT_EQ(size(1023), "1023 B");
  EXPECT_EQ(size(1024), "1 KiB");
  EXPECT_EQ(size(1024 + 102), "1 KiB");
  EXPECT_EQ(size(1024 + 103), "1.1 KiB");
  EXPECT_EQ(size(32 << 10), "32 KiB");
  EXPECT_EQ(size((1 << 20) - 1), "1023.9 KiB");
  EXPECT_EQ(size(3 << 19), "1.5 MiB");
  EXPECT_EQ(size(std::size_t{2} << 30), "2 GiB");
  EXPECT_EQ(size(std::size_t{1} << 40), "1 TiB");
  // TiB is the largest unit.
  EXPECT_EQ(size(std::size_t{1} << 50), "1024 TiB");
  EXPECT_EQ(size(std::numeric_limits<std::size_t>::max()), "16777215.9 TiB");
}

TEST(Text, ExactlyFullIsNotCut) {
  static_assert(sizeof(text) > sizeof(std::size_t) + text::capacity, "a place for the NUL");
  text t;
  t << std::string(text::capacity, 'x');
  check_invariants(t);
  EXPECT_EQ(t.view(), std::string(text::capacity, 'x'));
  t << "";
  EXPECT_EQ(t.view().back(), 'x') << "nothing was cut, so nothing is marked";
}

TEST(Text, WhatDoesNotFitIsCutAndTheCutIsMarked) {
  // All combinations near the end: characters present before, characters appended.
  for (std::size_t before = text::capacity - 8; before <= text::capacity; ++before) {
    for (std::size_t more = 0; more < 12; ++more) {
      text t;
      t << std::string(before, 'x') << std::string(more, 'y');
      check_invariants(t);
      const bool fits = before + more <= text::capacity;
      const std::string whole = std::string(before, 'x') + std::string(more, 'y');
      const std::string expected = fits ? whole : whole.substr(0, text::capacity - 3) + "...";
      EXPECT_EQ(t.view(), expected) << before << " + " << more;
    }
  }
}

TEST(Text, ACutTextStaysCut) {
  text t;
  t << std::string(2 * text::capacity, 'x');
  const std::string cut(t.view());
  t << "more" << std::int64_t{42} << 'c';
  t.hex(1).size(1);
  check_invariants(t);
  EXPECT_EQ(t.view(), cut);
  EXPECT_TRUE(t.view().ends_with("x..."));
}

}  // namespace
}  // namespace bast
