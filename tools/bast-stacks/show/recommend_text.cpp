// SPDX-License-Identifier: Apache-2.0
//
// Recommendations as text.
#include <fmt/format.h>

#include <cmath>

#include "model/clean_text.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/columns.hpp"
#include "show/names.hpp"
#include "show/recommend.hpp"
#include "show/table.hpp"

namespace bast_stacks {
namespace {

/// How many uses of a site go beyond its `q`-quantile: "1 in 13,000", rounded to what says no more
/// than is known.
std::string rate_text(double q) {
  constexpr double rounding = 1 + 1e-9;  // 1 - 0.999 is not quite a thousandth
  auto uses = static_cast<std::uint64_t>(std::min(rounding / (1 - std::min(q, 1 - 1e-15)), 1e15));
  std::uint64_t unit = 1;
  while (uses / unit >= 100) unit *= 10;
  uses = uses / unit * unit;
  return fmt::format("1 in {}", count_text(uses));
}

std::string reason(const site& s, const site_advice& a, const recommend_options& options) {
  const auto size = [&](std::uint64_t bytes) { return size_text(bytes, options.exact_bytes); };
  const std::string covers = fmt::format("at most {} goes deeper", rate_text(a.covered));
  switch (a.what) {
    case verdict::unused: return "has not run";
    case verdict::keep:
      return s.uses == 0 ? std::string("no use has ended")
                         : fmt::format("so far {} may go deeper", rate_text(a.covered));
    case verdict::overflowed:
      return fmt::format("overflowed {} at {}", counted(s.overflows, "time"), size(a.need));
    case verdict::raise:
      return a.bound_decides    ? std::string("the static bound does not fit")
             : a.need > s.limit ? std::string("the limit was reached")
                                : fmt::format("leaves {} for the reserve", size(s.limit - a.need));
    case verdict::fits:
    case verdict::lower: return a.bound_decides ? "the static bound decides" : covers;
  }
  return {};
}

std::string premise(const recommend_options& options) {
  const stack_reserves& r = options.reserves;
  const auto size = [&](std::uint64_t bytes) { return size_text(bytes, options.exact_bytes); };
  return fmt::format(
      "A site's limit is lowered when, with {:g} % confidence, at most {} of its uses goes deeper\n"
      "than the deepest seen: after {} uses. It is that depth and a reserve of {}:\n"
      "signal frame {}, unwinding {}, lazy binding {}, colouring {}.\n",
      options.confidence * 100, rate_text(options.quantile),
      count_text(runs_needed(options.quantile, options.confidence)), size(r.sum()),
      size(r.signal_frame), size(r.unwinding), size(r.lazy_binding), size(r.colouring));
}

std::string sites_text(const snapshot& of, const advice& all, const recommend_options& options) {
  using enum table::align;
  table sites({{options.exact_bytes ? "site (in bytes)" : "site (in KiB)", left, true},
               {"uses"},
               {"deepest"},
               {"limit"},
               {"recommend", left},
               {"because", left}});
  const std::vector<std::string> names = short_site_names(of.sites);
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    const site& s = of.sites[i];
    const site_advice& a = all.sites[i];
    if (a.what == verdict::unused) continue;
    sites.add({names[i], std::to_string(s.uses), size_number(s.max, options.exact_bytes),
               size_number(s.limit, options.exact_bytes), verdict_text(a), reason(s, a, options)},
              is_urgent(a.what) ? "!!" : "");
  }
  return sites.empty() ? "No site has run yet.\n" : sites.text();
}

/// What is kept for recursions, a line a site.
std::string recursions_text(const snapshot& of, const advice& all, bool exact) {
  std::string out;
  std::uint64_t blind = 0;
  for (std::size_t i = 0; i < all.sites.size(); ++i) {
    const recursion_reserve& kept = all.sites[i].recursion;
    blind += kept.blind ? 1 : 0;
    if (kept.words.empty()) continue;
    out += cut_end(fmt::format("  {}: +{}, {}", kept.words, size_text(kept.bytes, exact),
                               short_site_name(of.sites[i])),
                   line_width) +
           '\n';
  }
  if (!out.empty()) {
    out = "\nA recursion is as deep as its input; for every eight rounds seen one more is kept:\n" +
          out;
  }
  if (blind != 0) {
    out += fmt::format(
        "\nOf {} no backtrace was recorded, so a recursion could not be seen: an eighth of the "
        "depth\n"
        "is kept for it. bast-stacks run --deepest sees it.\n",
        counted(blind, "site"));
  }
  return out;
}

std::string code_text(const snapshot& of, const advice& all, const recommend_options& options) {
  const code_findings& code = options.code;
  if (code.file.empty()) return {};
  std::string out =
      fmt::format("\nFrom the code of {} (bast-stacks static --details lists reasons):\n",
                  cut_start(clean_text(code.file), 36));
  for (std::size_t i = 0; i < std::min(code.sites.size(), all.sites.size()); ++i) {
    if (all.sites[i].what == verdict::unused) continue;
    out += cut_end(fmt::format("  {}: {}", short_site_name(of.sites[i]),
                               bound_text(code.sites[i], options.exact_bytes)),
                   line_width) +
           '\n';
  }
  for (const std::string& note : code.notes) out += clean_text(note) + '\n';
  return out;
}

std::string pool_text(const snapshot& of, const pool_advice& a, const recommend_options& options) {
  const auto size = [&](std::uint64_t bytes) { return size_text(bytes, options.exact_bytes); };
  std::string out = fmt::format("{}{}, {}", a.pools.empty() ? "" : "pool ", place_of(a),
                                counted(a.stacks, "stack"));
  if (a.decides.has_value())
    out += fmt::format("; decided by {}", short_site_name(of.sites[*a.decides]));
  out = cut_end(out, line_width) + '\n';
  switch (a.what) {
    case verdict::unused: return out + "  nothing has run on it\n";
    case verdict::keep:
      out += fmt::format("  keep .limit = {}\n", size(a.old_limit));
      // A site that runs once in the life of a process never runs often enough.
      if (a.others != 0 && a.others < a.old_limit)
        out += fmt::format(
            "  its sites that ran often enough need {}: give the others a pool of their own\n",
            size(a.others));
      return out;
    case verdict::fits: return out + fmt::format("  .limit = {} is right\n", size(a.old_limit));
    case verdict::raise: return out + fmt::format("  {}\n", code_of(a));
    case verdict::overflowed:
      return out + fmt::format(
                       "  !! it overflowed: how much it needs is not known. Measure with\n"
                       "  {}, and ask again\n",
                       roomy(a));
    case verdict::lower: break;
  }
  return out +
         fmt::format(
             "  {}\n  saves {} of address space ({} x {}), and no resident memory: pages that "
             "were\n  never touched have none\n",
             code_of(a), size(a.saved), count_text(a.stacks), size(a.old_limit - a.limit));
}

}  // namespace

