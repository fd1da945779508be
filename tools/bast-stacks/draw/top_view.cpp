// SPDX-License-Identifier: Apache-2.0
#include "draw/top_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "draw/path.hpp"
#include "draw/text.hpp"
#include "draw/top_details.hpp"
#include "model/statistics.hpp"
#include "show/names.hpp"
#include "show/recommend.hpp"
#include "show/report.hpp"
#include "show/text.hpp"

namespace bast_stacks::draw {

namespace {

/// Below this a margin is marked, as on the page.
constexpr double margin_alarm = 0.1;
/// With fewer uses than this even a median says little.
constexpr std::uint64_t uses_few = 30;

constexpr std::size_t head_lines = 4;  // title, status, an empty one, the columns' names
constexpr std::size_t foot_lines = 1;

std::size_t table_rows(screen_size size) {
  return size.rows > head_lines + foot_lines ? size.rows - head_lines - foot_lines : 0;
}
std::size_t detail_rows(screen_size size) { return size.rows > 3 ? size.rows - 3 : 0; }

std::string identity(const site& of) { return fmt::format("{}:{}", site_name(of), of.column); }

std::size_t selected_row(const snapshot& of, const std::vector<std::size_t>& order,
                         const top_state& state) {
  const auto found = std::ranges::find_if(
      order, [&](std::size_t i) { return identity(of.sites[i]) == state.selected; });
  return found == order.end() ? 0 : static_cast<std::size_t>(found - order.begin());
}

// ---- The table ----------------------------------------------------------------------------------

std::string kibibytes(std::uint64_t bytes) { return size_number(bytes, false); }

struct column {
  std::string_view name;
  std::size_t width;
  int worth;  // those of little worth are not shown where the screen is narrow
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
             return left ? percent_text(*left) : std::string("-");
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

/// Numbers give way to a readable site and warnings; what is left beyond those is for the site,
/// the recommendation and the warnings, in this order.
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
  std::string text = "   " + padded(cut_end(site_head, layout.site), layout.site);
  for (const column& each : columns)
    if (each.worth >= layout.worth_least) text += fmt::format("{:>{}}", each.name, each.width);
  if (layout.verdict != 0) text += "  " + padded("recommended", layout.verdict);
  if (layout.warnings != 0) text += "  " + cut_end("warnings", layout.warnings);
  return {{std::move(text), text_style::head}};
}

screen_line table_row(const site& of, const std::string& name, const std::string& verdict,
                      const table_layout& layout, bool selected, std::size_t width) {
  const bool tight = margin(of).value_or(1) < margin_alarm;
  std::string text = tight ? "!! " : "   ";
  text += padded(cut_start(safe_text(name), layout.site), layout.site);
  for (const column& each : columns)
    if (each.worth >= layout.worth_least) text += fmt::format("{:>{}}", each.value(of), each.width);
  if (layout.verdict != 0) text += "  " + padded(cut_end(verdict, layout.verdict), layout.verdict);
  if (layout.warnings != 0) text += "  " + cut_end(warnings_of(of), layout.warnings);
  if (selected) return {{padded(std::move(text), width), text_style::selected}};
  return {{std::move(text), tight ? text_style::alarm : text_style::plain}};
}

std::string_view name_of(top_order order) {
  switch (order) {
    case top_order::margin: return "margin";
    case top_order::max: return "max";
    case top_order::uses: return "uses";
    case top_order::live: return "live";
    case top_order::site: return "site";
  }
  return "?";
}

std::string top_title(const snapshot& of) {
  std::uint64_t live = 0;
  for (const site& each : of.sites) live = add(live, each.live);
  return fmt::format("{}: {}, {}", safe_text(title_of(of)), counted(of.sites.size(), "site"),
                     counted(live, "live stack"));
}

std::vector<screen_line> table_screen(const snapshot& of, top_state& state, screen_size size) {
  std::vector<screen_line> lines;
  lines.push_back({{top_title(of), text_style::strong}});
  lines.push_back({{state.status, state.alarm ? text_style::alarm : text_style::soft}});
  lines.emplace_back();

  const std::vector<std::string> names = short_site_names(of.sites);
  std::size_t longest = columns_of(site_head);
  for (const std::string& each : names) longest = std::max(longest, columns_of(each));
  const table_layout layout = lay_out_table(size.columns, longest);
  lines.push_back(table_head(layout));

  const std::vector<std::size_t> order = sorted_sites(of, state.order);
  const std::size_t selected = selected_row(of, order, state);
  const advice all = recommend(of);
  const std::size_t rows = table_rows(size);
  if (selected < state.first_row) state.first_row = selected;
  if (rows != 0 && selected >= state.first_row + rows) state.first_row = selected - rows + 1;
  state.first_row = std::min(state.first_row, order.size() > rows ? order.size() - rows : 0);
  for (std::size_t row = state.first_row; row < std::min(order.size(), state.first_row + rows);
       ++row) {
    const std::size_t i = order[row];
    const std::string verdict = all.sites.empty() ? std::string() : verdict_text(all.sites[i]);
    lines.push_back(
        table_row(of.sites[i], names[i], verdict, layout, row == selected, size.columns));
  }
  if (order.empty()) lines.push_back({{"   no site has used a stack", text_style::soft}});
  return lines;
}

std::vector<screen_line> help_screen() {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> keys{{
      {"up, down, k, j", "select a site, or scroll its details"},
      {"PgUp, PgDn, Home, End", "the same in larger steps"},
      {"Enter", "details: depths, deepest stack, recommendation"},
      {"Escape", "back"},
      {"s", "sort by margin, max, uses, live or site in turn"},
      {"r", "look at the process now"},
      {"?", "this page"},
      {"q, Ctrl-C", "quit"},
  }};
  std::vector<screen_line> lines{{{"bast-stacks top", text_style::strong}}, {}};
  for (const auto& [key, meaning] : keys)
    lines.push_back({{fmt::format("  {:<23}", key), text_style::strong}, {std::string(meaning)}});
  lines.emplace_back();
  for (const std::string_view each :
       {"  max     the deepest use of a stack that the site started",
        "  p50 p99 half, and 99 of 100, of the sampled uses stayed within this",
        "  size    the limit of the site's pool; margin is the part no use has touched",
        "  !!      less than a tenth of the size is left"})
    lines.push_back({{std::string(each), text_style::soft}});
  return lines;
}

/// Exactly as many lines as there are rows, each as wide as fits.
void fit(std::vector<screen_line>& lines, const top_state& state, screen_size size) {
  lines.resize(size.rows);
  for (screen_line& line : lines) {
    std::size_t left = size.columns;
    for (styled_text& each : line) {
      if (state.ascii) each.text = ascii_only(each.text);
      each.text = cut_end(each.text, left);
      // Without this an ellipsis of the cut would be no ASCII.
      if (state.ascii) each.text = ascii_only(each.text);
      left -= std::min(left, columns_of(each.text));
    }
  }
}

}  // namespace

std::vector<std::size_t> sorted_sites(const snapshot& of, top_order order) {
  std::vector<std::size_t> sites(of.sites.size());
  std::iota(sites.begin(), sites.end(), std::size_t{0});
  const auto by = [&](auto before, auto key) { std::ranges::stable_sort(sites, before, key); };
  // Equal ones stay in the order of the snapshot, which is by name.
  switch (order) {
    case top_order::margin:
      by(std::less{}, [&](std::size_t i) { return margin(of.sites[i]).value_or(1); });
      break;
    case top_order::max: by(std::greater{}, [&](std::size_t i) { return of.sites[i].max; }); break;
    case top_order::uses:
      by(std::greater{}, [&](std::size_t i) { return of.sites[i].uses; });
      break;
    case top_order::live:
      by(std::greater{}, [&](std::size_t i) { return of.sites[i].live; });
      break;
    case top_order::site:
      by(std::less{},
         [&](std::size_t i) { return std::tuple(site_name(of.sites[i]), of.sites[i].column); });
      break;
  }
  return sites;
}

std::string warnings_of(const site& of) {
  std::string text;
  const auto say = [&](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (const recursion found = recursion_of(of.deepest); found.times != 0)
    say(fmt::format("recursion {} x{}", short_function(safe_text(found.function)), found.times));
  if (of.uses != 0 && of.uses < uses_few) say("few uses");
  if (of.uses == 0) say(of.pending == 0 ? "never used" : "not measured yet");
  return text;
}

std::vector<screen_line> top_screen(const snapshot& of, top_state& state, screen_size size) {
  std::vector<screen_line> lines;
  std::string keys;
  const std::vector<std::size_t> order = sorted_sites(of, state.order);
  if (state.page == top_page::details && order.empty()) state.page = top_page::table;
  switch (state.page) {
    case top_page::table:
      lines = table_screen(of, state, size);
      keys = fmt::format("q quit   ? help   Enter details   s sorted by {}", name_of(state.order));
      break;
    case top_page::details: {
      const std::size_t i = order[selected_row(of, order, state)];
      const std::vector<screen_line> all = site_details(of, i, size.columns, state.ascii);
      const std::size_t rows = detail_rows(size);
      state.first_line = std::min(state.first_line, all.size() > rows ? all.size() - rows : 0);
      lines.push_back({{safe_text(site_name(of.sites[i])), text_style::strong}});
      lines.push_back({{state.status, state.alarm ? text_style::alarm : text_style::soft}});
      const std::size_t end = std::min(all.size(), state.first_line + rows);
      for (std::size_t line = state.first_line; line < end; ++line) lines.push_back(all[line]);
      keys = "Esc back   q quit   ? help";
      if (all.size() > rows)
        keys += fmt::format("   lines {} to {} of {}", state.first_line + 1, end, all.size());
      break;
    }
    case top_page::help:
      lines = help_screen();
      keys = "Esc back   q quit";
      break;
  }
  if (size.rows > 1) {
    lines.resize(size.rows - 1);
    lines.push_back({{std::move(keys), text_style::soft}});
  }
  fit(lines, state, size);
  return lines;
}

bool press(top_state& state, top_key key, const snapshot& of, screen_size size) {
  if (key == top_key::quit) return false;
  if (key == top_key::help) {
    state.page = state.page == top_page::help ? top_page::table : top_page::help;
    return true;
  }
  if (key == top_key::back) {
    state.page = top_page::table;
    return true;
  }
  const auto moved = [&](std::size_t from, std::size_t page, std::size_t last) {
    switch (key) {
      case top_key::up: return from == 0 ? from : from - 1;
      case top_key::down: return std::min(from + 1, last);
      case top_key::page_up: return from - std::min(from, page);
      case top_key::page_down: return std::min(from + page, last);
      case top_key::home: return std::size_t{0};
      case top_key::end: return last;
      default: return from;
    }
  };
  if (state.page == top_page::details) {
    // The end is found when the details are drawn.
    state.first_line = moved(state.first_line, detail_rows(size), std::size_t{1} << 20);
    return true;
  }
  if (state.page == top_page::help || of.sites.empty()) return true;
  if (key == top_key::sort) {
    state.order = static_cast<top_order>((static_cast<int>(state.order) + 1) % 5);
    state.selected.clear();
    state.first_row = 0;
    return true;
  }
  const std::vector<std::size_t> order = sorted_sites(of, state.order);
  const std::size_t row = selected_row(of, order, state);
  const std::size_t now = moved(row, std::max<std::size_t>(1, table_rows(size)), order.size() - 1);
  if (now != row || key == top_key::enter) state.selected = identity(of.sites[order[now]]);
  if (key == top_key::enter) {
    state.page = top_page::details;
    state.first_line = 0;
  }
  return true;
}

}  // namespace bast_stacks::draw
