// SPDX-License-Identifier: Apache-2.0
#include "bast/base/linked_list.hpp"

#include <gtest/gtest.h>

#include <string>

namespace bast::inline BAST_ABI::internal {
namespace {

struct node {
  char name;
  node* next = nullptr;
  node* previous = nullptr;
  bool linked = false;
};

/// Pops all nodes, oldest first.
std::string emptied(linked_list<node>& list) {
  std::string all;
  while (const node* const first = list.pop()) {
    EXPECT_FALSE(first->linked);
    all += first->name;
  }
  EXPECT_EQ(list.size(), 0U);
  return all;
}

TEST(LinkedList, IsFirstInFirstOut) {
  linked_list<node> list;
  EXPECT_EQ(list.pop(), nullptr);
  node a{'a'};
  node b{'b'};
  node c{'c'};
  for (int life = 0; life < 2; ++life) {
    for (node* const each : {&a, &b, &c}) {
      list.append(*each);
      EXPECT_TRUE(each->linked);
    }
    EXPECT_EQ(list.size(), 3U);
    EXPECT_EQ(emptied(list), "abc");
  }
}

TEST(LinkedList, ANodeIsRemovedFromAnywhere) {
  const char* const left[] = {"bcd", "acd", "abd", "abc"};
  for (std::size_t removed = 0; removed < 4; ++removed) {
    linked_list<node> list;
    node all[] = {{'a'}, {'b'}, {'c'}, {'d'}};
    for (node& each : all) list.append(each);
    list.remove(all[removed]);
    EXPECT_FALSE(all[removed].linked);
    EXPECT_EQ(list.size(), 3U);
    node last{'e'};
    list.append(last);
    EXPECT_EQ(emptied(list), std::string(left[removed]) + 'e');
  }
}

TEST(LinkedList, TheLastOneLeavesItEmpty) {
  linked_list<node> list;
  node a{'a'};
  node b{'b'};
  list.append(a);
  list.remove(a);
  EXPECT_EQ(list.pop(), nullptr);
  list.append(b);
  list.append(a);
  EXPECT_EQ(emptied(list), "ba");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
