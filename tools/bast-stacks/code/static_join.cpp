// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "code/static.hpp"

namespace bast_stacks {
namespace {

std::string name_of(const site& one) {
  if (one.kind != bast::watch::site_kind::source) return one.where;
  return fmt::format("{}:{}", one.where, one.line);
}

/// The outermost frame of a function, as an index; the size when it is not there.
std::size_t outermost(const backtrace& trace, const std::string& function) {
  for (auto i = trace.frames.size(); i > 0; --i) {
    if (trace.frames[i - 1].function == function) return i - 1;
  }
  return trace.frames.size();
}

observation observe(const static_bound& bound, const site& one, std::size_t root) {
  const auto& trace = one.deepest;
  std::uint64_t outside = 0;
  std::set<std::string> reached;
  for (std::size_t i = 0; i < trace.frames.size(); ++i) {
    if (i > root) outside += trace.frames[i].stack_bytes;
    if (i <= root) reached.insert(trace.frames[i].function);
  }
  // Words that were left out lie outside of the root when it is among the deepest frames.
  if (root < trace.inner) outside += trace.omitted_bytes;
  const auto deepest = std::max(one.max, trace.depth);
  observation seen{
      .site = name_of(one), .observed = deepest - std::min(deepest, outside), .not_reached = {}};
  for (const auto& frame : bound.worst) {
    if (frame.times == 0 && !reached.contains(frame.function))
      seen.not_reached.push_back(frame.function);
  }
  return seen;
}

}  // namespace

void join(static_report& report, const snapshot& all) {
  for (auto& bound : report.bounds) {
    bound.observations.clear();
    for (const auto& one : all.sites) {
      const auto root = outermost(one.deepest, bound.root);
      if (root < one.deepest.frames.size()) bound.observations.push_back(observe(bound, one, root));
    }
    if (bound.observations.empty() && !all.sites.empty())
      report.notes.push_back(fmt::format("No deepest stack has {} in it.", bound.root));
  }
}

}  // namespace bast_stacks
