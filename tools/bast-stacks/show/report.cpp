// SPDX-License-Identifier: Apache-2.0
#include "show/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "model/clean_text.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/caveats.hpp"
#include "show/columns.hpp"
#include "show/names.hpp"
#include "show/report_rows.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t lines_most = 15;
// Lines that are always there: title, empty, head of the table, empty, savings.
constexpr std::size_t lines_fixed = 5;
constexpr std::size_t code_lines = 4;
constexpr std::size_t reservation_lines = 2;

/// "server (pid 4711)"
std::string program_of(const snapshot& of) {
  std::string text = of.program.empty() ? "(unknown program)" : file_name(of.program);
  if (of.pid != 0 && of.others != 0) {
    text += fmt::format(" (pid {} and {})", of.pid, counted(of.others, "other"));
  } else if (of.pid != 0) {
    text += fmt::format(" (pid {})", of.pid);
  }
  return text;
}

/// Stacks that overflowed; and in a core file, the stack on which a signal stopped a thread.
std::vector<std::string> crashes(const snapshot& of) {
  std::vector<std::string> lines;
  for (const site& s : of.sites) {
    if (s.overflows == 0) continue;
    lines.push_back(cut_end(
        fmt::format("!! overflowed: {}: {} needed more than {}, at least {}", short_site_name(s),
                    counted(s.overflows, "use"), size_text(s.limit), size_text(s.max)),
        line_width));
  }
  for (const live_stack& s : of.stacks) {
    if (!s.crashed) continue;
    const std::string name = s.name.empty() ? "a stack" : "'" + clean_text(s.name) + "'";
    const std::string of_site = s.site < of.sites.size() ? site_name(of.sites[s.site]) : "?";
    lines.push_back(
        cut_end(fmt::format("crashed on {} of {}: {} deep, {} of it can be opened", name, of_site,
                            s.scanned ? size_text(s.depth) : "?", size_text(s.top - s.low)),
                line_width));
  }
  return lines;
}

std::string waste_line(const snapshot& of, const advice& all, bool exact) {
  std::uint64_t saved = 0;
  std::uint64_t reserved = 0;
  for (const pool_advice& each : all.pools) {
    saved = add(saved, each.saved);
    reserved = add(reserved, multiply(each.old_limit, each.stacks));
  }
  std::string line = fmt::format("could be given back: {} of {} of address space",
                                 size_text(saved, exact), size_text(reserved, exact));
  const bool all_gone = std::ranges::all_of(of.pools, [](const pool& p) { return p.gone != 0; });
  if (all_gone) return line + " that its pools had";
  const bool looked = std::ranges::any_of(of.stacks, &live_stack::scanned);
  line += looked ? fmt::format("; {} of memory below live stacks",
                               size_text(resident_beyond_depth(of), exact))
                 : "; memory was not looked at";
  return line;
}

/// The code to paste for one place that creates pools.
std::string code_line(const snapshot& of, const advice& all, const pool_advice& each) {
  const std::string site =
      each.decides.has_value() ? short_site_name(of.sites[*each.decides]) : std::string();
  if (each.what == verdict::overflowed)
    return fmt::format("!! measure with {}  // {}, for {}", roomy(each.old_limit), place_of(each),
                       site);
  if (each.what != verdict::keep)
    return fmt::format("{}  // {}, for {}", code_of(each.limit, each.window), place_of(each), site);
  if (all.sites[*each.decides].what == verdict::overflowed)
    return fmt::format("keep .limit = {}_KiB  // {}, until {} ran to its end", each.limit / 1024,
                       place_of(each), site);
  const site_advice& its = all.sites[*each.decides];
  return fmt::format(
      "keep .limit = {}_KiB  // {}, until {} {}", each.limit / 1024, place_of(each), site,
      its.runs_missing != 0 ? fmt::format("has run {} times more", count_text(its.runs_missing))
                            : "was seen for " + missing_text(its) + " more");
}

/// The code for all places: first limits to raise, then those to lower, then those that pools could
/// have without the sites that block them. With `all_sites` also for each site alone.
std::vector<std::string> code(const snapshot& of, const advice& all, bool all_sites) {
  if (!all.refused.empty()) return {all.refused};
  std::vector<std::string> lines;
  for (const verdict urgent :
       {verdict::overflowed, verdict::raise, verdict::lower, verdict::keep}) {
    for (const pool_advice& each : all.pools) {
      if (each.what == urgent) lines.push_back(cut_end(code_line(of, all, each), line_width));
    }
  }
  for (const pool_advice& each : all.pools) {
    if (each.blocking.empty()) continue;
    lines.push_back(
        cut_end(fmt::format("{}  // {}, without {}", code_of(each.rest_limit, each.rest_window),
                            place_of(each), blocking_text(of, each)),
                line_width));
  }
  if (all_sites) std::ranges::copy(own_pools(of, all), std::back_inserter(lines));
  return lines;
}

