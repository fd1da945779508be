// SPDX-License-Identifier: Apache-2.0
#include "show/recommend.hpp"

#include <fmt/format.h>
#include <sys/auxv.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "model/names.hpp"
#include "model/statistics.hpp"
#include "show/text.hpp"

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
  return std::clamp(round_up(bytes, page), limit_least, limit_most);
}

site_advice advise(const snapshot& of, std::size_t index, const recommend_options& options) {
  const site& s = of.sites[index];
  const std::uint64_t page = of.page_bytes;
  site_advice result;
  result.limit = s.limit;
  result.window = s.window;
  if (s.uses == 0 && s.live == 0 && s.max == 0) return result;

  result.need = s.max;
  result.covered = supported_quantile(s.uses, options.confidence);
  std::uint64_t bytes = add(s.max, options.reserves.sum());
  if (index < options.static_bounds.size() && options.static_bounds[index].value_or(0) > bytes) {
    bytes = *options.static_bounds[index];
    result.bound_decides = true;
  }
  const std::uint64_t wanted = acceptable(bytes, page);
  const std::uint64_t runs = runs_needed(options.quantile, options.confidence);
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

/// What one pool needs for all its sites.
void settle(const snapshot& of, const advice& all, pool_advice& result) {
  const pool& p = of.pools[result.pools.front()];
  result.limit = 0;
  result.window = 0;
  for (const std::size_t each : result.pools) {
    result.stacks = add(result.stacks, of.pools[each].stacks);
    for (std::size_t i = 0; i < of.sites.size(); ++i) {
      if (!std::ranges::binary_search(of.sites[i].pools, of.pools[each].id)) continue;
      const site_advice& site = all.sites[i];
      if (site.what == verdict::unused) continue;
      // A site may be in several pools; `keep` is about this one's limit.
      const bool keep = site.what == verdict::keep;
      const std::uint64_t limit = keep ? std::max(p.limit, site.limit) : site.limit;
      result.window = std::max(result.window, keep ? p.window : site.window);
      if (limit > result.limit || (limit == result.limit && !result.decides.has_value())) {
        result.limit = limit;
        result.decides = i;
      }
    }
  }
  if (!result.decides.has_value()) {
    result.limit = p.limit;
    result.window = p.window;
    return;
  }
  if (result.limit == p.limit) {
    result.what = all.sites[*result.decides].what == verdict::keep ? verdict::keep : verdict::fits;
  } else {
    result.what = result.limit < p.limit ? verdict::lower : verdict::raise;
  }
  if (result.limit < p.limit) result.saved = multiply(p.limit - result.limit, result.stacks);
}

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

  using key = std::tuple<std::string, std::uint64_t, std::uint64_t>;
  std::map<key, std::size_t> places;
  for (std::size_t i = 0; i < of.pools.size(); ++i) {
    const pool& p = of.pools[i];
    const auto [found, is_new] = places.try_emplace({p.where, p.limit, p.window}, 0);
    if (is_new) {
      found->second = result.pools.size();
      result.pools.emplace_back();
    }
    result.pools[found->second].pools.push_back(i);
  }
  for (pool_advice& each : result.pools) settle(of, result, each);
  std::ranges::stable_sort(result.pools, {}, [&](const pool_advice& a) {
    const pool& p = of.pools[a.pools.front()];
    return key{p.where, p.limit, p.window};
  });
  return result;
}

}  // namespace bast_stacks
