// SPDX-License-Identifier: Apache-2.0
//
// The screens of `top` at every width and height, and of sites of every kind, compared whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "draw/testing/sample.hpp"
#include "draw/top_details.hpp"
#include "draw/top_table.hpp"
#include "draw/top_view.hpp"
#include "model/test_whole.hpp"
#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using namespace draw;
using test::expect_whole;
using testing::advised;

std::string plain_text(const screen_line& line) {
  std::string text;
  for (const styled_text& each : line) text += each.text;
  return text;
}

/// Sites of which one thing or another is not known, or just enough.
snapshot mixed_sites() {
  snapshot made = sample::server();
  const auto add = [&](const char* where, const test::depths& depths,
                       std::uint64_t limit) -> site& {
    made.sites.push_back(test::make_site(where, 7, depths, limit));
    return made.sites.back();
  };
  add("unused.cpp", {}, 64 << 10);
  add("live.cpp", {}, 64 << 10).live = 3;
  add("pending.cpp", {}, 64 << 10).pending = 4;
  add("no_limit.cpp", {{5000, 40}}, 0);
  add("few.cpp", {{5000, 29}}, 64 << 10);
  add("enough.cpp", {{5000, 30}}, 64 << 10);
  // Margins of a tenth, and of a little less.
  add("tenth.cpp", {{9000, 40}}, 10'000);
  add("tight.cpp", {{9001, 40}}, 10'000);
  add("over.cpp", {{12'000, 40}}, 10'000);
  site& recursive = add("recursive.cpp", {{62'600, 3}}, 64 << 10);
  recursive.deepest = sample::parsing().deepest;
  // Equal in everything but the name.
  add("same_a.cpp", {{5000, 40}}, 64 << 10);
  add("same_b.cpp", {{5000, 40}}, 64 << 10);
  add("depths.cpp", {{1, 1}, {63, 2}, {64, 3}, {127, 4}, {128, 5}, {5000, 600}, {40'000, 70'000}},
      64 << 10);
  return made;
}

TEST(TopWhole, EveryWidthOfTheTable) {
  const snapshot of = mixed_sites();
  std::string all;
  for (std::size_t columns = 1; columns <= 130; ++columns) {
    top_state state{.selected = {}, .status = "every 2 s", .recommend = advised};
    const auto lines = top_screen(of, state, {columns, 9});
    all += fmt::format("{}\n{}|\n{}|\n", columns, plain_text(lines[3]), plain_text(lines[4]));
  }
  expect_whole("draw/whole/widths.txt", all);
}

TEST(TopWhole, EveryHeight) {
  const snapshot of = mixed_sites();
  std::string all;
  for (const top_page page : {top_page::table, top_page::details, top_page::help}) {
    for (std::size_t rows = 1; rows <= 16; ++rows) {
      top_state state{.page = page, .selected = {}, .status = "every 2 s", .recommend = advised};
      all += fmt::format("== {} rows\n", rows);
      for (const top_key key : {top_key::none, top_key::page_down, top_key::down, top_key::page_up,
                                top_key::page_down, top_key::end, top_key::up}) {
        press(state, key, of, {60, rows});
        const auto lines = top_screen(of, state, {60, rows});
        all += fmt::format("{} {} {} lines {}: {} | {}\n", state.first_row, state.first_line,
                           lines.size(), state.selected,
                           lines.size() > 4 ? plain_text(lines[4]).substr(0, 30) : "",
                           plain_text(lines.back()));
      }
    }
  }
  expect_whole("draw/whole/heights.txt", all);
}

TEST(TopWhole, SitesOfEveryKindInEveryOrder) {
  const snapshot of = mixed_sites();
  std::string all;
  for (const top_order order :
       {top_order::margin, top_order::max, top_order::uses, top_order::live, top_order::site}) {
    top_state state{.order = order, .selected = {}, .status = {}, .recommend = advised};
    for (const screen_line& line : top_screen(of, state, {100, 24})) {
      for (const styled_text& each : line)
        all += fmt::format("{}{}", static_cast<int>(each.style), each.text);
      all += "\n";
    }
  }
  for (const site& each : of.sites) all += fmt::format("[{}]\n", warnings_of(each));
  expect_whole("draw/whole/kinds.txt", all);
}

TEST(TopWhole, DetailsOfEverySite) {
  const snapshot of = mixed_sites();
  std::string all;
  for (std::size_t i = 0; i < of.sites.size(); ++i) {
    for (const std::size_t columns : {46U, 48U}) {
      all += fmt::format("== {} at {}\n", of.sites[i].where, columns);
      for (const screen_line& line : site_details(of, i, columns, i % 2 == 0, advised)) {
        if (plain_text(line).starts_with("recommended")) continue;  // Others look at verdicts.
        for (const styled_text& each : line)
          all += fmt::format("{}{}", static_cast<int>(each.style), each.text);
        all += "\n";
      }
    }
  }
  expect_whole("draw/whole/details.txt", all);
}

}  // namespace
}  // namespace bast_stacks
