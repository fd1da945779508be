// SPDX-License-Identifier: Apache-2.0
#include "draw/html.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "draw/testing/markup_check.hpp"
#include "draw/testing/pictures.hpp"
#include "draw/testing/sample.hpp"

namespace {

using namespace bast_stacks;
using sample::count;
using sample::keep;

/// The sites of the table, from the top.
std::vector<std::string> rows_of(std::string_view page) {
  std::vector<std::string> rows;
  const std::string_view body = page.substr(std::min(page.find("<tbody>"), page.size()));
  const std::string_view table = body.substr(0, body.find("</tbody>"));
  for (std::size_t at = 0; (at = table.find("<a href=\"#site-", at)) != std::string_view::npos;) {
    at = table.find('>', at) + 1;
    rows.emplace_back(table.substr(at, table.find('<', at) - at));
  }
  return rows;
}

using names = std::vector<std::string>;

TEST(Html, IsWellFormedWhateverThingsAreCalled) {
  keep("server.html",
       html_page(sample::server(),
                 {.recommendation = "bast::stack_options{.limit = 72_KiB, .window = 24_KiB}\n"}));
  EXPECT_EQ(sample::malformed(html_page(sample::server())), "");
  const std::string page =
      html_page(sample::hostile(), {.recommendation = "</pre><script>alert(8)</script>\n\x1b[1m"});
  keep("hostile.html", page);
  EXPECT_EQ(sample::malformed(page), "");
  EXPECT_EQ(count(page, "<script"), 1U);  // ours
  EXPECT_EQ(count(page, "<img"), 0U);
  EXPECT_EQ(count(page, "href=\""), count(page, "href=\"#site-"));
}

TEST(Html, NeedsNothingFromElsewhere) {
  const std::string page = html_page(sample::server());
  EXPECT_EQ(count(page, "://"), count(page, "xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_EQ(count(page, "src="), 0U);
  EXPECT_EQ(count(page, "@import"), 0U);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(Html, TheSmallestMarginIsFirst) {
  EXPECT_EQ(rows_of(html_page(sample::server())),
            (names{"parse.cpp:40", "layout", "server.cpp:88", "clock.cpp:12"}));
}

TEST(Html, EverySiteOfTheTableHasDetails) {
  const std::string page = html_page(sample::server());
  for (int i = 0; i < 4; ++i) {
    const std::string name = "site-" + std::to_string(i);
    EXPECT_EQ(count(page, "href=\"#" + name + "\""), 1U);
    EXPECT_EQ(count(page, "id=\"" + name + "\""), 1U);
  }
  EXPECT_EQ(count(page, "class=\"bast-histogram\""), 4U);
  EXPECT_EQ(count(page, "aria-label=\"Deepest stack of"), 3U);
  EXPECT_NE(page.find("recursion value x37"), std::string::npos);
}

TEST(Html, EndsWithWhatWasNotSeen) {
  const std::string page = html_page(sample::server());
  EXPECT_GT(page.find("1 site was used fewer than 30 times"), page.find("What was not seen"));
  EXPECT_GT(page.find("What was not seen"), page.rfind("</details>"));
}

TEST(Html, OfNothingSaysSo) {
  const std::string page = html_page({});
  EXPECT_EQ(sample::malformed(page), "");
  EXPECT_NE(page.find("No site has used a stack."), std::string::npos);
}

TEST(Html, OfAThousandSitesDrawsTheWorst) {
  snapshot many;
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    many.sites.push_back(
        test::with_calls(test::make_site("s.cpp", i, {}, 4096), {test::make_frame("f", i)}));
    test::add_uses(many.sites.back(), {{i, 5}});
  }
  const std::string page = html_page(many);
  EXPECT_EQ(count(page, "<details"), 100U);
  EXPECT_EQ(rows_of(page).size(), 100U);  // with a link
  EXPECT_EQ(rows_of(page).front(), "s.cpp:1000");
  EXPECT_EQ(count(page, "<tr"), 1U + 1000U + 100U * 2);
  EXPECT_NE(page.find("Of the 1,000 sites, details are shown for the 100"), std::string::npos);
}

TEST(Html, SurvivesNumbersThatAreLies) {
  snapshot lies = sample::server();
  for (site& each : lies.sites) {
    each.max = each.uses = each.held = each.deepest.depth = ~std::uint64_t{0};
    each.histogram.push_back({511, ~std::uint64_t{0}});
    each.histogram.push_back({7'000'000, 1});
  }
  lies.sites[0].limit = 0;
  lies.sites[1].limit = ~std::uint64_t{0};
  const std::string page = html_page(lies);
  EXPECT_EQ(sample::malformed(page), "");
  EXPECT_EQ(count(page, "nan"), 0U);
  EXPECT_EQ(count(page, "\"inf\""), 0U);
}

// ---- In a browser -------------------------------------------------------------------------------

bool has_browser() { return ::access("/usr/bin/chromium", X_OK) == 0; }

/// The document after its scripts have run; empty if the browser fails.
std::string in_browser(const std::string& page) {
  std::string directory = std::filesystem::temp_directory_path() / "bast-html-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return {};
  std::ofstream(directory + "/page.html") << page;
  const std::string command =
      "timeout 90 /usr/bin/chromium --headless --no-sandbox --disable-gpu "
      "--user-data-dir=" +
      directory + "/profile --dump-dom file://" + directory + "/page.html 2>/dev/null";
  std::string dom;
  if (std::FILE* pipe = ::popen(command.c_str(), "r")) {
    std::array<char, 4096> part{};
    for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), pipe)) != 0;)
      dom.append(part.data(), got);
    ::pclose(pipe);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return dom;
}

