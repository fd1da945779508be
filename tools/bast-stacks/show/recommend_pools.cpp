// SPDX-License-Identifier: Apache-2.0
#include "show/recommend_pools.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "model/statistics.hpp"

namespace bast_stacks::internal {
namespace {

/// The pools of a place and their sites, while advice is collected.
class places {
 public:
  places(const snapshot& of, const advice& all) : of_(of), all_(all) {
    for (std::size_t i = 0; i < of.pools.size(); ++i) {
      const pool& p = of.pools[i];
      pool_advice& group = at(p.where, p.limit, p.window);
      group.pools.push_back(i);
      group.count = add(group.count, std::max<std::uint64_t>(1, p.gone));
      // Destroyed and existing pools had their stacks at different times.
      if (p.gone == 0) {
        there_[&group] = add(there_[&group], p.stacks);
      } else {
        group.stacks = std::max(group.stacks, p.stacks);
      }
      by_id_[p.id] = &group;
    }
    for (const auto& [group, stacks] : there_) group->stacks = std::max(group->stacks, stacks);
    for (std::size_t i = 0; i < of.sites.size(); ++i) add_site(i);
  }

  /// By place.
  std::vector<pool_advice> take() {
    std::vector<pool_advice> result;
    for (auto& [key, group] : groups_) {
      finish(group);
      result.push_back(std::move(group));
    }
    return result;
  }

 private:
  pool_advice& at(const std::string& where, std::uint64_t limit, std::uint64_t window) {
    pool_advice& group = groups_[{where, limit, window}];
    group.where = where;
    group.old_limit = limit;
    group.old_window = window;
    return group;
  }

  void add_site(std::size_t index) {
    const site& s = of_.sites[index];
    if (all_.sites[index].what == verdict::unused) return;
    std::set<pool_advice*> groups;
    for (const std::uint64_t id : s.pools) {
      if (const auto found = by_id_.find(id); found != by_id_.end()) groups.insert(found->second);
    }
    if (groups.empty()) {
      pool_advice& gone = at({}, s.limit, s.window);
      if (gone.pools.empty()) gone.stacks = add(gone.stacks, s.held);
      groups.insert(&gone);
    }
    for (pool_advice* const group : groups) consider(*group, index);
  }

  void consider(pool_advice& group, std::size_t index) {
    const site_advice& site = all_.sites[index];
    group.sites.push_back(index);
    // A site may be in several pools; `keep` concerns this pool's limit.
    if (site.what == verdict::overflowed && group.old_limit <= of_.sites[index].limit) {
      group.what = verdict::overflowed;
      group.decides = index;
    }
    if (group.what == verdict::overflowed) return;
    const bool keep = holds(index);
    const std::uint64_t limit = keep ? std::max(group.old_limit, site.limit) : site.limit;
    group.window = std::max(group.window, keep ? group.old_window : site.window);
    if (group.decides.has_value()) {
      const site_advice& so_far = all_.sites[*group.decides];
      // Of the sites that lack runs, the one that lacks most: until then the limit stays.
      if (limit < group.limit) return;
      if (limit == group.limit && site.runs_missing <= so_far.runs_missing) return;
    }
    group.limit = limit;
    group.decides = index;
  }

  void finish(pool_advice& group) const {
    if (!group.decides.has_value() || group.what == verdict::overflowed) {
      group.limit = group.old_limit;
      group.window = group.old_window;
    } else if (group.limit == group.old_limit) {
      group.what = holds(*group.decides) ? verdict::keep : verdict::fits;
    } else if (group.limit > group.old_limit) {
      group.what = verdict::raise;
    } else {
      group.what = verdict::lower;
      group.saved = multiply(group.old_limit - group.limit, group.stacks);
    }
    if (group.decides.has_value()) find_blocking(group);
  }

  /// A site that keeps the limit as it is. One that overflowed in a smaller pool lacks a complete
  /// run.
  bool holds(std::size_t index) const {
    const verdict what = all_.sites[index].what;
    return what == verdict::keep || what == verdict::overflowed;
  }

  /// The sites without which the limit would be lower by more than an eighth, and that limit.
  void find_blocking(pool_advice& group) const {
    const bool held = holds(*group.decides);
    for (const std::size_t index : group.sites) {
      if (held ? holds(index) : index == *group.decides) {
        group.blocking.push_back(index);
        continue;
      }
      const site_advice& site = all_.sites[index];
      group.rest_limit = std::max(group.rest_limit, holds(index) ? group.old_limit : site.limit);
      group.rest_window = std::max(group.rest_window, site.window);
    }
    if (group.rest_limit != 0 && group.rest_limit < group.limit &&
        !is_near(group.rest_limit, group.limit))
      return;
    group.blocking.clear();
    group.rest_limit = group.rest_window = 0;
  }

  const snapshot& of_;
  const advice& all_;
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, pool_advice> groups_;
  std::unordered_map<std::uint64_t, pool_advice*> by_id_;
  std::map<pool_advice*, std::uint64_t> there_;  // stacks of existing pools
};

}  // namespace

std::vector<pool_advice> pools_of(const snapshot& of, const advice& all) {
  return places(of, all).take();
}

}  // namespace bast_stacks::internal
