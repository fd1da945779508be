// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/source.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"
#include "bast/testing/baseline.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

/// Callbacks that record their names.
class diary {
 public:
  auto entry(char name) {
    return [this, name]() noexcept { text_ += name; };
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

TEST(CancelSource, C1_IsCancelledForEver) {
  const cancel_source source = test::root_source();
  const cancel_token token = source.token();
  EXPECT_FALSE(token.is_cancelled());
  EXPECT_FALSE(token.reason());
  EXPECT_TRUE(token.check("here"));
  EXPECT_TRUE(source.cancel());
  EXPECT_TRUE(token.is_cancelled());
  EXPECT_FALSE(source.cancel());
  EXPECT_TRUE(token.is_cancelled());
}

TEST(CancelSource, C2_TheFirstReasonStays) {
  const cancel_source source = test::root_source();
  EXPECT_TRUE(source.cancel({.code = cancel_code::shutdown, .text = "the first"}));
  EXPECT_FALSE(source.cancel({.code = cancel_code::linked_exit, .text = "the second"}));
  const cancel_reason why = source.reason().value();
  EXPECT_EQ(why.code, cancel_code::shutdown);
  EXPECT_STREQ(why.text, "the first");
  EXPECT_EQ(why.origin, source.id());
  EXPECT_EQ(source.refused(), 1U);
  const auto failed = source.token().check("copy");
  EXPECT_EQ(failed.error(), errc::cancelled);
  EXPECT_EQ(failed.error().message(), "copy: cancelled: the first");
}

TEST(CancelSource, C3_AParentsReasonCarriesTheRootCause) {
  const cancel_source top = test::root_source();
  const cancel_source middle = top.child().value();
  const cancel_source leaf = middle.child().value();
  top.cancel({.code = cancel_code::shutdown, .error = make_error_code(errc::closed)});
  const cancel_reason why = leaf.reason().value();
  EXPECT_EQ(why.code, cancel_code::parent);
  EXPECT_EQ(why.cause, cancel_code::shutdown);
  EXPECT_EQ(why.origin, top.id());
  EXPECT_EQ(why.error, make_error_code(errc::closed));
  EXPECT_EQ(leaf.token().check("x").error().message(), "x: cancelled: shutting down");
}

TEST(CancelSource, C3_EveryCodeHasWords) {
  for (int code = 0; code <= 8; ++code) {
    EXPECT_STRNE(name_of(static_cast<cancel_code>(code)), "");
  }
}

TEST(CancelSource, C4_AllAreMarkedBeforeTheFirstCallbackRuns) {
  const cancel_source top = test::root_source();
  const cancel_source left = top.child().value();
  const cancel_source right = top.child().value();
  const cancel_source below = right.child().value();
  int looked = 0;
  const auto look = [&]() noexcept {
    ++looked;
    EXPECT_TRUE(top.is_cancelled() && left.is_cancelled() && right.is_cancelled());
    EXPECT_TRUE(below.is_cancelled());
  };
  const cancel_callback a(top.token(), look);
  const cancel_callback b(left.token(), look);
  const cancel_callback c(below.token(), look);
  top.cancel();
  EXPECT_EQ(looked, 3);
}

TEST(CancelSource, C4_ASiblingAndAParentAreNotReached) {
  const cancel_source top = test::root_source();
  const cancel_source left = top.child().value();
  const cancel_source right = top.child().value();
  left.cancel();
  EXPECT_FALSE(top.is_cancelled());
  EXPECT_FALSE(right.is_cancelled());
}

TEST(CancelSource, C5_WhatIsBelowRunsFirstAndWithinANodeTheNewest) {
  diary seen;
  const cancel_source top = test::root_source();
  const cancel_source left = top.child().value();
  const cancel_source right = top.child().value();
  const cancel_source below = left.child().value();
  const cancel_callback a(top.token(), seen.entry('a'));
  const cancel_callback b(left.token(), seen.entry('b'));
  const cancel_callback c(right.token(), seen.entry('c'));
  const cancel_callback d(below.token(), seen.entry('d'));
  const cancel_callback e(top.token(), seen.entry('e'));
  const cancel_callback f(left.token(), seen.entry('f'));
  top.cancel();
  EXPECT_EQ(seen.text(), "cdfbea");
}

TEST(CancelSource, C5_ManyCallbacksInManyNodesStayInOrder) {
  constexpr std::size_t nodes_count = 100;
  std::vector<cancel_source> nodes;
  std::vector<std::vector<std::size_t>> children(nodes_count);
  nodes.push_back(test::root_source());
  for (std::size_t i = 1; i < nodes_count; ++i) {
    const std::size_t parent = i % 7 == 0 ? 0 : i / 2;
    nodes.push_back(nodes[parent].child().value());
    children[parent].push_back(i);
  }
  std::vector<int> order;
  struct note {
    std::vector<int>& order;
    int number;
    void operator()() noexcept { order.push_back(number); }
  };
  std::vector<std::unique_ptr<cancel_callback<note>>> callbacks;
  std::vector<std::vector<int>> on(nodes_count);
  for (int i = 0; i < 2000; ++i) {
    const auto node = static_cast<std::size_t>(i * 31) % nodes_count;
    callbacks.push_back(
        std::make_unique<cancel_callback<note>>(nodes[node].token(), note{order, i}));
    on[node].push_back(i);
  }
  std::vector<int> expected;
  const auto expect = [&](const auto& self, std::size_t node) -> void {
    for (std::size_t i = children[node].size(); i-- > 0;) self(self, children[node][i]);
    expected.insert(expected.end(), on[node].rbegin(), on[node].rend());
  };
  expect(expect, 0);
  nodes[0].cancel();
  EXPECT_EQ(order, expected);
}

/// More children than a sweep visits under the parent's lock, one of which has more of them.
TEST(CancelSource, C4_AThousandChildrenAreReached) {
  const cancel_source top = test::root_source();
  std::vector<cancel_source> nodes;
  for (int i = 0; i < 1000; ++i) nodes.push_back(top.child().value());
  for (int i = 0; i < 600; ++i) nodes.push_back(nodes[500].child().value());
  top.cancel();
  for (const cancel_source& node : nodes) EXPECT_EQ(node.reason()->origin, top.id());
}

TEST(CancelSource, C6_EachCallbackRunsOnce) {
  diary seen;
  const cancel_source top = test::root_source();
  const cancel_source child = top.child().value();
  const cancel_callback a(child.token(), seen.entry('a'));
  child.cancel();
  top.cancel();
  child.cancel();
  EXPECT_EQ(seen.text(), "a");
}

TEST(CancelSource, C6_OneThatIsGoneDoesNotRun) {
  diary seen;
  const cancel_source source = test::root_source();
  const cancel_callback a(source.token(), seen.entry('a'));
  {
    const cancel_callback b(source.token(), seen.entry('b'));
  }
  const cancel_callback c(source.token(), seen.entry('c'));
  source.cancel();
  EXPECT_EQ(seen.text(), "ca");
}

TEST(CancelSource, C6_RegisteringLateRunsInline) {
  diary seen;
  const cancel_source source = test::root_source();
  source.cancel();
  const cancel_callback a(source.token(), seen.entry('a'));
  EXPECT_EQ(seen.text(), "a");
}

TEST(CancelSource, ACallbackIsToldTheReason) {
  const cancel_source top = test::root_source();
  const cancel_source child = top.child().value();
  std::vector<cancel_code> codes;
  const auto note = [&](const cancel_reason& why) noexcept { codes.push_back(why.code); };
  const cancel_callback a(top.token(), note);
  const cancel_callback b(child.token(), note);
  top.cancel({.code = cancel_code::shutdown});
  EXPECT_EQ(codes, (std::vector{cancel_code::parent, cancel_code::shutdown}));
}

TEST(CancelSource, C9_ACallbackMayCancelAgainRegisterAndUnregister) {
  diary seen;
  const cancel_source source = test::root_source();
  const cancel_source other = test::root_source();
  std::unique_ptr<cancel_callback<decltype(seen.entry('x'))>> victim;
  const cancel_callback last(source.token(), seen.entry('a'));
  victim =
      std::make_unique<cancel_callback<decltype(seen.entry('x'))>>(source.token(), seen.entry('x'));
  const cancel_callback c(other.token(), seen.entry('o'));
  const cancel_callback first(source.token(), [&]() noexcept {
    EXPECT_FALSE(source.cancel());
    const cancel_callback inner(source.token(), seen.entry('i'));
    victim.reset();
    EXPECT_TRUE(other.cancel());
    seen.entry('f')();
  });
  EXPECT_TRUE(source.cancel());
  EXPECT_EQ(seen.text(), "iofa");
}

TEST(CancelSource, C9_ACallbackMayEndItselfAndTheSource) {
  auto source = std::make_unique<cancel_source>(test::root_source());
  struct ending {
    std::unique_ptr<cancel_source>& source;
    std::unique_ptr<cancel_callback<ending>>& self;
    int& ran;
    void operator()() noexcept {
      int& counter = ran;
      source.reset();
      self.reset();
      ++counter;
    }
  };
  int ran = 0;
  std::unique_ptr<cancel_callback<ending>> self;
  self = std::make_unique<cancel_callback<ending>>(source->token(), ending{source, self, ran});
  const cancel_source& still = *source;
  EXPECT_TRUE(still.cancel());
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(source, nullptr);
}

TEST(CancelSource, C9_ANestedCancelOfTheParentRunsTheRestFirst) {
  diary seen;
  const cancel_source top = test::root_source();
  const cancel_source child = top.child().value();
  const cancel_callback a(top.token(), seen.entry('a'));
  const cancel_callback b(child.token(), seen.entry('b'));
  const cancel_callback c(child.token(), [&]() noexcept {
    seen.entry('(')();
    EXPECT_TRUE(top.cancel());
    seen.entry(')')();
  });
  EXPECT_TRUE(child.cancel());
  EXPECT_EQ(seen.text(), "(a)b");
}

TEST(CancelSource, C16_AChildOfACancelledSourceIsBornCancelled) {
  const cancel_source top = test::root_source();
  top.cancel({.code = cancel_code::shutdown});
  const cancel_source child = top.child().value();
  EXPECT_EQ(child.reason()->code, cancel_code::parent);
  EXPECT_EQ(child.reason()->cause, cancel_code::shutdown);
  EXPECT_FALSE(top.child({.shielded = true})->is_cancelled());
}

TEST(CancelSource, AMovedFromSourceIsHarmless) {
  cancel_source source = test::root_source();
  const cancel_source taken = std::move(source);
  EXPECT_FALSE(source.cancel());  // NOLINT(bugprone-use-after-move): tests the moved-from object
  EXPECT_FALSE(source.is_cancelled());
  EXPECT_EQ(source.child().error(), errc::bad_state);
  EXPECT_FALSE(source.token().can_be_cancelled());
  source.set_deadline(test::at_second(1));
  source.set_shield(true);
  source.advance(test::at_second(1));
  EXPECT_EQ(source.next_deadline(), never);
  EXPECT_EQ(source.deadline(), never);
  EXPECT_EQ(source.id() + source.refused(), 0U);
  EXPECT_TRUE(taken.cancel());
}

TEST(CancelSource, ATokenOutlivesItsSource) {
  cancel_token token;
  {
    const cancel_source top = test::root_source();
    const cancel_source child = top.child().value();
    token = child.token();
    top.cancel();
  }
  EXPECT_TRUE(token.is_cancelled());
  const cancel_callback late(token, []() noexcept {});
  EXPECT_EQ(token.reason()->code, cancel_code::parent);
}

TEST(CancelSource, AChainOfAHundredThousandEndsWithoutRecursion) {
  std::vector<cancel_source> chain;
  chain.push_back(test::root_source());
  for (int i = 0; i < 100000; ++i) chain.push_back(chain.back().child().value());
  const cancel_token last = chain.back().token();
  chain.front().cancel();
  EXPECT_TRUE(last.is_cancelled());
  chain.clear();
}

TEST(CancelSource, X6_EveryAllocationMayFail) {
  const auto loop = test::for_each_failing_call([](test::injection& faults) {
    auto top = cancel_source::create({.deadline = test::at_second(3)});
    std::string complaint;
    if (top) {
      auto a = top->child();
      auto b = top->child();
      if (a && b) {
        auto joined = cancel_token::any_of(a->token(), b->token());
        b->cancel();
        if (joined && !joined->is_cancelled()) complaint = "any_of did not fire";
        if (!joined && joined.error() != errc::no_memory) complaint = "any_of: unclear";
      } else if ((!a ? a : b).error() != errc::no_memory) {
        complaint = "child: unclear";
      }
      if (!top->cancel()) complaint = "cancel failed";
    } else if (top.error() != errc::no_memory) {
      complaint = "create: unclear";
    }
    faults.end();
    return complaint;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast
