// SPDX-License-Identifier: Apache-2.0
#include "read/accumulate.hpp"

#include <gtest/gtest.h>

namespace bast_stacks {
namespace {

site named(const char* where, std::uint64_t live, std::uint64_t max) {
  site made;
  made.where = where;
  made.live = made.held = live;
  made.max = max;
  return made;
}

TEST(Accumulate, KeepsTheLargestNumbers) {
  snapshot earlier;
  earlier.sites = {named("a", 10, 500), named("b", 1, 900)};
  earlier.sites[0].raw.depth = 500;
  snapshot last;
  last.sites = {named("a", 3, 700), named("b", 2, 100)};
  last.sites[0].raw.depth = 400;
  const snapshot both = accumulate(earlier, last);
  ASSERT_EQ(both.sites.size(), 2U);
  EXPECT_EQ(both.sites[0].live, 10U);
  EXPECT_EQ(both.sites[0].held, 10U);
  EXPECT_EQ(both.sites[0].max, 700U);
  EXPECT_EQ(both.sites[0].raw.depth, 500U);
  EXPECT_EQ(both.sites[1].live, 2U);
  EXPECT_EQ(both.sites[1].max, 900U);
}

TEST(Accumulate, KeepsWhatIsGoneAndWhoUsesIt) {
  snapshot earlier;
  earlier.sites = {named("a", 1, 1)};
  earlier.modules = {{.path = "/x", .build_id = {}, .base = 0, .low = 10, .high = 20}};
  snapshot last;
  last.sites = {named("b", 1, 1)};
  last.stacks.resize(1);
  last.stacks[0].site = 0;
  const snapshot both = accumulate(earlier, last);
  ASSERT_EQ(both.sites.size(), 2U);
  EXPECT_EQ(both.sites[0].where, "a");
  EXPECT_EQ(both.sites[both.stacks[0].site].where, "b");
  ASSERT_EQ(both.modules.size(), 1U);
}

TEST(Accumulate, UsesThatNobodyCountedStayPending) {
  snapshot earlier;
  earlier.sites = {named("a", 0, 1)};
  earlier.sites[0].uses = 12;
  earlier.sites[0].pending = 5;
  snapshot last;
  last.sites = {named("a", 0, 1)};
  last.sites[0].uses = 8;
  const snapshot both = accumulate(earlier, last);
  EXPECT_EQ(both.sites[0].uses, 12U);
  EXPECT_EQ(both.sites[0].pending, 4U);
}

}  // namespace
}  // namespace bast_stacks
