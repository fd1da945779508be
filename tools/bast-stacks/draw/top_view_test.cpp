// SPDX-License-Identifier: Apache-2.0
#include "draw/top_view.hpp"

#include <gtest/gtest.h>

#include "draw/testing/pictures.hpp"
#include "draw/testing/sample.hpp"
#include "draw/top_details.hpp"
#include "show/columns.hpp"

namespace {

using namespace bast_stacks;
using namespace bast_stacks::draw;
using sample::keep;

std::string text_of(const screen_line& line) {
  std::string text;
  for (const styled_text& each : line) text += each.text;
  return text;
}

std::string text_of(const std::vector<screen_line>& lines) {
  std::string text;
  for (const screen_line& each : lines) text += text_of(each) + '\n';
  return text;
}

/// The first word of each row of the table.
std::vector<std::string> rows_of(const snapshot& of, top_state state,
                                 screen_size size = {120, 24}) {
  std::vector<std::string> rows;
  const std::vector<screen_line> lines = top_screen(of, state, size);
  for (std::size_t i = 4; i + 1 < lines.size(); ++i) {
    const std::string text = text_of(lines[i]);
    if (text.size() < 4) break;
    rows.push_back(text.substr(3, text.find(' ', 3) - 3));
  }
  return rows;
}

std::string selected_of(const std::vector<screen_line>& lines) {
  for (const screen_line& line : lines)
    for (const styled_text& each : line)
      if (each.style == text_style::selected)
        return each.text.substr(3, each.text.find(' ', 3) - 3);
  return {};
}

using names = std::vector<std::string>;

TEST(TopView, TheSmallestMarginIsFirst) {
  EXPECT_EQ(rows_of(sample::server(), {}),
            (names{"parse.cpp:40", "layout", "server.cpp:88", "clock.cpp:12"}));
}

TEST(TopView, SortsInTurn) {
  const snapshot server = sample::server();
  const screen_size size{120, 24};
  top_state state;
  std::vector<names> seen;
  for (int i = 0; i < 5; ++i) {
    seen.push_back(rows_of(server, state));
    EXPECT_TRUE(press(state, top_key::sort, server, size));
  }
  EXPECT_EQ(state.order, top_order::margin);
  EXPECT_EQ(seen[1], (names{"parse.cpp:40", "layout", "server.cpp:88", "clock.cpp:12"}));  // max
  EXPECT_EQ(seen[2], (names{"server.cpp:88", "parse.cpp:40", "layout", "clock.cpp:12"}));  // uses
  EXPECT_EQ(seen[3], (names{"server.cpp:88", "parse.cpp:40", "layout", "clock.cpp:12"}));  // live
  EXPECT_EQ(seen[4], (names{"layout", "clock.cpp:12", "parse.cpp:40", "server.cpp:88"}));  // site
}

TEST(TopView, EveryScreenFitsEverySize) {
  for (const snapshot& of : {sample::server(), sample::hostile(), snapshot{}}) {
    for (const top_page page : {top_page::table, top_page::details, top_page::help}) {
      for (std::size_t columns = 1; columns < 160; columns += 3) {
        for (const std::size_t rows : {1U, 2U, 3U, 5U, 6U, 24U, 60U}) {
          top_state state{.page = page, .selected = {}, .status = "every 2 s"};
          const std::vector<screen_line> lines = top_screen(of, state, {columns, rows});
          ASSERT_EQ(lines.size(), rows);
          for (const screen_line& line : lines) ASSERT_LE(columns_of(text_of(line)), columns);
        }
      }
    }
  }
}

TEST(TopView, WhatATargetNamedThingsCannotReachTheTerminal) {
  top_state state;
  for (const top_page page : {top_page::table, top_page::details}) {
    state.page = page;
    for (const char each : text_of(top_screen(sample::hostile(), state, {200, 60})))
      EXPECT_TRUE(static_cast<unsigned char>(each) >= 0x20 || each == '\n');
  }
}

TEST(TopView, TheSelectedSiteStaysSelectedWhenItsRowMoves) {
  snapshot server = sample::server();
  const screen_size size{120, 24};
  top_state state;
  EXPECT_TRUE(press(state, top_key::down, server, size));
  EXPECT_EQ(selected_of(top_screen(server, state, size)), "layout");
  server.sites[3].max = 65000;  // the worst
  EXPECT_EQ(rows_of(server, state)[0], "layout");
  EXPECT_EQ(selected_of(top_screen(server, state, size)), "layout");
  server.sites.pop_back();
  EXPECT_EQ(selected_of(top_screen(server, state, size)), "parse.cpp:40");  // it is gone
}

TEST(TopView, ScrollsToWhatIsSelected) {
  snapshot many;
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    many.sites.push_back(test::make_site("s.cpp", i, {}, 4096));
    test::add_uses(many.sites.back(), {{i * 2, 50}});
  }
  const screen_size size{80, 24};
  top_state state;
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:1000");
  press(state, top_key::up, many, size);
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:1000");
  press(state, top_key::page_down, many, size);
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:981");
  press(state, top_key::end, many, size);
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:1");
  press(state, top_key::down, many, size);
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:1");
  press(state, top_key::page_up, many, size);
  press(state, top_key::up, many, size);
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:21");
  press(state, top_key::home, many, size);
  EXPECT_EQ(selected_of(top_screen(many, state, size)), "s.cpp:1000");
}

