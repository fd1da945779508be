// SPDX-License-Identifier: Apache-2.0
//
// The longest path through a call graph.
//
// Functions that call each other in a cycle (a strongly connected component) have no longest path.
// With annotations for enough of them the cycle is entered a known number of times; without, it is
// counted once, and the bound is unsound.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "code/call_graph.hpp"

namespace bast_stacks {

class worst_path {
 public:
  /// Of everything reachable from `root`. The graph must outlive it.
  worst_path(const std::vector<graph_node>& nodes, std::size_t root);

  std::uint64_t bytes() const { return values_[root_].bytes; }
  /// Adds up to `bytes`. A repeated part is one frame.
  std::vector<path_frame> path() const;
  /// The root and everything that it reaches.
  const std::vector<std::size_t>& reached() const { return reached_; }
  /// Cycles that no annotation bounds, as reasons.
  const std::vector<reason>& circles() const { return circles_; }

 private:
  static constexpr std::size_t none = ~std::size_t{0};
  /// The result for the paths from a node.
  struct value {
    std::uint64_t bytes = 0;  // of the longest
    // The longest that does not enter an annotated function of its own cycle again.
    std::uint64_t out = 0;
    std::size_t next = none;   // its next call; none: it ends here
    std::uint64_t before = 0;  // bytes on the stack at that call
    // The longest to such an entry, if there is one.
    bool repeats = false;
    std::uint64_t around = 0;
    // If `bytes` includes rounds: their bytes, and the function whose `out` follows.
    std::uint64_t repeated = 0;
    std::uint64_t times = 0;
    std::size_t resume = none;
  };
  void find_components();
  void solve(const std::vector<std::size_t>& component);
  void solve_circle(const std::vector<std::size_t>& component);
  bool grows(const std::vector<std::size_t>& component) const;
  std::vector<std::size_t> order(const std::vector<std::size_t>& component, bool cut_at_entries);
  void take(std::size_t from, bool cut_at_entries);
  void repeat(const std::vector<std::size_t>& component);
  void report(const std::vector<std::size_t>& trail, std::size_t back_to, std::size_t members);
  bool is_cut(std::size_t from, std::size_t to) const;

  const std::vector<graph_node>& nodes_;
  std::size_t root_;
  std::vector<value> values_;
  std::vector<std::size_t> component_of_;
  std::vector<std::vector<std::size_t>> components_;  // callees before callers
  std::vector<std::size_t> reached_;
  std::vector<std::pair<std::size_t, std::size_t>> cut_;  // sorted
  std::vector<reason> circles_;
};

}  // namespace bast_stacks
