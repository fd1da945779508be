// SPDX-License-Identifier: Apache-2.0
#include "show/report_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "model/clean_text.hpp"
#include "model/names.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/names.hpp"

namespace bast_stacks::internal {
namespace {

/// One row, with its sort keys.
struct row {
  std::string name;
  double margin = 1;
  std::uint64_t max = 0;
  std::uint64_t uses = 0;
  std::uint64_t waste = 0;
  bool warn = false;
  std::vector<std::string> cells = {};  // without the name
};

double margin_of(std::uint64_t depth, std::uint64_t limit) {
  return limit == 0 ? 1 : 1 - static_cast<double>(depth) / static_cast<double>(limit);
}

void sort(std::vector<row>& rows, report_order order) {
  const auto before = [order](const row& a, const row& b) {
    switch (order) {
      case report_order::margin:
        if (a.margin != b.margin) return a.margin < b.margin;
        break;
      case report_order::max:
        if (a.max != b.max) return a.max > b.max;
        break;
      case report_order::uses:
        if (a.uses != b.uses) return a.uses > b.uses;
        break;
      case report_order::waste:
        if (a.waste != b.waste) return a.waste > b.waste;
        break;
      case report_order::site: break;
    }
    return std::tie(a.name, a.cells) < std::tie(b.name, b.cells);
  };
  std::ranges::sort(rows, before);
}

std::string percent_of(double margin, std::uint64_t limit) {
  return limit == 0 ? "?" : percent_text(margin);
}

/// A site's remark in one column: the size to set, and why it is so deep.
std::string remark(const site& s, const site_advice* a) {
  const std::string recursion = recursion_text(s.deepest);
  if (s.overflows != 0) return recursion.empty() ? "overflowed" : "overflowed, " + recursion;
  if (a == nullptr || a->what == verdict::unused) return recursion;
  if (recursion.empty()) return verdict_text(*a);
  // Both in full would be cut.
  return (a->what == verdict::keep ? "keep" : verdict_text(*a)) + ", " + recursion;
}

std::vector<row> site_rows(const snapshot& of, const advice& all, const report_options& options) {
  const auto size = [&](std::uint64_t bytes) { return size_number(bytes, options.exact_bytes); };
  const std::vector<std::string> names = short_site_names(of.sites);
  std::vector<row> rows;
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    const site& s = of.sites[i];
    const site_advice* const a = all.sites.empty() ? nullptr : &all.sites[i];
    if (!has_run(s)) continue;
    row r{.name = names[i], .margin = margin(s).value_or(1), .max = s.max, .uses = s.uses};
    if (s.limit > s.max) r.waste = multiply(s.limit - s.max, s.held);
    r.warn = r.margin < narrow_margin || s.overflows != 0 || (a != nullptr && is_urgent(a->what));
    const bool no_quantiles = s.histogram.empty();
    r.cells = {std::to_string(s.uses),
               std::to_string(s.live),
               no_quantiles ? "-" : size(quantile(s, 0.5)),
               no_quantiles ? "-" : size(quantile(s, 0.99)),
               size(s.max),
               size(s.limit),
               percent_of(r.margin, s.limit),
               remark(s, a)};
    rows.push_back(std::move(r));
  }
  return rows;
}

/// "6.0 (<= 8.0)": the deepest nonzero byte, and the deepest that may have been used.
std::string interval(const live_stack& s, bool exact) {
  if (!s.scanned) return s.depth == 0 ? "?" : ">= " + size_number(s.depth, exact);
  const std::string least = size_number(s.depth, exact);
  if (s.depth_at_most <= s.depth) return least;
  return fmt::format("{} (<= {})", least, size_number(s.depth_at_most, exact));
}

std::string state_of(const live_stack& s) {
  if (s.crashed) return "crashed";
  if (s.coro == 0 && s.state == bast::watch::coro_state::free) return "in use";
  return s.parked ? "parked" : std::string(name_of(s.state));
}

std::vector<row> stack_rows(const snapshot& of, const report_options& options) {
  const std::vector<std::string> names = short_site_names(of.sites);
  std::vector<row> rows;
  for (const live_stack& s : of.stacks) {
    const std::uint64_t limit = s.top > s.low ? s.top - s.low : 0;
    row r{.name = s.name.empty() ? fmt::format("{:#x}", s.top) : clean_text(s.name),
          .margin = s.scanned ? margin_of(s.depth, limit) : 1,
          .max = s.depth,
          .uses = 1};
    r.waste = limit > s.depth ? limit - s.depth : 0;
    r.warn = s.crashed || (s.scanned && r.margin < narrow_margin);
    r.cells = {s.site < names.size() ? names[s.site] : "?",
               state_of(s),
               interval(s, options.exact_bytes),
               size_number(s.resident, options.exact_bytes),
               size_number(limit, options.exact_bytes),
               s.scanned ? percent_of(r.margin, limit) : "?"};
    rows.push_back(std::move(r));
  }
  return rows;
}

/// "server.cpp:20 #3", "server.cpp:20 (4 gone)"
std::string pool_name(const pool& p) {
  const std::string file = p.where.empty() ? "(unnamed)" : file_name(p.where);
  if (p.gone == 0) return fmt::format("{} #{}", file, p.id);
  if (p.gone == 1) return fmt::format("{} (gone)", file);
  return fmt::format("{} ({} gone)", file, count_text(p.gone));
}

std::string pool_verdict_text(const pool_advice& a) {
  if (a.what == verdict::keep) return "keep";
  if (a.what == verdict::overflowed) return "overflowed";
  return size_text(a.limit);
}

/// The deepest use of a pool's stacks. A recording of an earlier version has only the depths of its
/// sites, over all of their pools: then this is an upper bound.
struct pool_depth {
  std::uint64_t most = 0;  // bytes
  bool exact = true;
  bool known = true;
};

pool_depth depth_of(const pool& p, const std::vector<site>& sites) {
  if (p.max != 0) return {.most = p.max};
  pool_depth depth{.known = p.gone == 0};
  for (const site& s : sites) {
    if (!std::ranges::binary_search(s.pools, p.id)) continue;
    depth.known = true;
    depth.most = std::max(depth.most, s.max);
    depth.exact = depth.exact && s.pools.size() == 1;
  }
  if (depth.most == 0) depth.exact = true;
  return depth;
}

std::vector<row> pool_rows(const snapshot& of, const advice& all, const report_options& options) {
  const auto size = [&](std::uint64_t bytes) { return size_number(bytes, options.exact_bytes); };
  std::unordered_map<std::size_t, const pool_advice*> advised;
  for (const pool_advice& a : all.pools) {
    for (const std::size_t each : a.pools) advised[each] = &a;
  }
  std::vector<row> rows;
  for (std::size_t i = 0; i < of.pools.size(); ++i) {
    const pool& p = of.pools[i];
    const pool_depth deepest = depth_of(p, of.sites);
    row r{.name = pool_name(p),
          .margin = margin_of(deepest.most, p.limit),
          .max = deepest.most,
          .uses = p.stacks};
    if (p.limit > deepest.most && deepest.known)
      r.waste = multiply(p.limit - deepest.most, p.stacks);
    r.warn = p.measured && deepest.exact && r.margin < narrow_margin;
    std::string advice_text = "not measured";
    if (p.measured) {
      const auto found = advised.find(i);
      advice_text.clear();
      if (found != advised.end() && found->second->what != verdict::unused) {
        advice_text = pool_verdict_text(*found->second);
        r.warn = r.warn || is_urgent(found->second->what);
      }
    }
    r.cells = {std::to_string(p.stacks),
               std::to_string(p.live),
               size(p.resident),
               deepest.known ? (deepest.exact ? "" : "<= ") + size(deepest.most) : "?",
               size(p.limit),
               p.measured && deepest.known
                   ? (deepest.exact ? "" : ">= ") + percent_of(r.margin, p.limit)
                   : "?",
               advice_text};
    rows.push_back(std::move(r));
  }
  return rows;
}

}  // namespace