/// `page` with a click on the head of the n-th column, from 1.
std::string clicked(std::string page, int column, int times) {
  page += "<script>for (let i = 0; i < " + std::to_string(times) +
          "; ++i) document.querySelector('#sites th:nth-child(" + std::to_string(column) +
          ") button').click()</script>";
  return page;
}

constexpr const char* no_browser = "there is no /usr/bin/chromium to look at the page with";

TEST(HtmlInBrowser, AClickOnAHeadSorts) {
  const std::string page = html_page(sample::server());
  if (!has_browser()) GTEST_SKIP() << no_browser;
  const std::string by_uses = in_browser(clicked(page, 2, 1));
  EXPECT_EQ(rows_of(by_uses), (names{"server.cpp:88", "parse.cpp:40", "layout", "clock.cpp:12"}));
  EXPECT_NE(by_uses.find("aria-sort=\"descending\""), std::string::npos);
  EXPECT_EQ(rows_of(in_browser(clicked(page, 1, 1))),
            (names{"clock.cpp:12", "layout", "parse.cpp:40", "server.cpp:88"}));
  EXPECT_EQ(rows_of(in_browser(clicked(page, 6, 2))),
            (names{"clock.cpp:12", "server.cpp:88", "layout", "parse.cpp:40"}));
}

/// Runs these lines after the scripts of `page`, and returns what the last of them assigns to
/// `said`.
std::string said_by(std::string page, const std::string& lines) {
  page += "<script>let said = '';\n" + lines +
          "\ndocument.body.append('[said ' + said + ' said]');</script>";
  const std::string dom = in_browser(page);
  const std::size_t begin = dom.rfind("[said ");
  const std::size_t end = dom.rfind(" said]");
  return end == dom.npos ? "nothing" : dom.substr(begin + 6, end - begin - 6);
}

TEST(HtmlInBrowser, ACallCanBeDrawnAsWideAsThePicture) {
  const std::string page = html_page(sample::server());
  if (!has_browser()) GTEST_SKIP() << no_browser;
  constexpr const char* lines = R"js(
const panel = [...document.querySelectorAll(".bast-flame .panel")]
  .find(each => each.querySelectorAll("g.call").length > 2);
const bars = [...panel.querySelectorAll(":scope > g")];
const edges = bar => {
  const all = [...bar.querySelectorAll("rect")];
  const right = r => Number(r.getAttribute("x")) + Number(r.getAttribute("width"));
  return Math.round(Math.min(...all.map(r => Number(r.getAttribute("x"))))) + "-" +
    Math.round(Math.max(...all.map(right)));
};
const before = panel.innerHTML;
const call = bars.filter(bar => bar.classList.contains("call")).at(-1);
const tell = words => { said += words + edges(call) + " " + panel.classList.contains("zoomed") + "; "; };
const key = name => call.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
call.dispatchEvent(new Event("click"));
tell("click ");
key("Escape");
tell("escape ");
key("Enter");
tell("enter ");
bars[0].dispatchEvent(new Event("click"));
tell("site ");
said += [...panel.querySelectorAll("text")].every(text => !text.textContent.includes("goes back"));
)js";
  const std::string said = said_by(page, lines);
  const std::size_t first = said.find("escape ");
  const std::string whole = said.substr(first + 7, said.find(' ', first + 7) - first - 7);
  EXPECT_NE(whole, "16-1184");
  EXPECT_EQ(said, "click 16-1184 true; escape " + whole + " false; enter 16-1184 true; site " +
                      whole + " false; true");
}

TEST(HtmlInBrowser, CallsAreFoundByWords) {
  const std::string page = html_page(sample::server());
  if (!has_browser()) GTEST_SKIP() << no_browser;
  constexpr const char* lines = R"js(
const input = document.querySelector(".find input"), output = document.querySelector("output");
const found = () => document.querySelectorAll("g.call.found").length;
let bytes = 0, calls = 0;
for (const call of document.querySelectorAll("g.call")) {
  if (!call.querySelector("title").textContent.toLowerCase().includes("libc")) continue;
  bytes += Number(call.dataset.b);
  ++calls;
}
for (const words of ["LIBC", "no such words", ""]) {
  input.value = words;
  input.dispatchEvent(new Event("input"));
  said += output.textContent + " " + found() + " " +
    document.querySelectorAll("svg.finds").length + "; ";
}
said = said.replace(calls + " call", "N call").replace(bytes + " B", "all B")
  .replace((bytes / 1024).toFixed(1) + " KiB", "all KiB") + (calls > 0);
)js";
  const std::string said = said_by(page, lines);
  EXPECT_TRUE(said.starts_with("N call")) << said;
  EXPECT_NE(said.find(", all "), said.npos) << said;
  EXPECT_NE(said.find("; 0 calls, 0 B 0 "), said.npos) << said;
  EXPECT_TRUE(said.ends_with(";  0 0; true")) << said;
}

TEST(HtmlInBrowser, NothingThatTheTargetNamedRuns) {
  // An alert leaves no element; injected markup would.
  if (!has_browser()) GTEST_SKIP() << no_browser;
  const std::string dom = in_browser(html_page(sample::hostile()));
  EXPECT_EQ(count(dom, "<script"), 1U);
  EXPECT_EQ(count(dom, "<img"), 0U);
  EXPECT_EQ(count(dom, "onerror="), count(dom, "src=x onerror="));  // as text
}

}  // namespace
