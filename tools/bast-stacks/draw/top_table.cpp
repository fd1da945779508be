// SPDX-License-Identifier: Apache-2.0
#include "draw/top_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/columns.hpp"
#include "show/names.hpp"
#include "show/recommend.hpp"

namespace bast_stacks::draw {

namespace {

std::string kibibytes(std::uint64_t bytes) { return size_number(bytes, false); }

struct column {
  std::string_view name;
  std::size_t width;
  int worth;  // columns of little worth are hidden on narrow screens
  std::string (*value)(const site&);
};

constexpr std::array columns{
    column{"uses", 10, 4, [](const site& of) { return std::to_string(of.uses); }},
    column{"live", 7, 2, [](const site& of) { return std::to_string(of.live); }},
    column{"p50", 8, 1,
           [](const site& of) {
             return sampled(of) == 0 ? std::string("-") : kibibytes(quantile(of, 0.5));
           }},
    column{"p99", 8, 3,
           [](const site& of) {
             return sampled(of) == 0 ? std::string("-") : kibibytes(quantile(of, 0.99));
           }},
    column{"max", 8, 6,
           [](const site& of) { return of.uses == 0 ? std::string("-") : kibibytes(of.max); }},
    column{"size", 8, 5,
           [](const site& of) { return of.limit == 0 ? std::string("-") : kibibytes(of.limit); }},
    column{"margin", 9, 7,
           [](const site& of) {
             const std::optional<double> left = margin(of);
             return left && of.max != 0 ? percent_text(*left) : std::string("-");
           }},
};
constexpr int worth_max = 7;
constexpr std::size_t mark_width = 3;
constexpr std::size_t site_width_min = 18;

constexpr std::size_t verdict_width = 21;  // "keep: 29,956 more runs", nearly
constexpr std::size_t warnings_width_min = 12;
constexpr std::size_t gap = 2;

struct table_layout {
  int worth_least = 1;
  std::size_t site = 0;
  std::size_t verdict = 0;   // 0: not shown
  std::size_t warnings = 0;  // 0: not shown
};

/// Number columns are dropped first, to keep the site readable and the warnings visible. Extra
/// width goes to the site, the recommendation and the warnings, in this order.
table_layout lay_out_table(std::size_t width, std::size_t longest_name) {
  table_layout layout;
  constexpr std::size_t least = mark_width + site_width_min + gap + warnings_width_min;
  std::size_t numbers = 0;
  for (; layout.worth_least <= worth_max; ++layout.worth_least) {
    numbers = 0;
    for (const column& each : columns)
      if (each.worth >= layout.worth_least) numbers += each.width;
    if (numbers + least <= width) break;
  }
  if (layout.worth_least > worth_max) numbers = 0;
  std::size_t left = width > numbers + mark_width ? width - numbers - mark_width : 0;
  const std::size_t for_warnings =
      left >= site_width_min + gap + warnings_width_min ? gap + warnings_width_min : 0;
  layout.site = std::min(left - for_warnings, std::max(longest_name, site_width_min));
  left -= layout.site;
  if (left >= for_warnings + gap + verdict_width) {
    layout.verdict = verdict_width;
    left -= gap + verdict_width;
  }
  layout.warnings = left > gap ? left - gap : 0;
  return layout;
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t used = columns_of(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

constexpr std::string_view site_head = "site (sizes in KiB)";

screen_line table_head(const table_layout& layout) {
  std::string text = "   " + padded(cut_end(site_head, layout.site, ellipsis), layout.site);
  for (const column& each : columns)
    if (each.worth >= layout.worth_least) text += fmt::format("{:>{}}", each.name, each.width);
  if (layout.verdict != 0) text += "  " + padded("recommended", layout.verdict);
  if (layout.warnings != 0) text += "  " + cut_end("warnings", layout.warnings, ellipsis);
  return {{std::move(text), text_style::head}};
}

screen_line table_row(const site& of, const std::string& name, const std::string& verdict,
                      const table_layout& layout, bool selected, std::size_t width) {
  const bool tight = margin(of).value_or(1) < narrow_margin;
  std::string text = tight ? "!! " : "   ";
  text += padded(cut_start(name, layout.site, ellipsis), layout.site);
  for (const column& each : columns)
    if (each.worth >= layout.worth_least) text += fmt::format("{:>{}}", each.value(of), each.width);
  if (layout.verdict != 0)
    text += "  " + padded(cut_end(verdict, layout.verdict, ellipsis), layout.verdict);
  if (layout.warnings != 0) text += "  " + cut_end(warnings_of(of), layout.warnings, ellipsis);
  if (selected) return {{padded(std::move(text), width), text_style::selected}};
  return {{std::move(text), tight ? text_style::alarm : text_style::plain}};
}

}  // namespace

std::vector<screen_line> site_table(const snapshot& of, const site_table_view& view,
                                    const recommend_options& options) {
  const std::vector<std::string> names = short_site_names(of.sites);
  std::size_t longest = columns_of(site_head);
  for (const std::string& each : names) longest = std::max(longest, columns_of(each));
  const table_layout layout = lay_out_table(view.columns, longest);
  const advice all = recommend(of, options);
  std::vector<screen_line> lines{table_head(layout)};
  const std::size_t end = std::min(view.order.size(), view.first + view.rows);
  for (std::size_t row = view.first; row < end; ++row) {
    const std::size_t i = view.order[row];
    const std::string verdict = all.sites.empty() ? std::string() : verdict_text(all.sites[i]);
    lines.push_back(
        table_row(of.sites[i], names[i], verdict, layout, row == view.selected, view.columns));
  }
  return lines;
}

std::vector<std::size_t> sorted_sites(const snapshot& of, top_order order) {
  std::vector<std::size_t> sites(of.sites.size());
  std::iota(sites.begin(), sites.end(), std::size_t{0});
  // Equal ones stay in the order of the snapshot, which is by name.
  const auto rising = [&](auto key) {
    std::ranges::sort(sites, {}, [&](std::size_t i) { return std::pair(key(of.sites[i]), i); });
  };
  const auto falling = [&](auto key) {
    std::ranges::sort(sites, [&](std::size_t a, std::size_t b) {
      return std::pair(key(of.sites[b]), a) < std::pair(key(of.sites[a]), b);
    });
  };
  switch (order) {
    case top_order::margin: rising([](const site& its) { return margin(its).value_or(1); }); break;
    case top_order::max: falling([](const site& its) { return its.max; }); break;
    case top_order::uses: falling([](const site& its) { return its.uses; }); break;
    case top_order::live: falling([](const site& its) { return its.live; }); break;
    case top_order::site:
      rising([](const site& its) { return std::pair(site_name(its), its.column); });
      break;
  }
  return sites;
}

std::string warnings_of(const site& of) {
  std::string text;
  const auto say = [&](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (const std::string words = recursion_text(of.deepest); !words.empty()) say(words);
  if (of.uses != 0 && of.uses < few_uses) say("few uses");
  if (of.uses == 0)
    say(of.pending != 0 ? "not measured yet" : of.live != 0 ? "none has ended" : "never used");
  return text;
}

}  // namespace bast_stacks::draw
