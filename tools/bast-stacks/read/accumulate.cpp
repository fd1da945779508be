// SPDX-License-Identifier: Apache-2.0
#include "read/accumulate.hpp"

#include <algorithm>
#include <map>

#include "model/mutant.hpp"
#include "model/statistics.hpp"
#include "read/site_index.hpp"

namespace bast_stacks {
namespace {

void raise(site& into, const site& earlier) {
  into.live = std::max(into.live, earlier.live);
  into.held = std::max({into.held, earlier.held, into.live});
  into.overflows = std::max(into.overflows, earlier.overflows);
  if (!BAST_STACKS_MUTANT(dead_maximum_forgotten)) {
    // The age of an earlier maximum is not known.
    if (earlier.max > into.max) into.max_age_ns = 0;
    merge_depths(into, earlier);
  }
  if (earlier.raw.depth > into.raw.depth) into.raw = earlier.raw;
  if (earlier.uses > into.uses) {
    // Uses that were pending at the look and were not measured before the end.
    into.pending = earlier.uses - (into.uses - into.pending);
    into.uses = earlier.uses;
  }
}

/// Adds modules at addresses without a known one.
void add_modules(snapshot& into, const std::vector<module>& more) {
  for (const module& each : more) {
    const auto same = [&](const module& other) {
      return each.low < other.high && other.low < each.high;
    };
    if (std::ranges::none_of(into.modules, same)) into.modules.push_back(each);
  }
  std::ranges::sort(into.modules, {}, &module::low);
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
  for (const pool& each : earlier.pools) {
    const auto same = std::ranges::find(last.pools, each.id, &pool::id);
    if (same != last.pools.end()) same->max = std::max(same->max, each.max);
  }
  add_modules(last, earlier.modules);
  if (last.program.empty()) last.program = earlier.program;
  last.runtime_ns = std::max(last.runtime_ns, earlier.runtime_ns);
  last.overhead_ns += earlier.overhead_ns;
  sort_sites(last);
  return last;
}

void unite(snapshot& into, snapshot more) {
  std::uint64_t pools = 0;
  for (const pool& each : into.pools) pools = std::max(pools, each.id);
  for (pool& each : more.pools) {
    each.id += pools;
    into.pools.push_back(std::move(each));
  }
  site_index book(into);
  for (site& each : more.sites) {
    for (std::uint64_t& id : each.pools) id += pools;
    book.enter(std::move(each));
  }
  add_modules(into, more.modules);
  for (std::string& sentence : more.not_seen) {
    if (std::ranges::find(into.not_seen, sentence) == into.not_seen.end())
      into.not_seen.push_back(std::move(sentence));
  }
  into.built |= more.built;
  into.modes |= more.modes;
  into.overhead_ns += more.overhead_ns;
  if (more.pid != into.pid && more.pid != 0) ++into.others;
  sort_sites(into);
}

}  // namespace bast_stacks
