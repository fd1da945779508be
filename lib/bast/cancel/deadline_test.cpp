// SPDX-License-Identifier: Apache-2.0
//
// Shields and deadlines.
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

TEST(CancelDeadline, C13_AShieldKeepsWhatComesFromAboveOut) {
  const cancel_source top = test::root_source();
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
  const cancel_source top = test::root_source();
  const cancel_source child = top.child({.shielded = true, .deadline = test::at_second(5)}).value();
  top.advance(test::at_second(5));
  EXPECT_EQ(child.reason()->code, cancel_code::deadline);
  EXPECT_FALSE(top.is_cancelled());
}

TEST(CancelDeadline, C14_TheEarliestDeadlineCounts) {
  const cancel_source top = cancel_source::create({.deadline = test::at_second(10)}).value();
  const cancel_source child = top.child({.deadline = test::at_second(20)}).value();
  const cancel_source hurried = child.child({.deadline = test::at_second(7)}).value();
  const cancel_source shielded = child.child({.shielded = true}).value();
  EXPECT_EQ(child.deadline(), test::at_second(10));
  EXPECT_EQ(hurried.deadline(), test::at_second(7));
  EXPECT_EQ(shielded.deadline(), never);
  EXPECT_EQ(top.next_deadline(), test::at_second(7));
  top.advance(test::at_second(7) - 1ns);
  EXPECT_FALSE(hurried.is_cancelled()) << "never early";
  top.advance(test::at_second(7));
  EXPECT_TRUE(hurried.is_cancelled());
  EXPECT_FALSE(child.is_cancelled());
  EXPECT_EQ(top.next_deadline(), test::at_second(10));
  top.advance(test::at_second(30));
  EXPECT_EQ(child.reason()->code, cancel_code::parent) << "its own deadline was later";
  EXPECT_EQ(child.reason()->cause, cancel_code::deadline);
  EXPECT_EQ(top.next_deadline(), never);
}

/// A source keeps its ancestors alive: a whole chain and its deadlines end with it.
TEST(CancelDeadline, C14_WhoIsGoneHasNoDeadline) {
  const cancel_source top = test::root_source();
  for (int length = 1; length < 5; ++length) {
    std::vector<cancel_source> chain;
    for (int i = 0; i < length; ++i) {
      const cancel_source& above = i == 0 ? top : chain.back();
      chain.push_back(above.child({.deadline = test::at_second(10 + i)}).value());
    }
    std::optional<cancel_source> last = std::move(chain.back());
    chain.clear();
    EXPECT_EQ(top.next_deadline(), test::at_second(10)) << "the last keeps those above it";
    last.reset();
    EXPECT_EQ(top.next_deadline(), never) << length;
  }
}

TEST(CancelDeadline, C14_OneThatIsTakenBackNeverComes) {
  const cancel_source top = test::root_source();
  const cancel_source source = top.child({.deadline = test::at_second(5)}).value();
  EXPECT_EQ(top.next_deadline(), test::at_second(5));
  source.set_deadline(never);
  EXPECT_EQ(source.deadline(), never);
  EXPECT_EQ(top.next_deadline(), never);
  top.advance(never);
  EXPECT_FALSE(source.is_cancelled());
  source.set_deadline(never);
  EXPECT_FALSE(source.is_cancelled()) << "`never` is not in the past";
}

TEST(CancelDeadline, C14_APastDeadlineCancelsAtOnce) {
  const cancel_source source = test::root_source();
  source.advance(test::at_second(9));
  source.set_deadline(test::at_second(9) + 1ns);
  EXPECT_FALSE(source.is_cancelled());
  source.set_deadline(test::at_second(9));
  EXPECT_TRUE(source.is_cancelled());
  EXPECT_EQ(source.reason()->error, make_error_code(errc::timed_out));
  EXPECT_TRUE(source.child({.deadline = test::at_second(1)})->is_cancelled());
}

TEST(CancelDeadline, C14_ExtendingADeadlineThatFiredHasNoEffect) {
  const cancel_source source = cancel_source::create({.deadline = test::at_second(1)}).value();
  source.advance(test::at_second(1));
  source.set_deadline(test::at_second(100));
  EXPECT_TRUE(source.is_cancelled());
  EXPECT_EQ(source.next_deadline(), never);
}

