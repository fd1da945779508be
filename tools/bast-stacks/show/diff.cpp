// SPDX-License-Identifier: Apache-2.0
#include "show/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "model/clean_text.hpp"
#include "model/mutant.hpp"
#include "model/names.hpp"
#include "model/statistics.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

using bast::watch::bucket_of;

/// -1, 0 or 1: whether `after` is in a lower bucket, the same or a higher one.
int direction(std::uint64_t before, std::uint64_t after) {
  const std::uint32_t a = bucket_of(before);
  const std::uint32_t b = bucket_of(after);
  if (BAST_STACKS_MUTANT(noise_alarms)) return before == after ? 0 : after > before ? 1 : -1;
  return a == b ? 0 : b > a ? 1 : -1;
}

change change_of(const site& before, const site& after) {
  // The maximum decides, because a limit must cover it; then the 99th percentile.
  int way = direction(before.max, after.max);
  if (way == 0) way = direction(quantile(before, 0.99), quantile(after, 0.99));
  return way > 0 ? change::grew : way < 0 ? change::shrank : change::same;
}

using place = std::tuple<bast::watch::site_kind, std::string, std::uint32_t, std::uint32_t>;

place place_of(const site& s) { return {s.kind, s.where, s.line, s.column}; }

/// Pairs a site that only moved: the only unmatched one of its file, before and after.
void pair_moved(const snapshot& before, const snapshot& after, std::vector<site_change>& sites) {
  std::map<std::string, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> left;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const site_change& c = sites[i];
    if (c.before.has_value() == c.after.has_value()) continue;
    const site& s = c.before.has_value() ? before.sites[*c.before] : after.sites[*c.after];
    if (s.kind != bast::watch::site_kind::source) continue;
    auto& [gone, come] = left[s.where];
    (c.before.has_value() ? gone : come).push_back(i);
  }
  std::vector<std::size_t> merged;
  for (const auto& [file, both] : left) {
    if (both.first.size() != 1 || both.second.size() != 1) continue;
    sites[both.second[0]].before = sites[both.first[0]].before;
    merged.push_back(both.first[0]);
  }
  std::ranges::sort(merged);
  for (auto i = merged.rbegin(); i != merged.rend(); ++i)
    sites.erase(sites.begin() + static_cast<std::ptrdiff_t>(*i));
}

std::vector<std::string> incomparable(const snapshot& before, const snapshot& after) {
  std::vector<std::string> result;
  const auto differ = [&](std::string_view what, const std::string& a, const std::string& b) {
    if (a == b) return;
    result.push_back(fmt::format("The two are not comparable: {} {} before, {} after.", what,
                                 a.empty() ? "unknown" : clean_text(a),
                                 b.empty() ? "unknown" : clean_text(b)));
  };
  const auto build = [](const snapshot& s) {
    const std::vector<std::string> names = built_names(s.built);
    return names.empty() ? std::string("release") : fmt::format("{}", fmt::join(names, ", "));
  };
  differ("build", build(before), build(after));
  differ("compiler", before.compiler, after.compiler);
  differ("machine", std::to_string(before.machine), std::to_string(after.machine));
  return result;
}

/// The growth in bytes; 0 if it is missing on one side.
std::uint64_t growth(const snapshot& before, const snapshot& after, const site_change& c) {
  if (!c.before.has_value() || !c.after.has_value()) return 0;
  const std::uint64_t a = before.sites[*c.before].max;
  const std::uint64_t b = after.sites[*c.after].max;
  return b > a ? b - a : 0;
}

int rank(change c) {
  switch (c) {
    case change::grew: return 0;
    case change::appeared: return 1;
    case change::shrank: return 2;
    case change::vanished: return 3;
    case change::same: return 4;
  }
  return 5;
}

}  // namespace

difference compare(const snapshot& before, const snapshot& after) {
  difference result;
  result.incomparable = incomparable(before, after);
  std::map<place, std::size_t> at;
  for (std::size_t i = 0; i < before.sites.size(); ++i) {
    const auto [found, is_new] = at.try_emplace(place_of(before.sites[i]), result.sites.size());
    if (is_new) result.sites.push_back({.what = {}, .before = i, .after = {}});
  }
  for (std::size_t i = 0; i < after.sites.size(); ++i) {
    const auto [found, is_new] = at.try_emplace(place_of(after.sites[i]), result.sites.size());
    if (is_new) {
      result.sites.push_back({.what = {}, .before = {}, .after = i});
    } else if (!result.sites[found->second].after.has_value()) {
      result.sites[found->second].after = i;
    }
  }
  pair_moved(before, after, result.sites);
  for (site_change& c : result.sites) {
    c.what = !c.before.has_value()  ? change::appeared
             : !c.after.has_value() ? change::vanished
                                    : change_of(before.sites[*c.before], after.sites[*c.after]);
  }
  std::ranges::sort(result.sites, [&](const site_change& a, const site_change& b) {
    if (a.what != b.what) return rank(a.what) < rank(b.what);
    const std::uint64_t more = growth(before, after, a);
    const std::uint64_t than = growth(before, after, b);
    return more != than ? more > than : std::tie(a.after, a.before) < std::tie(b.after, b.before);
  });
  return result;
}

bool grew(const difference& d) noexcept {
  return std::ranges::any_of(d.sites, [](const site_change& c) { return c.what == change::grew; });
}

}  // namespace bast_stacks
