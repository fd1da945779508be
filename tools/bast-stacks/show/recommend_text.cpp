// SPDX-License-Identifier: Apache-2.0
//
// Recommendations as text.
#include <fmt/format.h>

#include <algorithm>
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

/// The share of a site's uses beyond its `q`-quantile: "1 in 13,000", rounded to the known
/// precision.
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
      if (s.uses == 0 && a.running == 0) return "no use has ended";
      if (a.runs_missing == 0) return "seen less than an hour";
      return fmt::format("so far {} may go deeper", rate_text(a.covered));
    case verdict::overflowed:
      return fmt::format("overflowed {} at {}", counted(s.overflows, "time"), size(a.need));
    case verdict::raise:
      return a.bound_decides   ? std::string("the static bound does not fit")
             : s.max > s.limit ? std::string("the limit was reached")
                               : fmt::format("leaves {} for the reserve", size(s.limit - s.max));
    case verdict::fits:
    case verdict::lower:
      if (a.bound_decides) return "the static bound decides";
      if (a.running != 0) return fmt::format("{} live, may go deeper", count_text(a.running));
      return a.late ? fmt::format("deepest {} ago: may rise", duration_text(s.max_age_ns)) : covers;
  }
  return {};
}

/// "3": of as many uses again, the number that is expected to go deeper than the deepest so far.
double deeper_again(const recommend_options& options) {
  return std::ceil(-std::log1p(-std::min(options.confidence, 1 - 1e-15)));
}

std::string premise(const snapshot& of, const recommend_options& options) {
  const stack_reserves& r = options.reserves;
  const auto size = [&](std::uint64_t bytes) { return size_text(bytes, options.exact_bytes); };
  const double quantile = options.quantile.value_or(least_quantile);
  std::string out = fmt::format(
      "A site's limit is lowered when, with {:g} % confidence, at most {} of its uses goes deeper\n"
      "than the deepest seen: after {} uses. It is that depth and a reserve of {}:\n"
      "signal frame {}, unwinding {}, lazy binding {}, colouring {}.\n",
      options.confidence * 100, rate_text(quantile),
      count_text(runs_needed(quantile, options.confidence)), size(r.sum()), size(r.signal_frame),
      size(r.unwinding), size(r.lazy_binding), size(r.colouring));
  const double deeper = deeper_again(options);
  out += fmt::format(
      "Of as many uses again, if they are alike, at most {:g} are expected to go deeper", deeper);
  constexpr double day_ns = 86400e9;
  const auto seen_ns = static_cast<double>(of.runtime_ns);
  if (!goes_on(of) || of.runtime_ns == 0) return out + ".\n";
  if (seen_ns < day_ns) {
    out += fmt::format(";\nin a day like the {} seen, {}", duration_text(of.runtime_ns),
                       count_text(static_cast<std::uint64_t>(deeper * day_ns / seen_ns)));
  }
  out += ".\n";
  if (!options.quantile.has_value())
    out += "A program that goes on must have been seen for an hour, unless --quantile is given.\n";
  return out;
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

/// The reserves for recursions, one line per site.
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

/// Why parts of the recommendation are not guaranteed.
std::string so_far_text(const advice& all) {
  std::uint64_t running = 0;
  std::uint64_t late = 0;
  for (const site_advice& a : all.sites) {
    if (a.so_far()) ++(a.running != 0 ? running : late);
  }
  std::string out;
  if (running != 0) {
    out += fmt::format(
        "\nOf {} too few uses have ended: live stacks are counted as uses, as deep as they may "
        "be.\n"
        "They go on and may go deeper: how often is not known.\n",
        counted(running, "site"));
  }
  if (late != 0) {
    out += fmt::format(
        "\nThe deepest of {} came in the last twentieth of the time seen: depths may be rising, "
        "and\n"
        "how often one goes deeper is not known. Look again later.\n",
        counted(late, "site"));
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
  if (a.decides.has_value()) out += "; decided by " + short_site_name(of.sites[*a.decides]);
  out = cut_end(out, line_width) + '\n';
  switch (a.what) {
    case verdict::unused: return out + "  nothing has run on it\n";
    case verdict::keep: out += fmt::format("  keep .limit = {}\n", size(a.old_limit)); break;
    case verdict::fits: out += fmt::format("  .limit = {} is right\n", size(a.old_limit)); break;
    case verdict::raise: out += fmt::format("  {}\n", code_of(a.limit, a.window)); break;
    case verdict::overflowed:
      out += fmt::format(
          "  !! it overflowed: how much it needs is not known. Measure with\n"
          "  {}, and ask again\n",
          roomy(a.old_limit));
      break;
    case verdict::lower:
      out += fmt::format(
          "  {}\n  saves {} of address space ({} x {}), and no resident memory: pages that "
          "were\n  never touched have none\n",
          code_of(a.limit, a.window), size(a.saved), count_text(a.stacks),
          size(a.old_limit - a.limit));
  }
  if (a.blocking.empty()) return out;
  // A site that runs once in the life of a process never runs often enough.
  const bool blocked = a.what == verdict::keep || a.what == verdict::overflowed;
  return out +
         cut_end(fmt::format("  {}without {} it could be", blocked ? "blocked: " : "",
                             blocking_text(of, a)),
                 line_width) +
         fmt::format("\n  {}\n", code_of(a.rest_limit, a.rest_window));
}

}  // namespace

std::string code_of(std::uint64_t limit, std::uint64_t window) {
  return fmt::format("bast::stack_options{{.limit = {}_KiB, .window = {}_KiB}}",
                     round_up(limit, 1024) / 1024, round_up(window, 1024) / 1024);
}

std::vector<std::string> own_pools(const snapshot& of, const advice& all) {
  std::vector<bool> shares(all.sites.size());
  for (const pool_advice& pool : all.pools) {
    if (pool.sites.size() < 2) continue;
    for (const std::size_t i : pool.sites) shares[i] = true;
  }
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < all.sites.size(); ++i) {
    if (!shares[i]) continue;
    const site_advice& a = all.sites[i];
    const std::string code = a.what == verdict::overflowed ? "measure with " + roomy(a.limit)
                                                           : code_of(a.limit, a.window);
    const std::string why = a.what == verdict::keep ? ", too few runs" : "";
    lines.push_back(cut_end(
        fmt::format("{}  // {} alone{}", code, short_site_name(of.sites[i]), why), line_width));
  }
  return lines;
}