TEST(CancelDeadline, C14_TheTreesTimeNeverGoesBack) {
  const cancel_source source = test::root_source();
  source.advance(test::at_second(9));
  source.advance(test::at_second(2));
  source.set_deadline(test::at_second(5));
  EXPECT_TRUE(source.is_cancelled());
}

TEST(CancelDeadline, C14_DueSourcesAreCancelledEarliestFirst) {
  const cancel_source top = test::root_source();
  const cancel_source parent = top.child({.deadline = test::at_second(8)}).value();
  const cancel_source child = parent.child({.deadline = test::at_second(3)}).value();
  const cancel_source other = top.child({.deadline = test::at_second(5)}).value();
  const cancel_source later = top.child({.deadline = test::at_second(50)}).value();
  top.advance(test::at_second(9));
  EXPECT_EQ(child.reason()->code, cancel_code::deadline) << "its own deadline was first";
  EXPECT_EQ(parent.reason()->code, cancel_code::deadline);
  EXPECT_TRUE(other.is_cancelled());
  EXPECT_FALSE(later.is_cancelled());
}

TEST(CancelDeadline, C14_WhoeverIsToldTheTimeHearsOfItsAncestorsDeadlines) {
  for (const bool shielded : {false, true}) {
    std::optional<cancel_source> top = cancel_source::create().value();
    std::optional<cancel_source> middle =
        top->child({.shielded = shielded, .deadline = test::at_second(6)}).value();
    const cancel_source sibling = top->child({.deadline = test::at_second(4)}).value();
    const cancel_source leaf = middle->child({.deadline = test::at_second(9)}).value();
    const cancel_source other = middle->child().value();
    top->set_deadline(test::at_second(7));
    EXPECT_EQ(leaf.next_deadline(), test::at_second(6));
    EXPECT_EQ(sibling.next_deadline(), test::at_second(4));
    const cancel_source held = middle->child().value();
    const std::uint64_t top_id = top->id();
    const std::uint64_t middle_id = middle->id();
    middle.reset();  // Its source is destroyed; its deadline still holds for those below it.
    leaf.advance(test::at_second(5));
    EXPECT_FALSE(leaf.is_cancelled());
    EXPECT_FALSE(sibling.is_cancelled()) << "it is neither above nor below";
    leaf.advance(test::at_second(6));
    EXPECT_EQ(leaf.reason()->origin, middle_id);
    EXPECT_EQ(other.reason()->origin, middle_id) << "the whole of the ancestor is cancelled";
    EXPECT_FALSE(top->is_cancelled());
    sibling.set_deadline(never);
    other.advance(test::at_second(7));
    EXPECT_EQ(top->is_cancelled(), !shielded);
    EXPECT_EQ(sibling.is_cancelled(), !shielded);
    if (!shielded) {
      EXPECT_EQ(sibling.reason()->origin, top_id);
    }
  }
}

/// Of several deadlines on the way up that pass at one report of the time, the earliest counts; of
/// equal ones, the ancestor's.
TEST(CancelDeadline, C14_TheEarliestOnTheWayUpIsTheReason) {
  for (int above = 1; above <= 3; ++above) {
    for (int below = 1; below <= 3; ++below) {
      const cancel_source top = cancel_source::create({.deadline = test::at_second(above)}).value();
      const cancel_source child = top.child({.deadline = test::at_second(below)}).value();
      const cancel_source leaf = child.child({.deadline = test::at_second(8)}).value();
      top.advance(test::at_second(5));
      EXPECT_EQ(top.reason()->code, cancel_code::deadline);
      const std::uint64_t origin = below < above ? child.id() : top.id();
      EXPECT_EQ(child.reason()->origin, origin);
      EXPECT_EQ(child.reason()->code, below < above ? cancel_code::deadline : cancel_code::parent);
      EXPECT_EQ(leaf.reason()->origin, origin);
      EXPECT_EQ(leaf.reason()->cause, cancel_code::deadline);
    }
  }
}

}  // namespace
}  // namespace bast
