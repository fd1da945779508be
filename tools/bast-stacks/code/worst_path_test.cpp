// SPDX-License-Identifier: Apache-2.0
#include "code/worst_path.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace bast_stacks {
namespace {

/// Functions "0", "1", ...
std::vector<graph_node> graph(const std::vector<std::uint64_t>& own) {
  std::vector<graph_node> nodes(own.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    nodes[i].name = std::to_string(i);
    nodes[i].own_bytes = own[i];
  }
  return nodes;
}

std::uint64_t sum(const worst_path& worst) {
  std::uint64_t bytes = 0;
  for (const auto& frame : worst.path()) bytes += frame.bytes;
  return bytes;
}

TEST(WorstPath, TakesTheDeeperOfTwoWays) {
  auto nodes = graph({10, 100, 20, 50});
  nodes[0].edges = {{.to = 1, .bytes = 10}, {.to = 2, .bytes = 40}};
  nodes[1].edges = {{.to = 3, .bytes = 5}};
  nodes[2].edges = {{.to = 3, .bytes = 30}};
  const worst_path worst(nodes, 0);
  EXPECT_EQ(worst.bytes(), 120U);
  ASSERT_EQ(worst.path().size(), 3U);
  EXPECT_EQ(worst.path()[1].function, "2");
  EXPECT_TRUE(worst.circles().empty());
}

TEST(WorstPath, AFrameCanBeDeeperThanItsCalls) {
  auto nodes = graph({1000, 10});
  nodes[0].edges = {{.to = 1, .bytes = 16}};
  const worst_path worst(nodes, 0);
  EXPECT_EQ(worst.bytes(), 1000U);
  EXPECT_EQ(worst.path().size(), 1U);
}

TEST(WorstPath, OnlyWhatCanBeReachedCounts) {
  auto nodes = graph({10, 10, 9999});
  nodes[0].edges = {{.to = 1, .bytes = 10}};
  nodes[2].edges = {{.to = 0, .bytes = 10}};
  EXPECT_EQ(worst_path(nodes, 0).reached().size(), 2U);
}

TEST(WorstPath, JumpsInACircleDoNotGrow) {
  auto nodes = graph({10, 30});
  nodes[0].edges = {{.to = 1, .bytes = 0}};
  nodes[1].edges = {{.to = 0, .bytes = 0}};
  const worst_path worst(nodes, 0);
  EXPECT_TRUE(worst.circles().empty());
  EXPECT_EQ(worst.bytes(), 30U);
}

TEST(WorstPath, ACircleWithinACircleIsStillReported) {
  auto nodes = graph({10, 10, 10});
  nodes[0].edges = {{.to = 1, .bytes = 10}};
  nodes[1].edges = {{.to = 0, .bytes = 10}, {.to = 2, .bytes = 10}};
  nodes[2].edges = {{.to = 1, .bytes = 10}};
  nodes[0].entries_max = 5;
  const worst_path worst(nodes, 0);
  ASSERT_EQ(worst.circles().size(), 1U);
  EXPECT_EQ(worst.circles()[0].detail, "1 -> 2 -> 1 (one circle of 3 functions)");
}

TEST(WorstPath, EntriesOfSeveralFunctionsAddUp) {
  auto nodes = graph({8, 100, 200, 50});
  nodes[0].edges = {{.to = 1, .bytes = 8}};
  nodes[1].edges = {{.to = 2, .bytes = 100}};
  nodes[2].edges = {{.to = 1, .bytes = 200}, {.to = 3, .bytes = 150}};
  nodes[1].entries_max = 2;
  nodes[2].entries_max = 3;
  const worst_path worst(nodes, 0);
  EXPECT_TRUE(worst.circles().empty());
  // Five entries, four paths from one to the next of at most 200, and the deepest path out.
  EXPECT_EQ(worst.bytes(), 8 + 4 * 200 + 200U);
  EXPECT_EQ(sum(worst), worst.bytes());
}

TEST(WorstPath, SumsDoNotWrapAround) {
  auto nodes = graph({10, 10});
  nodes[0].edges = {{.to = 1, .bytes = ~std::uint64_t{0} - 5}};
  EXPECT_EQ(worst_path(nodes, 0).bytes(), ~std::uint64_t{0});
}

/// The longest path that enters each function at most `entries` times, by exhaustive search.
std::uint64_t by_trying(const std::vector<graph_node>& nodes, std::size_t at,
                        std::vector<std::uint64_t>& left) {
  auto best = nodes[at].own_bytes;
  if (left[at] == 0) return 0;
  --left[at];
  for (const auto& edge : nodes[at].edges) {
    if (left[edge.to] != 0) best = std::max(best, edge.bytes + by_trying(nodes, edge.to, left));
  }
  ++left[at];
  return best;
}

TEST(WorstPath, IsNeverLessThanWhatTryingFinds) {
  std::mt19937 random(7);
  int exact = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t count = 1 + random() % 5;
    auto nodes = graph(std::vector<std::uint64_t>(count));
    for (auto& node : nodes) {
      node.own_bytes = 16 * (random() % 20);
      const bool annotated = random() % 2 == 0;
      node.entries_max = annotated ? 1 + random() % 3 : 0;
      for (std::size_t to = 0; to < count; ++to) {
        if (random() % 3 == 0) node.edges.push_back({.to = to, .bytes = 16 * (random() % 20)});
      }
    }
    const worst_path worst(nodes, 0);
    ASSERT_EQ(sum(worst), worst.bytes()) << round;
    if (!worst.circles().empty()) continue;
    std::vector<std::uint64_t> left;
    // Without an annotation a function is in no growing cycle.
    for (const auto& node : nodes) left.push_back(node.entries_max == 0 ? 4 : node.entries_max);
    const auto truth = by_trying(nodes, 0, left);
    ASSERT_GE(worst.bytes(), truth) << round;
    exact += worst.bytes() == truth ? 1 : 0;
  }
  EXPECT_GT(exact, 100);
}

}  // namespace
}  // namespace bast_stacks
