// SPDX-License-Identifier: Apache-2.0
#include "show/recommend.hpp"

#include <fmt/format.h>
#include <sys/auxv.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "model/mutant.hpp"
#include "model/names.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"

namespace bast_stacks {
namespace {

// What stack_geometry::make accepts.
constexpr std::uint64_t limit_least = 16 << 10;
constexpr std::uint64_t limit_most = 64 << 20;

// Not AT_MINSIGSTKSZ of <sys/auxv.h>: older headers lack it. Linux 5.14, x86-64 and aarch64.
constexpr unsigned long minimum_signal_stack = 51;
constexpr std::uint64_t minimum_signal_stack_once = 2048;  // MINSIGSTKSZ where the kernel is silent

constexpr std::uint64_t distorting =
    bast::watch::built_address_sanitizer | bast::watch::built_thread_sanitizer |
    bast::watch::built_memory_sanitizer | bast::watch::built_undefined_sanitizer |
    bast::watch::built_valgrind | bast::watch::built_unoptimized | bast::watch::built_coverage;

std::string refusal(const snapshot& of) {
  const std::vector<std::string> names = built_names(of.built & distorting);
  if (names.empty()) return {};
  return fmt::format(
      "No size is recommended: this build ({}) uses other depths than a release "
      "build. Measure a release build.",
      fmt::join(names, ", "));
}

/// A limit that the library accepts, in whole pages.
std::uint64_t acceptable(std::uint64_t bytes, std::uint64_t page) noexcept {
  const std::uint64_t pages =
      BAST_STACKS_MUTANT(limit_rounded_down) ? bytes / page * page : round_up(bytes, page);
  return std::clamp(pages, limit_least, limit_most);
}

/// A limit that is lowered by less than an eighth saves nothing worth a change, and takes the last
/// margin of a site that comes near its limit.
bool is_near(std::uint64_t wanted, std::uint64_t limit) noexcept {
  return wanted <= limit && wanted >= limit - limit / 8;
}

/// The largest sound bound of a site; 0 when there is none.
std::uint64_t bound_of(std::size_t index, const recommend_options& options) {
  std::uint64_t bytes = 0;
  if (index < options.static_bounds.size()) bytes = options.static_bounds[index].value_or(0);
  const std::vector<site_bound>& found = options.code.sites;
  if (index < found.size() && found[index].sound()) bytes = std::max(bytes, found[index].bytes);
  return bytes;
}

recursion_reserve rounds_of(const site& s, const site_bound* code) {
  constexpr std::uint64_t seen_for_one_more = 8;
  recursion_reserve kept;
  const bool known_from_code = code != nullptr && (code->sound() || !code->circle.empty());
  if (s.deepest.frames.empty() && !known_from_code) {
    kept.blind = true;
    kept.bytes = s.max / seen_for_one_more;
    return kept;
  }
  recursion seen = recursion_of(s.deepest, 2);
  // Of calls that are never recorded whole nobody knows what a round takes.
  if (seen.round_bytes == 0) seen = {};
  const bool only_in_code = seen.times == 0 && code != nullptr && !code->circle.empty();
  if (only_in_code)
    seen = {.function = code->circle, .times = 1, .round_bytes = code->circle_bytes};
  if (seen.times == 0) return kept;
  // The last growth went as far as a page of what was open; the use went on.
  if (!only_in_code && s.max > s.deepest.depth) {
    const std::uint64_t more = (s.max - s.deepest.depth) / seen.round_bytes;
    seen.times = add(seen.times, more);
    seen.estimated = seen.estimated || more != 0;
  }
  kept.words = recursion_text(seen) + (only_in_code ? " (by the call graph)" : "");
  kept.times = seen.times;
  kept.rounds = std::max<std::uint64_t>(1, seen.times / seen_for_one_more);
  kept.bytes = multiply(kept.rounds, seen.round_bytes);
  kept.function = std::move(seen.function);
  return kept;
}

site_advice advise(const snapshot& of, std::size_t index, const recommend_options& options) {
  const site& s = of.sites[index];
  const std::uint64_t page = of.page_bytes;
  site_advice result;
  result.limit = s.limit;
  result.window = s.window;
  if (!has_run(s)) return result;

  result.need = s.max;
  result.covered = supported_quantile(s.uses, options.confidence);
  if (s.overflows != 0) {
    result.what = verdict::overflowed;
    return result;
  }
  const bool analysed = index < options.code.sites.size();
  result.recursion = rounds_of(s, analysed ? &options.code.sites[index] : nullptr);
  std::uint64_t bytes = add(add(s.max, options.reserves.sum()), result.recursion.bytes);
  if (const std::uint64_t bound = bound_of(index, options);
      bound > bytes && !BAST_STACKS_MUTANT(static_bound_ignored)) {
    bytes = bound;
    result.bound_decides = true;
  }
  std::uint64_t wanted = acceptable(bytes, page);
  if (is_near(wanted, s.limit)) wanted = s.limit;
  const std::uint64_t runs = BAST_STACKS_MUTANT(lowered_without_evidence)
                                 ? 0
                                 : runs_needed(options.quantile, options.confidence);
  if (wanted > s.limit) {
    result.what = verdict::raise;
  } else if (s.uses < runs && wanted < s.limit) {
    result.what = verdict::keep;
    result.runs_missing = runs - s.uses;
    return result;
  } else {
    result.what = wanted == s.limit ? verdict::fits : verdict::lower;
  }
  result.limit = wanted;
  if (sampled(s) != 0) {
    result.window = std::min(
        round_up(std::max(add(quantile(s, 0.99), options.reserves.colouring), page), page), wanted);
  }
  return result;
}

/// A place's pools and the sites that ran on them, while advice is collected.
class places {
 public:
  places(const snapshot& of, const advice& all) : of_(of), all_(all) {
    for (std::size_t i = 0; i < of.pools.size(); ++i) {
      const pool& p = of.pools[i];
      pool_advice& group = at(p.where, p.limit, p.window);
      group.pools.push_back(i);
      group.count = add(group.count, std::max<std::uint64_t>(1, p.gone));
      // Pools that are gone and those that are there had their stacks at different times.
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
    // A site may be in several pools; `keep` is about this one's limit.
    if (site.what == verdict::overflowed && group.old_limit <= of_.sites[index].limit) {
      group.what = verdict::overflowed;
      group.decides = index;
    }
    if (group.what == verdict::overflowed) return;
    // Where it did not overflow it lacks a run to its end.
    const bool keep = site.what == verdict::keep || site.what == verdict::overflowed;
    const std::uint64_t limit = keep ? std::max(group.old_limit, site.limit) : site.limit;
    group.window = std::max(group.window, keep ? group.old_window : site.window);
    if (!keep) group.others = std::max(group.others, site.limit);
    if (group.decides.has_value()) {
      const site_advice& so_far = all_.sites[*group.decides];
      // Of those that lack runs, the one that lacks most: until then the limit stays.
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
      const verdict of_site = all_.sites[*group.decides].what;
      const bool keep = of_site == verdict::keep || of_site == verdict::overflowed;
      group.what = keep ? verdict::keep : verdict::fits;
    } else if (group.limit > group.old_limit) {
      group.what = verdict::raise;
    } else {
      group.what = verdict::lower;
      group.saved = multiply(group.old_limit - group.limit, group.stacks);
    }
  }

  const snapshot& of_;
  const advice& all_;
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, pool_advice> groups_;
  std::unordered_map<std::uint64_t, pool_advice*> by_id_;
  std::map<pool_advice*, std::uint64_t> there_;  // stacks of pools that are not gone
};

}  // namespace

std::uint64_t stack_reserves::sum() const noexcept {
  return add(add(signal_frame, unwinding), add(lazy_binding, colouring));
}

stack_reserves reserves_of_this_machine() noexcept {
  const unsigned long frame = ::getauxval(minimum_signal_stack);
  return {.signal_frame = frame == 0 ? minimum_signal_stack_once : frame};
}

advice recommend(const snapshot& of, const recommend_options& options) {
  advice result;
  result.refused = refusal(of);
  if (!result.refused.empty()) return result;
  for (std::size_t i = 0; i < of.sites.size(); ++i) result.sites.push_back(advise(of, i, options));

  result.pools = places(of, result).take();
  return result;
}

}  // namespace bast_stacks