table rows_of(const snapshot& of, const advice& all, const report_options& options,
              std::size_t most, std::size_t& hidden) {
  using enum table::align;
  const std::string unit = options.exact_bytes ? " (in bytes)" : " (in KiB)";
  std::vector<row> rows;
  std::vector<table::column> columns;
  switch (options.by) {
    case report_rows::sites:
      rows = site_rows(of, all, options);
      columns = {{"site" + unit, left, true},
                 {"uses"},
                 {"live"},
                 {"p50"},
                 {"p99"},
                 {"max"},
                 {"size"},
                 {"margin"},
                 {"recommend", left}};
      break;
    case report_rows::stacks:
      rows = stack_rows(of, options);
      columns = {{"stack" + unit, left, true},
                 {"site", left},
                 {"state", left},
                 {"depth"},
                 {"resident"},
                 {"size"},
                 {"margin"}};
      break;
    case report_rows::pools:
      rows = pool_rows(of, all, options);
      columns = {{"pool" + unit, left, true},
                 {"stacks"},
                 {"live"},
                 {"resident"},
                 {"max"},
                 {"size"},
                 {"margin"},
                 {"recommend", left}};
      break;
  }
  sort(rows, options.sort);
  hidden = rows.size() > most ? rows.size() - most : 0;
  rows.resize(rows.size() - hidden);
  table result(std::move(columns));
  for (row& r : rows) {
    std::vector<std::string> cells = {std::move(r.name)};
    std::ranges::move(r.cells, std::back_inserter(cells));
    result.add(std::move(cells), r.warn ? "!!" : "");
  }
  return result;
}

}  // namespace bast_stacks::internal
