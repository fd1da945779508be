// SPDX-License-Identifier: Apache-2.0
//
// Some callbacks or children of one source are removed: the others are reached in the same order.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/testing/baseline.hpp"

namespace bast {
namespace {

constexpr std::size_t siblings = 5;

/// Every choice of removed siblings, removed from the oldest or from the newest on.
TEST(CancelSiblings, C4_WhoeverIsLeftIsReached) {
  const test::leak_baseline before;
  for (unsigned gone = 0; gone < 1U << siblings; ++gone) {
    for (const bool newest_first : {false, true}) {
      SCOPED_TRACE("gone " + std::to_string(gone) + (newest_first ? ", newest first" : ""));
      const cancel_source parent = cancel_source::create().value();
      std::array<std::optional<cancel_source>, siblings> children;
      for (auto& child : children) child.emplace(parent.child().value());
      for (std::size_t i = 0; i < siblings; ++i) {
        const std::size_t at = newest_first ? siblings - 1 - i : i;
        if ((gone >> at & 1) != 0) children[at].reset();
      }
      const cancel_source youngest = parent.child().value();
      ASSERT_TRUE(parent.cancel());
      EXPECT_TRUE(youngest.token().is_cancelled());
      for (const auto& child : children) {
        if (child) {
          EXPECT_TRUE(child->token().is_cancelled());
        }
      }
    }
  }
  EXPECT_EQ(before.differences(), "");
}

/// Callbacks on a parent and its children, registered in alternation, so that each node's callbacks
/// are interleaved with those of every other node.
struct callbacks_in_turns {
  static constexpr std::size_t nodes = 4;
  static constexpr std::size_t count = 12;

  callbacks_in_turns() {
    sources.push_back(cancel_source::create().value());
    for (std::size_t i = 1; i < nodes; ++i) sources.push_back(sources[0].child().value());
    for (std::size_t i = 0; i < count; ++i) {
      callbacks[i].emplace(sources[i * 7 % nodes].token(), noexcept_call{*this, i});
    }
  }
  void ran(std::size_t i) {
    order.push_back(i);
    if (i == acts) {
      for (const std::size_t other : ends) callbacks[other].reset();
    }
  }
  struct noexcept_call {
    callbacks_in_turns& scene;
    std::size_t i;
    void operator()() noexcept { scene.ran(i); }
  };

  std::vector<cancel_source> sources;
  std::array<std::optional<cancel_callback<noexcept_call>>, count> callbacks;
  std::vector<std::size_t> order;
  std::size_t acts = count;
  std::vector<std::size_t> ends;
};

TEST(CancelSiblings, C6_ACallbackEndsAnyTwoOfThoseThatWait) {
  constexpr std::size_t count = callbacks_in_turns::count;
  callbacks_in_turns undisturbed;
  ASSERT_TRUE(undisturbed.sources[0].cancel());
  const std::vector<std::size_t> all = undisturbed.order;
  // The newest child's, the others', their parent's; within each the newest first.
  ASSERT_EQ(all, (std::vector<std::size_t>{9, 5, 1, 10, 6, 2, 11, 7, 3, 8, 4, 0}));
  for (std::size_t acts = 0; acts + 1 < count; ++acts) {
    for (std::size_t one = acts + 1; one < count; ++one) {
      for (std::size_t two = acts + 1; two < count; ++two) {
        SCOPED_TRACE(std::to_string(all[acts]) + " ends " + std::to_string(all[one]) + " and " +
                     std::to_string(all[two]));
        callbacks_in_turns scene;
        scene.acts = all[acts];
        scene.ends = {all[one], all[two]};
        ASSERT_TRUE(scene.sources[0].cancel());
        std::vector<std::size_t> expected;
        for (const std::size_t each : all) {
          if (each != all[one] && each != all[two]) expected.push_back(each);
        }
        ASSERT_EQ(scene.order, expected);
      }
    }
  }
}

}  // namespace
}  // namespace bast
