// SPDX-License-Identifier: Apache-2.0
//
// Shields and deadlines.
#include <gtest/gtest.h>

#include "bast/cancel.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

time_point at(int seconds) { return time_point(std::chrono::seconds(seconds)); }

cancel_source root() { return cancel_source::create().value(); }

TEST(CancelDeadline, C13_AShieldKeepsWhatComesFromAboveOut) {
  const cancel_source top = root();
  const cancel_source child = top.child({.shielded = true}).value();
  const cancel_source below = child.child().value();
  int ran = 0;
  const cancel_callback a(below.token(), [&]() noexcept { ++ran; });
  top.cancel({.code = cancel_code::shutdown});
  EXPECT_FALSE(child.is_cancelled());
  EXPECT_FALSE(below.is_cancelled());
  child.set_shield(false);
  EXPECT_TRUE(child.is_cancelled());
  EXPECT_EQ(below.reason()->cause, cancel_code::shutdown);
  EXPECT_EQ(ran, 1);
}

TEST(CancelDeadline, C13_AShieldDoesNotKeepItsOwnCancellationOut) {
  const cancel_source top = root();
  const cancel_source child = top.child({.shielded = true, .deadline = at(5)}).value();
  top.advance(at(5));
  EXPECT_EQ(child.reason()->code, cancel_code::deadline);
  EXPECT_FALSE(top.is_cancelled());
}

TEST(CancelDeadline, C14_TheEarliestDeadlineCounts) {
  const cancel_source top = cancel_source::create({.deadline = at(10)}).value();
  const cancel_source child = top.child({.deadline = at(20)}).value();
  const cancel_source hurried = child.child({.deadline = at(7)}).value();
  const cancel_source shielded = child.child({.shielded = true}).value();
  EXPECT_EQ(child.deadline(), at(10));
  EXPECT_EQ(hurried.deadline(), at(7));
  EXPECT_EQ(shielded.deadline(), never);
  EXPECT_EQ(top.next_deadline(), at(7));
  top.advance(at(7) - 1ns);
  EXPECT_FALSE(hurried.is_cancelled()) << "never early";
  top.advance(at(7));
  EXPECT_TRUE(hurried.is_cancelled());
  EXPECT_FALSE(child.is_cancelled());
  EXPECT_EQ(top.next_deadline(), at(10));
  top.advance(at(30));
  EXPECT_EQ(child.reason()->code, cancel_code::parent) << "its own deadline was later";
  EXPECT_EQ(child.reason()->cause, cancel_code::deadline);
  EXPECT_EQ(top.next_deadline(), never);
}

TEST(CancelDeadline, C14_APastDeadlineCancelsAtOnce) {
  const cancel_source source = root();
  source.advance(at(9));
  source.set_deadline(at(9) + 1ns);
  EXPECT_FALSE(source.is_cancelled());
  source.set_deadline(at(9));
  EXPECT_TRUE(source.is_cancelled());
  EXPECT_EQ(source.reason()->error, make_error_code(errc::timed_out));
  EXPECT_TRUE(source.child({.deadline = at(1)})->is_cancelled());
}

TEST(CancelDeadline, C14_ExtendingADeadlineThatFiredHasNoEffect) {
  const cancel_source source = cancel_source::create({.deadline = at(1)}).value();
  source.advance(at(1));
  source.set_deadline(at(100));
  EXPECT_TRUE(source.is_cancelled());
  EXPECT_EQ(source.next_deadline(), never);
}

TEST(CancelDeadline, C14_TheTreesTimeNeverGoesBack) {
  const cancel_source source = root();
  source.advance(at(9));
  source.advance(at(2));
  source.set_deadline(at(5));
  EXPECT_TRUE(source.is_cancelled());
}

TEST(CancelDeadline, C14_DueSourcesAreCancelledEarliestFirst) {
  const cancel_source top = root();
  const cancel_source parent = top.child({.deadline = at(8)}).value();
  const cancel_source child = parent.child({.deadline = at(3)}).value();
  const cancel_source other = top.child({.deadline = at(5)}).value();
  const cancel_source later = top.child({.deadline = at(50)}).value();
  top.advance(at(9));
  EXPECT_EQ(child.reason()->code, cancel_code::deadline) << "its own came first";
  EXPECT_EQ(parent.reason()->code, cancel_code::deadline);
  EXPECT_TRUE(other.is_cancelled());
  EXPECT_FALSE(later.is_cancelled());
}

}  // namespace
}  // namespace bast