TEST(TopView, EnterShowsDetailsAndEscapeLeavesThem) {
  const snapshot server = sample::server();
  const screen_size size{100, 60};
  top_state state;
  EXPECT_TRUE(press(state, top_key::enter, server, size));
  const std::string text = text_of(top_screen(server, state, size));
  keep("top_details.txt", text);
  for (const char* words : {"src/parse.cpp:40", "62,600 bytes (61.1 KiB)", "json::value x37",
                            "p99 21 KiB", "strtod_l_internal", "recommended", "kept for more"})
    EXPECT_NE(text.find(words), std::string::npos) << words;
  EXPECT_TRUE(press(state, top_key::back, server, size));
  EXPECT_EQ(state.page, top_page::table);
}

TEST(TopView, RecommendsAsSurelyAsItIsAskedTo) {
  const snapshot server = sample::server();
  const screen_size size{160, 60};
  top_state state;
  EXPECT_NE(text_of(top_screen(server, state, size)).find("keep: "), std::string::npos);
  state.recommend.quantile = 0.5;
  EXPECT_EQ(text_of(top_screen(server, state, size)).find("keep: "), std::string::npos);
  state.page = top_page::details;
  EXPECT_EQ(text_of(top_screen(server, state, size)).find("keep: "), std::string::npos);
}

TEST(TopView, DetailsScrollToTheirEnd) {
  const snapshot server = sample::server();
  const screen_size size{100, 12};
  top_state state;
  press(state, top_key::enter, server, size);
  press(state, top_key::end, server, size);
  const std::string text = text_of(top_screen(server, state, size));
  EXPECT_NE(text.find("strtod_l_internal"), std::string::npos);
  EXPECT_LT(state.first_line, 100U);
  press(state, top_key::home, server, size);
  EXPECT_EQ(state.first_line, 0U);
}

TEST(TopView, NarrowScreensKeepWhatMattersMost) {
  top_state state;
  keep("top_120.txt", text_of(top_screen(sample::server(), state, {120, 12})));
  keep("top_80.txt", text_of(top_screen(sample::server(), state, {80, 12})));
  const std::string narrow = text_of(top_screen(sample::server(), state, {50, 24}));
  keep("top_50.txt", narrow);
  EXPECT_NE(narrow.find("margin"), std::string::npos);
  EXPECT_NE(narrow.find("4.5 %"), std::string::npos);
  EXPECT_EQ(narrow.find("p50"), std::string::npos);
}

TEST(TopView, NamesWhatShouldBeLookedAt) {
  EXPECT_EQ(warnings_of(sample::accepting()), "");
  EXPECT_EQ(warnings_of(sample::ticking()), "few uses");
  EXPECT_EQ(warnings_of(sample::parsing()), "recursion value x37");
  EXPECT_EQ(warnings_of(site{}), "never used");
  site busy;
  busy.live = 1;
  EXPECT_EQ(warnings_of(busy), "none has ended");
}

TEST(TopView, SaysWhenThereIsNothing) {
  top_state state;
  EXPECT_NE(text_of(top_screen({}, state, {80, 24})).find("no site has used a stack"),
            std::string::npos);
  for (const top_key key : {top_key::up, top_key::end, top_key::enter, top_key::sort})
    EXPECT_TRUE(press(state, key, {}, {80, 24}));
  EXPECT_FALSE(press(state, top_key::quit, {}, {80, 24}));
}

TEST(TopView, HelpNamesTheKeysAndGoesAway) {
  top_state state;
  press(state, top_key::help, sample::server(), {80, 24});
  EXPECT_NE(text_of(top_screen(sample::server(), state, {80, 24})).find("sort by margin"),
            std::string::npos);
  press(state, top_key::help, sample::server(), {80, 24});
  EXPECT_EQ(state.page, top_page::table);
}

TEST(TopView, ATerminalWithoutUnicodeGetsNone) {
  top_state state{.page = top_page::details, .selected = {}, .status = {}, .ascii = true};
  for (const char each : text_of(top_screen(sample::hostile(), state, {40, 60})))
    EXPECT_LT(static_cast<unsigned char>(each), 0x80);
  EXPECT_EQ(ascii_only("a\u2026\u65e5"), "a~?");
}

}  // namespace
