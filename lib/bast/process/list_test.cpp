// SPDX-License-Identifier: Apache-2.0
#include "bast/process/list.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace bast {
namespace {

using internal::list;
using internal::string_list;

TEST(ProcessList, I1_ItDoublesAndKeepsWhatItHolds) {
  list<int> numbers;
  const os::fault_scope counted({.kind = os::call::allocate});
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(numbers.add(i));
  EXPECT_EQ(counted.seen(), 11U) << "1, 2, 4, ... 1024";
  ASSERT_EQ(numbers.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(numbers.data()[i], i);
  numbers.clear();
  EXPECT_TRUE(numbers.empty());
  ASSERT_TRUE(numbers.reserve(1024));
  EXPECT_EQ(counted.seen(), 11U) << "there was room";
  ASSERT_TRUE(numbers.reserve(1025));
  EXPECT_EQ(counted.seen(), 12U);
}

TEST(ProcessList, X6_WithoutMemoryNothingChanges) {
  list<int> numbers;
  const int two[] = {1, 2};
  ASSERT_TRUE(numbers.add_all(two));
  const os::fault_scope fault({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_FALSE(numbers.add(3));
  EXPECT_FALSE(numbers.add_all(two));
  EXPECT_TRUE(numbers.add_all({}));
  ASSERT_EQ(numbers.size(), 2U);
  EXPECT_EQ(numbers.all()[0], 1);
  EXPECT_EQ(numbers.all()[1], 2);
}

TEST(ProcessList, I1_ASizeThatOverflowsIsRefusedUnasked) {
  list<std::uint64_t> numbers;
  ASSERT_TRUE(numbers.add(1));
  const os::fault_scope counted({.kind = os::call::allocate});
  constexpr std::size_t most = PTRDIFF_MAX / sizeof(std::uint64_t) / 2;
  for (const std::size_t more : {most, most + 1, SIZE_MAX / 8 + 1, SIZE_MAX}) {
    EXPECT_FALSE(numbers.reserve(more)) << more;
  }
  EXPECT_EQ(counted.seen(), 0U);
}

TEST(ProcessList, I1_MovingLeavesAnEmptyOne) {
  list<int> first;
  ASSERT_TRUE(first.add(1));
  list<int> second(std::move(first));
  EXPECT_EQ(first.size(), 0U);  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(first.data(), nullptr);
  ASSERT_TRUE(first.add(2));
  first = std::move(second);
  EXPECT_EQ(first.all()[0], 1);
  EXPECT_EQ(second.size(), 0U);  // NOLINT(bugprone-use-after-move): that is the question
  ASSERT_TRUE(second.reserve(100));
}

TEST(ProcessList, I1_StringsFollowEachOther) {
  string_list strings;
  EXPECT_EQ(strings.first(), nullptr);
  EXPECT_TRUE(strings.empty());
  ASSERT_TRUE(strings.add({"a", "", "bc"}));
  ASSERT_TRUE(strings.add({}));
  ASSERT_TRUE(strings.add({"d"}));
  EXPECT_EQ(strings.count(), 3U);
  const char* s = strings.first();
  EXPECT_STREQ(s, "abc");
  s = strings.next(s);
  EXPECT_STREQ(s, "");
  s = strings.next(s);
  EXPECT_STREQ(s, "d");
  EXPECT_EQ(strings.next(s), nullptr);

  string_list other(std::move(strings));
  EXPECT_EQ(strings.first(), nullptr);  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(other.count(), 3U);
  ASSERT_TRUE(other.assign({"only"}));
  EXPECT_EQ(other.count(), 1U);
  EXPECT_STREQ(other.first(), "only");
  EXPECT_EQ(other.next(other.first()), nullptr);
  strings = std::move(other);
  EXPECT_EQ(other.count(), 0U);  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_STREQ(strings.first(), "only");

  const os::fault_scope fault({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_FALSE(strings.assign({std::string(100, 'x')}));
  EXPECT_TRUE(strings.empty());
  EXPECT_EQ(strings.first(), nullptr);
}

}  // namespace
}  // namespace bast
