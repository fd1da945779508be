// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "code/static.hpp"
#include "model/statistics.hpp"

namespace bast_stacks {
namespace {

std::string name_of(const site& one) {
  if (one.kind != bast::watch::site_kind::source) return one.where;
  return fmt::format("{}:{}", one.where, one.line);
}

/// The index of the outermost frame of a function; the size if there is none.
std::size_t outermost(const backtrace& trace, const std::string& function) {
  for (auto i = trace.frames.size(); i > 0; --i) {
    if (trace.frames[i - 1].function == function) return i - 1;
  }
  return trace.frames.size();
}

/// The bytes of a cycle whose functions are all among these frames, including all frames between.
std::uint64_t bytes_of_circle(const std::vector<std::string>& circle,
                              std::span<const frame> frames) {
  const auto is_in_it = [&](const frame& one) {
    return std::ranges::find(circle, one.function) != circle.end();
  };
  const auto first = std::ranges::find_if(frames, is_in_it);
  std::uint64_t bytes = 0;
  std::size_t left = circle.size();
  for (auto at = first; at != frames.end() && left != 0; ++at) {
    bytes = add(bytes, at->stack_bytes);
    if (is_in_it(*at)) --left;
  }
  return bytes;
}

observation observe(const static_bound& bound, const site& one, std::size_t index,
                    std::size_t root) {
  const auto& trace = one.deepest;
  std::uint64_t outside = 0;
  std::set<std::string> reached;
  for (std::size_t i = 0; i < trace.frames.size(); ++i) {
    if (i > root) outside += trace.frames[i].stack_bytes;
    if (i <= root) reached.insert(trace.frames[i].function);
  }
  // Omitted words lie outside of the root if it is among the deepest frames.
  if (root < trace.inner) outside += trace.omitted_bytes;
  const auto deepest = std::max(one.max, trace.depth);
  observation seen{.site = name_of(one),
                   .observed = deepest - std::min(deepest, outside),
                   .not_reached = {},
                   .index = index,
                   .above = outside};
  for (const auto& frame : bound.worst) {
    if (frame.times == 0 && !reached.contains(frame.function))
      seen.not_reached.push_back(frame.function);
  }
  const auto is_reached = [&](const std::string& name) { return reached.contains(name); };
  for (const auto& why : bound.reasons) {
    if (why.circle.empty() || !std::ranges::all_of(why.circle, is_reached)) continue;
    const auto bytes = bytes_of_circle(why.circle, std::span(trace.frames).first(root + 1));
    if (bytes <= seen.circle_bytes) continue;
    seen.circle = why.circle.front();
    seen.circle_bytes = bytes;
  }
  return seen;
}

site_bound bound_of(const static_bound& bound, const observation& seen) {
  return {.root = bound.root,
          .bytes = add(bound.bytes, seen.above),
          .reasons = bound.reasons.size(),
          .circle = seen.circle,
          .circle_bytes = seen.circle_bytes};
}

/// Whether `next` guarantees less than the known bound.
bool is_weaker(const site_bound& next, const site_bound& known) {
  if (known.root.empty()) return true;
  return std::pair(next.reasons, next.bytes) > std::pair(known.reasons, known.bytes);
}

}  // namespace

void join(static_report& report, const snapshot& all) {
  for (auto& bound : report.bounds) {
    bound.observations.clear();
    for (std::size_t i = 0; i < all.sites.size(); ++i) {
      const auto& one = all.sites[i];
      const auto root = outermost(one.deepest, bound.root);
      if (root < one.deepest.frames.size())
        bound.observations.push_back(observe(bound, one, i, root));
    }
    if (bound.observations.empty() && !all.sites.empty())
      report.notes.push_back(fmt::format("No deepest stack has {} in it.", bound.root));
  }
}

std::vector<site_bound> bounds_of_sites(const static_report& joined, std::size_t sites) {
  std::vector<site_bound> all(sites);
  for (const auto& bound : joined.bounds) {
    for (const auto& seen : bound.observations) {
      if (seen.index >= sites) continue;
      auto next = bound_of(bound, seen);
      if (is_weaker(next, all[seen.index])) all[seen.index] = std::move(next);
    }
  }
  return all;
}

}  // namespace bast_stacks
