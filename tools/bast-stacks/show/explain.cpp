// SPDX-License-Identifier: Apache-2.0
//
// One site in full: the part of report.hpp that explains a recommendation.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/glob.hpp"
#include "show/names.hpp"
#include "show/report.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t bar_width = 50;

/// One line per octave, from the first with samples to the last; the bar's length is its share.
std::string histogram_text(const site& s, bool exact) {
  struct line {
    std::uint64_t low = 0;
    std::uint64_t count = 0;
  };
  std::vector<line> lines;
  for (const bucket& b : s.histogram) {
    const std::uint64_t low = bast::watch::bucket_low(b.index);
    const std::uint64_t octave = low == 0 ? 0 : std::uint64_t{1} << (63 - __builtin_clzll(low));
    while (!lines.empty() && lines.back().low < octave) {
      const std::uint64_t next = lines.back().low == 0 ? 64 : lines.back().low * 2;
      lines.push_back({next, 0});
    }
    if (lines.empty()) lines.push_back({octave, 0});
    lines.back().count = add(lines.back().count, b.count);
  }
  const std::uint64_t total = std::max<std::uint64_t>(1, sampled(s));
  std::string out;
  for (const line& each : lines) {
    const double share = static_cast<double>(each.count) / static_cast<double>(total);
    std::size_t length = static_cast<std::size_t>(share * bar_width);
    // Rare depths are visible, too.
    if (each.count != 0) length = std::clamp<std::size_t>(length, 1, bar_width);
    out += fmt::format("  from {:>9}  {:>11}  {}\n", size_text(each.low, exact),
                       count_text(each.count), std::string(length, '#'));
  }
  return out;
}

/// The size to set, the reserve for a recursion, and the static bound.
std::string advice_text(const site_advice& a, const site_bound* bound, bool exact) {
  std::string out;
  if (a.what != verdict::unused) out += fmt::format("\n  recommended: {}\n", verdict_text(a));
  if (a.what == verdict::lower || a.what == verdict::raise)
    out += fmt::format("  in a pool of its own: {}\n", code_of(a.limit, a.window));
  if (!a.recursion.words.empty())
    out += fmt::format("  {}: +{}\n", a.recursion.words, size_text(a.recursion.bytes, exact));
  if (bound != nullptr) out += fmt::format("  {}\n", bound_text(*bound, exact));
  return out;
}

std::string explain(const snapshot& of, std::size_t index, const site_advice* advice,
                    const report_options& options) {
  const site& s = of.sites[index];
  const auto size = [&](std::uint64_t bytes) { return size_text(bytes, options.exact_bytes); };
  std::string out = fmt::format("{}\n  {}", site_name(s), counted(s.uses, "use"));
  if (s.pending != 0) out += fmt::format(" ({} not measured yet)", count_text(s.pending));
  out += fmt::format(", {}, {}\n", counted(s.live, "live stack"), counted(s.grows, "growth fault"));
  if (s.overflows != 0)
    out += fmt::format("  !! overflowed {}: it needs more than {}\n", counted(s.overflows, "time"),
                       size(s.limit));
  // Other pools may have deeper uses; in this one they came closest to the limit.
  if (s.max_in_limit != 0) out += fmt::format("  deepest {} of all its pools\n", size(s.max));
  out += fmt::format("  deepest {} of {}", size(s.max_in_limit == 0 ? s.max : s.max_in_limit),
                     size(s.limit));
  if (const auto left = margin(s)) out += fmt::format(", margin {}", percent_text(*left));
  if (s.max_age_ns != 0) out += fmt::format(", seen {} ago", duration_text(s.max_age_ns));
  out += '\n';
  if (!s.histogram.empty()) {
    out += fmt::format("  of {}: p50 {}, p90 {}, p99 {}\n", counted(sampled(s), "sample"),
                       size(quantile(s, 0.5)), size(quantile(s, 0.9)), size(quantile(s, 0.99)));
    out += '\n' + histogram_text(s, options.exact_bytes);
  }
  if (!s.deepest.frames.empty()) {
    out += fmt::format("\n  backtrace at the deepest touch, {}, deepest call first:\n",
                       size(s.deepest.depth));
    out += backtrace_text(s.deepest, options.exact_bytes);
  } else {
    out += "\n  no backtrace was recorded: the stack never grew beyond its window\n";
  }
  if (advice == nullptr) return out;
  const std::vector<site_bound>& bounds = options.recommend.code.sites;
  return out + advice_text(*advice, index < bounds.size() ? &bounds[index] : nullptr,
                           options.exact_bytes);
}

}  // namespace

std::string explain_text(const snapshot& of, std::string_view pattern,
                         const report_options& options) {
  const advice all = recommend(of, options.recommend);
  std::string out;
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    if (!site_matches(pattern, of.sites[i])) continue;
    if (!out.empty()) out += '\n';
    out += explain(of, i, all.sites.empty() ? nullptr : &all.sites[i], options);
  }
  return out;
}

}  // namespace bast_stacks
