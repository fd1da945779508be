// SPDX-License-Identifier: Apache-2.0
#include "code/worst_path.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/statistics.hpp"

#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

// Functions of a cycle that a reason prints.
constexpr std::size_t names_max = 6;
// No deepest stack contains all of a longer cycle.
constexpr std::ptrdiff_t circle_max = 64;

}  // namespace

worst_path::worst_path(const std::vector<graph_node>& nodes, std::size_t root)
    : nodes_(nodes), root_(root), values_(nodes.size()), component_of_(nodes.size(), none) {
  find_components();
  for (const auto& component : components_) solve(component);
}

/// Tarjan's algorithm, with its own stack: graphs of programs are deep.
void worst_path::find_components() {
  struct visit {
    std::size_t node;
    std::size_t edge;
  };
  std::vector<std::size_t> number(nodes_.size(), none);
  std::vector<std::size_t> lowest(nodes_.size(), none);
  std::vector<std::size_t> open;
  std::vector<visit> visits{{root_, 0}};
  while (!visits.empty()) {
    const auto node = visits.back().node;
    if (visits.back().edge == 0) {
      number[node] = lowest[node] = reached_.size();
      reached_.push_back(node);
      open.push_back(node);
    }
    bool descends = false;
    while (visits.back().edge < nodes_[node].edges.size() && !descends) {
      const auto to = nodes_[node].edges[visits.back().edge++].to;
      descends = number[to] == none;
      if (descends) {
        visits.push_back({to, 0});
      } else if (component_of_[to] == none) {
        lowest[node] = std::min(lowest[node], number[to]);
      }
    }
    if (descends) continue;
    visits.pop_back();
    if (!visits.empty()) {
      auto& caller = lowest[visits.back().node];
      caller = std::min(caller, lowest[node]);
    }
    if (lowest[node] != number[node]) continue;
    std::vector<std::size_t> component;
    do {
      component.push_back(open.back());
      component_of_[open.back()] = components_.size();
      open.pop_back();
    } while (component.back() != node);
    components_.push_back(std::move(component));
  }
}

bool worst_path::grows(const std::vector<std::size_t>& component) const {
  for (const auto from : component) {
    for (const auto& edge : nodes_[from].edges) {
      if (component_of_[edge.to] == component_of_[from] && edge.bytes != 0) return true;
    }
  }
  return false;
}

bool worst_path::is_cut(std::size_t from, std::size_t to) const {
  return std::ranges::binary_search(cut_, std::pair{from, to});
}

void worst_path::solve(const std::vector<std::size_t>& component) {
  const auto& edges = nodes_[component.front()].edges;
  const bool calls_itself =
      std::ranges::find(edges, component.front(), &graph_edge::to) != edges.end();
  if (component.size() > 1 || calls_itself) return solve_circle(component);
  take(component.front(), false);
}

void worst_path::solve_circle(const std::vector<std::size_t>& component) {
  const bool annotated = std::ranges::any_of(
      component, [&](std::size_t node) { return nodes_[node].entries_max != 0; });
  const auto sorted = order(component, annotated);
  for (const auto node : sorted) take(node, annotated);
  if (annotated) repeat(component);
  cut_.clear();
}

/// Callees before callers, with the calls that close a cycle cut. Each cut is a reason, unless the
/// cycle does not grow the stack (functions that jump to each other).
std::vector<std::size_t> worst_path::order(const std::vector<std::size_t>& component,
                                           bool cut_at_entries) {
  struct visit {
    std::size_t node;
    std::size_t edge;
  };
  enum class state : std::uint8_t { fresh, open, done };
  const bool matters = grows(component);
  std::vector<std::size_t> sorted;
  std::vector<state> states(nodes_.size(), state::fresh);
  std::vector<std::pair<std::size_t, std::size_t>> cut;
  // Starts at the function that others call first; it is last in the component.
  for (auto start = component.rbegin(); start != component.rend(); ++start) {
    if (states[*start] != state::fresh) continue;
    std::vector<visit> visits{{*start, 0}};
    states[*start] = state::open;
    while (!visits.empty()) {
      const auto node = visits.back().node;
      if (visits.back().edge == nodes_[node].edges.size()) {
        states[node] = state::done;
        sorted.push_back(node);
        visits.pop_back();
        continue;
      }
      const auto to = nodes_[node].edges[visits.back().edge++].to;
      if (component_of_[to] != component_of_[node]) continue;
      if (cut_at_entries && nodes_[to].entries_max != 0) continue;
      if (states[to] == state::open) {
        cut.emplace_back(node, to);
        if (!matters) continue;
        std::vector<std::size_t> trail;
        for (const auto& one : visits) trail.push_back(one.node);
        report(trail, to, component.size());
      } else if (states[to] == state::fresh) {
        states[to] = state::open;
        visits.push_back({to, 0});
      }
    }
  }
  std::ranges::sort(cut);
  cut_ = std::move(cut);
  return sorted;
}

