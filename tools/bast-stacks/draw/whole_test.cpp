// SPDX-License-Identifier: Apache-2.0
//
// Pages, pictures and screens compared with files.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "draw/flame.hpp"
#include "draw/histogram.hpp"
#include "draw/html.hpp"
#include "draw/html_assets.hpp"
#include "draw/testing/sample.hpp"
#include "draw/top_view.hpp"
#include "model/test_whole.hpp"
#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using test::expect_whole;
using testing::advised;

/// A page without the parts that all pages share; requires each of them once.
std::string without_assets(std::string page) {
  const std::pair<const char*, std::string> assets[] = {
      {"(style)", std::string(draw::page_style) + draw::histogram_style() + flame_style()},
      {"(definitions)", flame_definitions()},
      {"(script)", std::string(draw::page_script)},
      {"(flame script)", std::string(flame_script())}};
  for (const auto& [name, text] : assets) {
    const std::size_t at = page.find(text);
    EXPECT_NE(at, std::string::npos) << name;
    if (at == std::string::npos) continue;
    page.replace(at, text.size(), name);
    EXPECT_EQ(page.find(text), std::string::npos) << name << " is there twice";
  }
  return page;
}

/// A picture without its script, which all pictures share.
std::string without_script(std::string svg) {
  const std::size_t at = svg.find(flame_script());
  EXPECT_NE(at, std::string::npos);
  return at == std::string::npos ? svg : svg.replace(at, flame_script().size(), "(script)");
}

void expect_page(const std::string& name, const snapshot& of, const html_options& options) {
  expect_whole("draw/whole/" + name, without_assets(html_page(of, options)));
}

TEST(WholeDrawing, Pages) {
  expect_page("server.html", sample::server(), {.recommend = advised});
  expect_page("hostile.html", sample::hostile(), {.recommend = advised});
  expect_page("nothing.html", snapshot{}, {.recommend = advised});
  expect_page("one_detail.html", test::sample_server(),
              {.recommend = advised, .recommendation = "As <told>.", .details_max = 1});
}

TEST(WholeDrawing, Flames) {
  const snapshot server = sample::server();
  expect_whole("draw/whole/server.svg", without_script(flame_svg(server)));
  expect_whole(
      "draw/whole/unfolded.svg",
      without_script(flame_svg(server, {.title = "A & B", .sites = {2, 0}, .fold_beyond = 0})));
  expect_whole("draw/whole/two_of_them.svg",
               without_script(flame_svg(server, {.sites_max = 2, .fold_beyond = 3})));
  expect_whole(
      "draw/whole/embedded.svg",
      flame_style() + flame_definitions() +
          flame_svg(server, {.sites = {1}, .modules = {"libc.so.6", "server"}, .embedded = true}));
  expect_whole("draw/whole/hostile.svg", without_script(flame_svg(sample::hostile())));
  expect_whole("draw/whole/nothing.svg", without_script(flame_svg(snapshot{})));
  expect_whole("draw/whole/server.folded", folded(test::sample_server()));
  expect_whole("draw/whole/server.speedscope.json", speedscope(test::sample_server()));
}

TEST(WholeDrawing, Histograms) {
  std::string all = draw::histogram_style() + "\n";
  for (const site& each : sample::server().sites) all += draw::histogram_svg(each) + "\n";
  for (const site& each : test::sample_server().sites) all += draw::histogram_svg(each) + "\n";
  // Depths of one size, of no size, and of all.
  all += draw::histogram_svg(test::make_site("one.cpp", 1, {{4096, 1}})) + "\n";
  all += draw::histogram_svg(test::make_site("none.cpp", 1, {})) + "\n";
  test::depths doubling;
  for (std::uint64_t depth = 1; depth < std::uint64_t{1} << 40; depth *= 2) {
    doubling.emplace_back(depth, depth % 7 + 1);
  }
  all += draw::histogram_svg(test::make_site("all.cpp", 1, doubling)) + "\n";
  expect_whole("draw/whole/histograms.svg", all);
}

/// A screen with its styles: each piece of a line after the first letter of its style's name.
std::string screen_of(const snapshot& of, draw::top_state& state, draw::screen_size size) {
  std::string text;
  for (const draw::screen_line& line : draw::top_screen(of, state, size)) {
    for (const draw::styled_text& each : line) {
      text += "[";
      text += "-+.#!>"[static_cast<std::size_t>(each.style)];
      text += each.text + "]";
    }
    text += "\n";
  }
  return text + "\n";
}

TEST(WholeDrawing, Screens) {
  using namespace draw;
  const snapshot of = sample::server();
  std::string all;
  for (const screen_size size : {screen_size{100, 14}, {60, 9}}) {
    top_state state{.selected = {}, .status = "every 2 s", .recommend = advised};
    all += screen_of(of, state, size);
    // Every key and its screen; the selection moves past both ends.
    for (const top_key key :
         {top_key::down,      top_key::down,      top_key::enter, top_key::down,
          top_key::page_down, top_key::page_down, top_key::end,   top_key::up,
          top_key::page_up,   top_key::home,      top_key::up,    top_key::back,
          top_key::up,        top_key::up,        top_key::up,    top_key::page_down,
          top_key::page_up,   top_key::end,       top_key::home,  top_key::sort,
          top_key::sort,      top_key::sort,      top_key::sort,  top_key::sort,
          top_key::help,      top_key::down,      top_key::back,  top_key::help,
          top_key::help,      top_key::look,      top_key::none}) {
      all += press(state, key, of, size) ? "goes on\n" : "ends\n";
      all += screen_of(of, state, size);
    }
    all += press(state, top_key::quit, of, size) ? "goes on\n" : "ends\n";
  }
  for (const bool ascii : {false, true}) {
    top_state details{.page = top_page::details,
                      .selected = {},
                      .status = "process ended",
                      .alarm = true,
                      .ascii = ascii,
                      .recommend = advised};
    all += screen_of(sample::hostile(), details, {100, 60});
    all += screen_of(snapshot{}, details, {100, 10});
  }
  expect_whole("draw/whole/screens.txt", all);
}

}  // namespace
}  // namespace bast_stacks
