// SPDX-License-Identifier: Apache-2.0
#include "bast/process/list.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace bast {
namespace {

using internal::list;
using internal::string_list;

std::vector<int> values_of(const list<int>& numbers) {
  return {numbers.all().begin(), numbers.all().end()};
}

std::vector<std::string> strings_of(const string_list& strings) {
  std::vector<std::string> out;
  for (const char* s = strings.first(); s != nullptr; s = strings.next(s)) out.emplace_back(s);
  return out;
}

TEST(List, I1_ValuesStayInOrderWhileItGrows) {
  list<int> numbers;
  EXPECT_TRUE(numbers.empty());
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(numbers.add(i));
    expected.push_back(i);
    EXPECT_EQ(numbers.size(), expected.size());
  }
  const int more[] = {7, 8, 9};
  ASSERT_TRUE(numbers.add_all(more));
  ASSERT_TRUE(numbers.add_all({}));
  expected.insert(expected.end(), {7, 8, 9});
  EXPECT_EQ(values_of(numbers), expected);
  EXPECT_EQ(numbers.data(), numbers.all().data());
  EXPECT_FALSE(numbers.empty());
  numbers.clear();
  EXPECT_TRUE(numbers.empty());
  ASSERT_TRUE(numbers.add(5));
  EXPECT_EQ(values_of(numbers), std::vector<int>{5});
}

/// The number of allocations while `numbers` receives `count` values one by one.
std::uint64_t allocations_of(list<int>& numbers, int count) {
  const os::fault_scope counted({.kind = os::call::allocate});
  for (int i = 0; i < count; ++i) EXPECT_TRUE(numbers.add(i));
  return counted.seen();
}

TEST(List, I1_TheCapacityDoublesAndIsUsedUp) {
  list<int> numbers;
  EXPECT_EQ(allocations_of(numbers, 64), 7U) << "1, 2, 4 .. 64";
  list<int> reserved;
  ASSERT_TRUE(reserved.reserve(10));
  EXPECT_EQ(allocations_of(reserved, 10), 0U);
  EXPECT_EQ(allocations_of(reserved, 1), 1U);
  EXPECT_EQ(allocations_of(reserved, 9), 0U) << "twice of 10";
  EXPECT_EQ(allocations_of(reserved, 1), 1U);
  ASSERT_TRUE(reserved.reserve(1000));
  EXPECT_EQ(allocations_of(reserved, 1000), 0U);
  EXPECT_EQ(allocations_of(reserved, 1), 1U);
}

TEST(List, I1_ALargeAdditionDoublesItToo) {
  list<int> numbers;
  const int some[] = {1, 2, 3, 4, 5};
  ASSERT_TRUE(numbers.add_all(std::span(some).first(4)));
  numbers.clear();
  ASSERT_TRUE(numbers.add(1));
  EXPECT_TRUE(numbers.add_all(some));
  EXPECT_EQ(allocations_of(numbers, 2), 0U) << "8 fit";
  EXPECT_EQ(allocations_of(numbers, 1), 1U);
}

