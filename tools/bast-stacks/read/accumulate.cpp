// SPDX-License-Identifier: Apache-2.0
#include "read/accumulate.hpp"

#include <algorithm>
#include <map>

#include "model/mutant.hpp"
#include "model/statistics.hpp"
#include "read/site_book.hpp"

namespace bast_stacks {
namespace {

void raise(site& into, const site& earlier) {
  into.live = std::max(into.live, earlier.live);
  into.held = std::max({into.held, earlier.held, into.live});
  into.overflows = std::max(into.overflows, earlier.overflows);
  if (!BAST_STACKS_MUTANT(dead_maximum_forgotten)) merge_depths(into, earlier);
  if (earlier.raw.depth > into.raw.depth) into.raw = earlier.raw;
  if (earlier.uses > into.uses) {
    // Uses that were pending when we looked, and nobody counted before the end.
    into.pending = earlier.uses - (into.uses - into.pending);
    into.uses = earlier.uses;
  }
}

}  // namespace

snapshot accumulate(const snapshot& earlier, snapshot last) {
  std::map<site_identity, std::size_t> known;
  for (std::size_t i = 0; i < last.sites.size(); ++i) known.emplace(identity_of(last.sites[i]), i);
  for (const site& each : earlier.sites) {
    const auto found = known.find(identity_of(each));
    if (found == known.end()) {
      last.sites.push_back(each);
    } else {
      raise(last.sites[found->second], each);
    }
  }
  for (const module& each : earlier.modules) {
    const auto same = [&](const module& other) {
      return each.low < other.high && other.low < each.high;
    };
    if (std::ranges::none_of(last.modules, same)) last.modules.push_back(each);
  }
  std::ranges::sort(last.modules, {}, &module::low);
  if (last.program.empty()) last.program = earlier.program;
  last.runtime_ns = std::max(last.runtime_ns, earlier.runtime_ns);
  last.overhead_ns += earlier.overhead_ns;
  sort_sites(last);
  return last;
}

}  // namespace bast_stacks