/// Appends the first `most` of `lines`; the last of them gives the number of the others.
void append(std::string& out, const std::vector<std::string>& lines, std::size_t most,
            std::string_view rest) {
  const std::size_t shown = lines.size() <= most ? lines.size() : most - 1;
  for (std::size_t i = 0; i < shown; ++i) out += lines[i] + '\n';
  if (shown < lines.size()) out += fmt::format("... {} more{}\n", lines.size() - shown, rest);
}

/// A sentence over as many lines as needed, the later ones indented.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  while (columns_of(text) > line_width - (out.empty() ? 0 : indent)) {
    const std::size_t most = line_width - (out.empty() ? 0 : indent);
    std::size_t at = text.rfind(' ', std::min(most, text.size() - 1));
    if (at == text.npos || at == 0) break;
    out += std::string(text.substr(0, at)) + '\n' + std::string(indent, ' ');
    text.remove_prefix(at + 1);
  }
  return out + std::string(text);
}

std::vector<std::string> reservation_text(const snapshot& of, bool whole) {
  std::vector<std::string> lines;
  for (const std::string& sentence : reservations(of)) {
    const std::string line = "not seen: " + sentence;
    lines.push_back(whole ? wrapped(line, 10) : cut_end(line, line_width));
  }
  return lines;
}

/// The first line: the program, and the cost of the inspection. As much of it as fits.
std::string headline(const snapshot& of, std::uint64_t sites, std::uint64_t live) {
  const std::string counts =
      fmt::format(": {}, {}", counted(sites, "site"), counted(live, "live stack"));
  const std::string cost =
      of.overhead_ns == 0 ? std::string() : ", seen in " + duration_text(of.overhead_ns);
  std::string line = title_of(of) + counts + cost;
  if (columns_of(line) > line_width) line = program_of(of) + counts + cost;
  return cut_end(line, line_width);
}

const char* nothing_of(report_rows by) {
  switch (by) {
    case report_rows::sites: return "nothing has run on a stack of bast yet\n";
    case report_rows::stacks: return "no stack is in use\n";
    case report_rows::pools: return "there is no pool\n";
  }
  return "";
}

}  // namespace

std::string title_of(const snapshot& of) {
  std::string title = program_of(of);
  if (!of.library.empty()) title += ", " + clean_text(of.library);
  if (of.runtime_ns != 0) title += ", up " + duration_text(of.runtime_ns);
  return title;
}

std::string report_text(const snapshot& of, const report_options& options) {
  const advice all = recommend(of, options.recommend);
  std::uint64_t live = 0;
  std::uint64_t sites = 0;
  for (const site& s : of.sites) {
    live = add(live, s.live);
    if (has_run(s)) ++sites;
  }
  std::string out = headline(of, sites, live) + '\n';
  const std::vector<std::string> crashed = crashes(of);
  append(out, crashed, options.all ? crashed.size() : 2, " that overflowed or crashed");

  const std::vector<std::string> paste = code(of, all, options.all);
  const std::vector<std::string> not_seen = reservation_text(of, options.all);
  const std::size_t used = lines_fixed + std::min<std::size_t>(crashed.size(), 2) +
                           std::min(paste.size(), code_lines) +
                           std::min(not_seen.size(), reservation_lines);
  // One line for how many rows are hidden.
  const std::size_t most = options.all ? of.sites.size() + of.stacks.size() + of.pools.size()
                                       : options.top.value_or(lines_most - used - 1);
  std::size_t hidden = 0;
  const table rows = internal::rows_of(of, all, options, most, hidden);
  out += '\n';
  out += rows.empty() ? nothing_of(options.by) : rows.text(options.colour);
  if (hidden != 0) out += fmt::format("   ... {} more: --all\n", count_text(hidden));

  out += '\n';
  if (all.refused.empty()) out += waste_line(of, all, options.exact_bytes) + '\n';
  append(out, paste, options.all ? paste.size() : code_lines, " to paste: recommend");
  append(out, not_seen, options.all ? not_seen.size() : reservation_lines, " reservations: --all");
  return out;
}

}  // namespace bast_stacks