TEST(List, X6_WithoutMemoryNothingChanges) {
  list<int> numbers;
  const int some[] = {1, 2, 3};
  ASSERT_TRUE(numbers.add_all(some));
  const os::fault_scope fault({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_FALSE(numbers.add(4));
  EXPECT_FALSE(numbers.add_all(some));
  EXPECT_FALSE(numbers.reserve(1));
  EXPECT_TRUE(numbers.reserve(0));
  EXPECT_EQ(values_of(numbers), (std::vector<int>{1, 2, 3}));
}

TEST(List, I1_MoreThanAnObjectMayHaveIsRefusedUnasked) {
  list<int> numbers;
  ASSERT_TRUE(numbers.add(1));
  constexpr std::size_t most = PTRDIFF_MAX / sizeof(int) / 2;
  const os::fault_scope fault({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_FALSE(numbers.reserve(SIZE_MAX));
  EXPECT_FALSE(numbers.reserve(most + 1));
  EXPECT_FALSE(numbers.reserve(most));
  EXPECT_EQ(fault.seen(), 0U);
  EXPECT_FALSE(numbers.reserve(most - 1));
  EXPECT_EQ(fault.seen(), 1U);
  list<int> empty;
  EXPECT_FALSE(empty.reserve(most + 1));
  EXPECT_EQ(fault.seen(), 1U);
  EXPECT_FALSE(empty.reserve(most));
  EXPECT_EQ(fault.seen(), 2U) << "requests the maximum size";
}

TEST(List, I1_MovingLeavesAnEmptyListThatWorks) {
  list<int> first;
  ASSERT_TRUE(first.add(1));
  list<int> second(std::move(first));
  EXPECT_EQ(values_of(second), std::vector<int>{1});
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): tests the moved-from object
  ASSERT_TRUE(first.add(2));
  EXPECT_EQ(values_of(first), std::vector<int>{2});
  ASSERT_TRUE(first.add(3));
  second = std::move(first);
  EXPECT_EQ(values_of(second), (std::vector<int>{2, 3}));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): tests the moved-from object
  ASSERT_TRUE(first.add(4));
  ASSERT_TRUE(second.add(5));
  EXPECT_EQ(values_of(first), std::vector<int>{4});
  EXPECT_EQ(values_of(second), (std::vector<int>{2, 3, 5}));
}

TEST(StringList, I1_StringsStayInOrderAndWhole) {
  string_list strings;
  EXPECT_TRUE(strings.empty());
  EXPECT_EQ(strings.first(), nullptr);
  ASSERT_TRUE(strings.add({"A", "=", "one"}));
  ASSERT_TRUE(strings.add({""}));
  ASSERT_TRUE(strings.add({}));
  ASSERT_TRUE(strings.add({"last"}));
  EXPECT_EQ(strings.count(), 4U);
  EXPECT_FALSE(strings.empty());
  EXPECT_EQ(strings_of(strings), (std::vector<std::string>{"A=one", "", "", "last"}));
  ASSERT_TRUE(strings.assign({"on", "ly"}));
  EXPECT_EQ(strings.count(), 1U);
  EXPECT_EQ(strings_of(strings), std::vector<std::string>{"only"});
  strings.clear();
  EXPECT_EQ(strings.count(), 0U);
  EXPECT_EQ(strings_of(strings), std::vector<std::string>{});
}

TEST(StringList, X6_WithoutMemoryNothingChanges) {
  string_list strings;
  ASSERT_TRUE(strings.add({"a"}));
  const std::string large(1000, 'x');
  const os::fault_scope fault({.kind = os::call::allocate, .nth = 1, .persistent = true});
  EXPECT_FALSE(strings.add({"b", large}));
  EXPECT_EQ(strings.count(), 1U);
  EXPECT_EQ(strings_of(strings), std::vector<std::string>{"a"});
  EXPECT_FALSE(strings.assign({large}));
  EXPECT_EQ(strings.count(), 0U);
  EXPECT_EQ(strings.first(), nullptr);
}

TEST(StringList, X6_OneStringIsOneAllocationAtMost) {
  string_list strings;
  const os::fault_scope counted({.kind = os::call::allocate});
  ASSERT_TRUE(strings.add({"12345", "=", "6789"}));
  EXPECT_EQ(counted.seen(), 1U);
}

TEST(StringList, I1_MovingLeavesAnEmptyListThatWorks) {
  string_list first;
  ASSERT_TRUE(first.add({"a"}));
  ASSERT_TRUE(first.add({"b"}));
  string_list second(std::move(first));
  EXPECT_EQ(strings_of(second), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.count(),
            0U);  // NOLINT(bugprone-use-after-move): tests the moved-from object
  ASSERT_TRUE(first.add({"c"}));
  EXPECT_EQ(first.count(), 1U);
  second = std::move(first);
  EXPECT_EQ(strings_of(second), std::vector<std::string>{"c"});
  EXPECT_EQ(second.count(), 1U);
  EXPECT_EQ(first.count(), 0U);  // NOLINT(bugprone-use-after-move): tests the moved-from object
  EXPECT_EQ(first.first(), nullptr);
}

}  // namespace
}  // namespace bast
