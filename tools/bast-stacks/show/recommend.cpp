// SPDX-License-Identifier: Apache-2.0
#include "show/recommend.hpp"

#include <fmt/format.h>
#include <sys/auxv.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/mutant.hpp"
#include "model/names.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/recommend_pools.hpp"

namespace bast_stacks {
namespace {

// The minimum of stack_geometry::make.
constexpr std::uint64_t limit_least = 16 << 10;
constexpr std::uint64_t limit_most = 64 << 20;

// Not AT_MINSIGSTKSZ of <sys/auxv.h>: older headers lack it. Linux 5.14, x86-64 and aarch64.
constexpr unsigned long minimum_signal_stack = 51;
constexpr std::uint64_t minimum_signal_stack_once = 2048;  // MINSIGSTKSZ, if the kernel gives none

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

/// The largest sound bound of a site; 0 if there is none.
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
  // Without one complete round its size is not known.
  if (seen.round_bytes == 0) seen = {};
  const bool only_in_code = seen.times == 0 && code != nullptr && !code->circle.empty();
  if (only_in_code)
    seen = {.function = code->circle, .times = 1, .round_bytes = code->circle_bytes};
  if (seen.times == 0) return kept;
  // The last growth reached within a page of the open end; the use continued below it.
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

/// The live stacks of a site with a known depth.
struct running_stacks {
  std::uint64_t count = 0;
  std::uint64_t deepest = 0;  // the most bytes that one of them may have used
};

std::vector<running_stacks> running_of(const snapshot& of) {
  std::vector<running_stacks> result(of.sites.size());
  for (const live_stack& s : of.stacks) {
    if (!s.scanned || s.site >= result.size()) continue;
    running_stacks& its = result[s.site];
    ++its.count;
    its.deepest = std::max({its.deepest, s.depth, s.depth_at_most});
  }
  return result;
}

/// The number of uses that a lower limit requires.
std::uint64_t least_uses(const recommend_options& options) {
  if (BAST_STACKS_MUTANT(lowered_without_evidence)) return 0;
  return runs_needed(options.quantile.value_or(least_quantile), options.confidence);
}

/// How much longer the process must be watched, if it continues and the user gave no quantile.
std::uint64_t time_missing(const snapshot& of, bool alive, const recommend_options& options) {
  constexpr std::uint64_t hour_ns = 3'600'000'000'000;
  if (!alive || options.quantile.has_value() || of.runtime_ns == 0) return 0;
  return hour_ns - std::min(of.runtime_ns, hour_ns);
}

bool came_late(const snapshot& of, const site& s) noexcept {
  constexpr std::uint64_t late_part = 20;
  return s.max_age_ns != 0 && s.max_age_ns < of.runtime_ns / late_part;
}

/// `alive`: the process continues.
site_advice advise(const snapshot& of, bool alive, std::size_t index, const running_stacks& running,
                   const recommend_options& options) {
  const site& s = of.sites[index];
  const std::uint64_t page = of.page_bytes;
  site_advice result;
  result.limit = s.limit;
  result.window = s.window;
  if (!has_run(s)) return result;

  result.need = s.max;
  const std::uint64_t needed = least_uses(options);
  if (s.uses < needed) result.running = running.count;
  const std::uint64_t seen = add(s.uses, result.running);
  const std::uint64_t wait_ns = time_missing(of, alive, options);
  result.covered = supported_quantile(seen, options.confidence);
  if (s.overflows != 0) {
    result.what = verdict::overflowed;
    return result;
  }
  const bool analysed = index < options.code.sites.size();
  result.recursion = rounds_of(s, analysed ? &options.code.sites[index] : nullptr);
  const auto limit_for = [&](std::uint64_t depth) {
    std::uint64_t bytes = add(add(depth, options.reserves.sum()), result.recursion.bytes);
    const std::uint64_t bound = bound_of(index, options);
    result.bound_decides = bound > bytes && !BAST_STACKS_MUTANT(static_bound_ignored);
    if (result.bound_decides) bytes = bound;
    const std::uint64_t wanted = acceptable(bytes, page);
    return internal::is_near(wanted, s.limit) ? s.limit : wanted;
  };
  if (!BAST_STACKS_MUTANT(live_stacks_ignored)) result.need = std::max(s.max, running.deepest);
  std::uint64_t wanted = limit_for(s.max);
  if (wanted < s.limit) wanted = std::min(limit_for(result.need), s.limit);
  if (wanted > s.limit) {
    result.what = verdict::raise;
  } else if ((seen < needed || wait_ns != 0) && wanted < s.limit) {
    result.what = verdict::keep;
    result.runs_missing = needed - std::min(seen, needed);
    result.missing_ns = wait_ns;
    return result;
  } else {
    result.what = wanted == s.limit ? verdict::fits : verdict::lower;
    result.late = alive && !result.bound_decides && came_late(of, s);
  }
  result.limit = wanted;
  result.window = std::min(result.window, wanted);
  if (sampled(s) != 0) {
    result.window = std::min(
        round_up(std::max(add(quantile(s, 0.99), options.reserves.colouring), page), page), wanted);
  }
  return result;
}

}  // namespace

std::uint64_t stack_reserves::sum() const noexcept {
  return add(add(signal_frame, unwinding), add(lazy_binding, colouring));
}

stack_reserves reserves_of_this_machine() noexcept {
  const unsigned long frame = ::getauxval(minimum_signal_stack);
  return {.signal_frame = frame == 0 ? minimum_signal_stack_once : frame};
}

bool goes_on(const snapshot& of) noexcept {
  return std::ranges::any_of(of.sites, [](const site& s) { return s.live != 0; });
}

advice recommend(const snapshot& of, const recommend_options& options) {
  advice result;
  result.refused = refusal(of);
  if (!result.refused.empty()) return result;
  const bool alive = goes_on(of);
  const std::vector<running_stacks> running = running_of(of);
  for (std::size_t i = 0; i < of.sites.size(); ++i)
    result.sites.push_back(advise(of, alive, i, running[i], options));
  result.pools = internal::pools_of(of, result);
  return result;
}

}  // namespace bast_stacks