std::string code_of(const pool_advice& advice) {
  return fmt::format("bast::stack_options{{.limit = {}_KiB, .window = {}_KiB}}",
                     round_up(advice.limit, 1024) / 1024, round_up(advice.window, 1024) / 1024);
}

std::string roomy(const pool_advice& advice) {
  constexpr std::uint64_t most = 64 << 10;  // KiB: what the library accepts
  const std::uint64_t kib = std::max<std::uint64_t>(advice.old_limit / 1024, 1);
  return fmt::format(".limit = {}_KiB", std::min(most, multiply(kib, 16)));
}

std::string place_of(const pool_advice& advice) {
  if (advice.pools.empty()) return fmt::format("pools of {}", size_text(advice.old_limit));
  const std::string& where = advice.where;
  std::string place = where.empty() ? "(unnamed)" : file_name(where);
  if (advice.count > 1) place += fmt::format(" ({} pools)", count_text(advice.count));
  return place;
}

std::string verdict_text(const site_advice& advice) {
  switch (advice.what) {
    case verdict::unused: return "";
    case verdict::overflowed: return fmt::format("more than {}", size_text(advice.limit));
    case verdict::keep: return fmt::format("keep: {} more", counted(advice.runs_missing, "run"));
    case verdict::fits:
    case verdict::lower:
    case verdict::raise: return size_text(advice.limit);
  }
  return {};
}

std::string bound_text(const site_bound& bound, bool exact_bytes) {
  if (bound.root.empty()) return "no backtrace leads to where its stacks begin";
  if (bound.sound()) return fmt::format("static bound {}", size_text(bound.bytes, exact_bytes));
  return fmt::format("no sound bound: {}", counted(bound.reasons, "reason"));
}

std::string recommend_text(const snapshot& of, const recommend_options& options) {
  const advice all = recommend(of, options);
  if (!all.refused.empty()) return all.refused + '\n';
  std::string out = premise(options) + '\n' + sites_text(of, all, options);
  out += recursions_text(of, all, options.exact_bytes);
  out += code_text(of, all, options);
  for (const pool_advice& each : all.pools) out += '\n' + pool_text(of, each, options);
  return out;
}

}  // namespace bast_stacks
