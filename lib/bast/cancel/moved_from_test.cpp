// SPDX-License-Identifier: Apache-2.0
//
// Every call on a moved-from object is valid.
#include <gtest/gtest.h>

#include <utility>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast {
namespace {

TEST(CancelMovedFrom, ASourceIsNeverCancelledAndHasNoChildren) {
  cancel_source source = test::root_source();
  const cancel_source other = std::move(source);
  EXPECT_FALSE(source.cancel());
  EXPECT_FALSE(source.is_cancelled());
  EXPECT_FALSE(source.reason());
  EXPECT_FALSE(source.token().can_be_cancelled());
  EXPECT_EQ(source.id(), 0U);
  EXPECT_EQ(source.refused(), 0U);
  EXPECT_EQ(test::kind_of(source.child()), errc::bad_state);
  EXPECT_EQ(test::kind_of(wait_group::create(source)), errc::bad_state);
  source.set_shield(true);
  source.set_deadline(time_point());
  source.advance(time_point());
  EXPECT_EQ(source.deadline(), never);
  EXPECT_EQ(source.next_deadline(), never);
  EXPECT_FALSE(other.is_cancelled());
}

TEST(CancelMovedFrom, WhatWasAssignedFromHoldsNothingOfWhatWasThere) {
  cancel_source before = test::root_source();
  cancel_source after = test::root_source();
  const std::uint64_t id = after.id();
  const cancel_token old = before.token();
  before = std::move(after);
  EXPECT_EQ(before.id(), id);
  EXPECT_EQ(after.id(), 0U);
  EXPECT_FALSE(after.cancel());
  EXPECT_FALSE(old.is_cancelled());
  cancel_source& same = before;
  before = std::move(same);
  EXPECT_EQ(before.id(), id);

  cancel_token token = before.token();
  cancel_token other = old;
  token = std::move(other);
  EXPECT_EQ(token, old);
  EXPECT_FALSE(other.can_be_cancelled());
}

TEST(CancelMovedFrom, ATokenNeverFires) {
  const cancel_source source = test::root_source();
  cancel_token token = source.token();
  const cancel_token other = std::move(token);
  source.cancel();
  EXPECT_TRUE(other.is_cancelled());
  EXPECT_FALSE(token.is_cancelled());
  EXPECT_FALSE(token.can_be_cancelled());
  EXPECT_TRUE(token.check("test"));
  EXPECT_EQ(token.deadline(), never);
  EXPECT_EQ(cancel_token::any_of(token, other).value(), other);
  const cancel_callback callback(token, []() noexcept { ADD_FAILURE(); });
  const cancel_binding bound(token);
  EXPECT_TRUE(this_coro::checkpoint());
}

TEST(CancelMovedFrom, AGroupHasNoMembers) {
  wait_group members = wait_group::create().value();
  ticket first = members.begin();
  const wait_group other = std::move(members);
  ticket none = members.begin();
  EXPECT_FALSE(none.token().can_be_cancelled());
  none.done();
  EXPECT_EQ(members.active(), 0U);
  EXPECT_TRUE(members.is_idle());
  EXPECT_FALSE(members.cancel());
  EXPECT_FALSE(members.token().can_be_cancelled());
  EXPECT_TRUE(members.wait());
  EXPECT_EQ(other.active(), 1U);

  ticket moved = std::move(first);
  first.done();
  EXPECT_FALSE(first.token().can_be_cancelled());
  EXPECT_EQ(other.active(), 1U);
  first = std::move(moved);
  moved.done();
  EXPECT_EQ(other.active(), 1U);
  first.done();
  EXPECT_EQ(other.active(), 0U);
}

}  // namespace
}  // namespace bast