std::string blocking_text(const snapshot& of, const pool_advice& advice) {
  std::string out = short_site_name(of.sites[advice.blocking.front()]);
  if (const std::size_t more = advice.blocking.size() - 1; more != 0)
    out += " and " + counted(more, "other");
  return out;
}

std::string roomy(std::uint64_t old_limit) {
  constexpr std::uint64_t most = 64 << 10;  // KiB: what the library accepts
  const std::uint64_t kib = std::max<std::uint64_t>(old_limit / 1024, 1);
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
    case verdict::keep: return fmt::format("keep: {} more", missing_text(advice));
    case verdict::fits:
    case verdict::lower:
    case verdict::raise: return size_text(advice.limit) + (advice.so_far() ? " so far" : "");
  }
  return {};
}

std::string missing_text(const site_advice& advice) {
  return advice.runs_missing != 0 ? counted(advice.runs_missing, "run")
                                  : duration_text(advice.missing_ns);
}

std::string bound_text(const site_bound& bound, bool exact_bytes) {
  if (bound.root.empty()) return "no backtrace leads to where its stacks begin";
  if (bound.sound()) return fmt::format("static bound {}", size_text(bound.bytes, exact_bytes));
  return fmt::format("no sound bound: {}", counted(bound.reasons, "reason"));
}

std::string recommend_text(const snapshot& of, const recommend_options& options) {
  const advice all = recommend(of, options);
  if (!all.refused.empty()) return all.refused + '\n';
  std::string out = premise(of, options) + '\n' + sites_text(of, all, options);
  out += recursions_text(of, all, options.exact_bytes);
  out += so_far_text(all);
  out += code_text(of, all, options);
  for (const pool_advice& each : all.pools) out += '\n' + pool_text(of, each, options);
  const std::vector<std::string> own = own_pools(of, all);
  if (own.empty()) return out;
  out += "\nA pool of its own for each site that shares one:\n";
  for (const std::string& line : own) out += "  " + line + '\n';
  return out;
}

}  // namespace bast_stacks