void worst_path::report(const std::vector<std::size_t>& trail, std::size_t back_to,
                        std::size_t members) {
  if (BAST_STACKS_MUTANT(recursion_is_sound)) return;
  // One reason per component: after a call or a function is removed, the rest shows.
  const auto component = component_of_[back_to];
  const auto start = std::ranges::find(trail, back_to);
  const auto name_of = [this](std::size_t node) -> const std::string& {
    const auto& plain = nodes_[node].plain_name;
    return plain.empty() ? nodes_[node].name : plain;
  };
  std::string circle;
  std::size_t count = 0;
  for (auto at = start; at != trail.end(); ++at, ++count) {
    if (count < names_max) circle += name_of(*at) + " -> ";
    if (count == names_max) circle += "... -> ";
  }
  circle += name_of(back_to);
  if (members > count) circle += fmt::format(" (one circle of {} functions)", members);
  for (const auto& known : circles_) {
    if (known.at == component) return;
  }
  std::vector<std::string> functions;
  if (trail.end() - start <= circle_max) {
    for (auto at = start; at != trail.end(); ++at) functions.push_back(nodes_[*at].name);
  }
  circles_.push_back({.kind = reason_kind::recursion,
                      .function = nodes_[back_to].name,
                      .module = nodes_[back_to].module,
                      .detail = std::move(circle),
                      .at = component,
                      .circle = std::move(functions)});
}

void worst_path::take(std::size_t from, bool cut_at_entries) {
  const auto& node = nodes_[from];
  auto& best = values_[from];
  best.out = node.own_bytes;
  const auto goes_round = [&best](std::uint64_t bytes) {
    best.around = best.repeats ? std::max(best.around, bytes) : bytes;
    best.repeats = true;
  };
  for (const auto& edge : node.edges) {
    const auto& callee = values_[edge.to];
    const bool inside = component_of_[edge.to] == component_of_[from];
    if (inside && cut_at_entries && nodes_[edge.to].entries_max != 0) {
      goes_round(edge.bytes);
      continue;
    }
    if (inside && is_cut(from, edge.to)) continue;
    const auto whole = add(edge.bytes, inside ? callee.out : callee.bytes);
    if (whole > best.out) {
      best.out = whole;
      best.next = edge.to;
      best.before = edge.bytes;
    }
    if (inside && callee.repeats) goes_round(add(edge.bytes, callee.around));
  }
  best.bytes = best.out;
}

/// With N entries of annotated functions allowed on one stack, a path through the cycle is a path
/// to an entry, at most N - 1 paths from one entry to the next, and a path out.
void worst_path::repeat(const std::vector<std::size_t>& component) {
  std::uint64_t entries = 0;
  std::uint64_t around = 0;
  std::size_t last = none;
  for (const auto node : component) {
    if (nodes_[node].entries_max == 0) continue;
    entries = add(entries, nodes_[node].entries_max);
    if (values_[node].repeats) around = std::max(around, values_[node].around);
    if (last == none || values_[node].out > values_[last].out) last = node;
  }
  for (const auto node : component) {
    auto& at = values_[node];
    const bool entry = nodes_[node].entries_max != 0;
    if (!entry && !at.repeats) continue;
    const auto repeated = add(entry ? 0 : at.around, multiply(entries - 1, around));
    const auto whole = add(repeated, values_[last].out);
    if (whole <= at.bytes) continue;
    at.bytes = whole;
    at.repeated = repeated;
    at.times = entries - 1;
    at.resume = last;
  }
}

std::vector<path_frame> worst_path::path() const {
  std::vector<path_frame> frames;
  auto at = root_;
  auto left = bytes();
  const auto add = [&](const graph_node& node, std::uint64_t bytes, std::uint64_t rounds = 0) {
    bytes = std::min(bytes, left);
    frames.push_back(
        {.function = node.name, .module = node.module, .bytes = bytes, .times = rounds});
    left -= bytes;
  };
  for (bool enters = true;;) {
    if (enters && values_[at].repeated != 0) {
      add(nodes_[at], values_[at].repeated, std::max<std::uint64_t>(values_[at].times, 1));
      at = values_[at].resume;
    }
    const auto& now = values_[at];
    if (now.next == none) break;
    add(nodes_[at], now.before);
    enters = component_of_[now.next] != component_of_[at];
    at = now.next;
  }
  add(nodes_[at], left);
  return frames;
}

}  // namespace bast_stacks
