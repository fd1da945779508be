// SPDX-License-Identifier: Apache-2.0
#include "draw/top_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "draw/top_details.hpp"
#include "draw/top_table.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/columns.hpp"
#include "show/names.hpp"
#include "show/report.hpp"

namespace bast_stacks::draw {

namespace {

constexpr std::size_t head_lines = 4;  // title, status, an empty line, the column heads
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
  return fmt::format("{}: {}, {}", title_of(of), counted(of.sites.size(), "site"),
                     counted(live, "live stack"));
}

std::vector<screen_line> table_screen(const snapshot& of, top_state& state, screen_size size) {
  const std::vector<std::size_t> order = sorted_sites(of, state.order);
  const std::size_t selected = selected_row(of, order, state);
  const std::size_t rows = table_rows(size);
  if (selected < state.first_row) state.first_row = selected;
  if (rows != 0 && selected >= state.first_row + rows) state.first_row = selected - rows + 1;
  state.first_row = std::min(state.first_row, order.size() > rows ? order.size() - rows : 0);

  std::vector<screen_line> lines;
  lines.push_back({{top_title(of), text_style::strong}});
  lines.push_back({{state.status, state.alarm ? text_style::alarm : text_style::soft}});
  lines.emplace_back();
  const site_table_view view{.order = order,
                             .first = state.first_row,
                             .rows = rows,
                             .selected = selected,
                             .columns = size.columns};
  for (screen_line& each : site_table(of, view, state.recommend)) lines.push_back(std::move(each));
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

/// Makes exactly `rows` lines, each cut to the width.
void fit(std::vector<screen_line>& lines, const top_state& state, screen_size size) {
  lines.resize(size.rows);
  for (screen_line& line : lines) {
    std::size_t left = size.columns;
    for (styled_text& each : line) {
      if (state.ascii) each.text = ascii_only(each.text);
      each.text = cut_end(each.text, left, ellipsis);
      // Otherwise the ellipsis of a cut would not be ASCII.
      if (state.ascii) each.text = ascii_only(each.text);
      left -= std::min(left, columns_of(each.text));
    }
  }
}

}  // namespace

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
      const std::vector<screen_line> all =
          site_details(of, i, size.columns, state.ascii, state.recommend);
      const std::size_t rows = detail_rows(size);
      state.first_line = std::min(state.first_line, all.size() > rows ? all.size() - rows : 0);
      lines.push_back({{site_name(of.sites[i]), text_style::strong}});
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
    // The end is known only when the details are drawn.
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
