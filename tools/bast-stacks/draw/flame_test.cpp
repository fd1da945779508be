// SPDX-License-Identifier: Apache-2.0
#include "draw/flame.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "draw/flame_layout.hpp"
#include "draw/path.hpp"
#include "draw/testing/markup_check.hpp"
#include "draw/testing/pictures.hpp"
#include "draw/testing/sample.hpp"
#include "draw/testing/speedscope_check.hpp"
#include "show/columns.hpp"

namespace {

using namespace bast_stacks;
using namespace bast_stacks::draw;
using sample::count;
using sample::keep;

TEST(Flame, DrawsEachSiteThatHasADeepestStackTheDeepestFirst) {
  const std::string svg = flame_svg(sample::server());
  keep("server.svg", svg);
  const std::size_t parse = svg.find(">parse.cpp:40<");
  const std::size_t layout = svg.find(">layout<");
  const std::size_t server = svg.find(">server.cpp:88<");
  ASSERT_NE(server, std::string::npos);
  EXPECT_LT(parse, layout);
  EXPECT_LT(layout, server);
  EXPECT_NE(svg.find("Not drawn: 1 site whose"), std::string::npos);
}

TEST(Flame, NeedsNothingFromElsewhere) {
  const std::string svg = flame_svg(sample::server());
  EXPECT_EQ(count(svg, "://"), 1U);  // the namespace of SVG
  EXPECT_EQ(count(svg, "href"), 0U);
  EXPECT_EQ(count(svg, "@import"), 0U);
}

TEST(Flame, IsWellFormedWhateverThingsAreCalled) {
  EXPECT_EQ(sample::malformed(flame_svg(sample::server())), "");
  const std::string svg = flame_svg(sample::hostile());
  keep("hostile.svg", svg);
  EXPECT_EQ(sample::malformed(svg), "");
  EXPECT_EQ(count(svg, "<script"), 1U);  // ours
  EXPECT_EQ(count(svg, "]]>"), 1U);
  for (const char each : svg) EXPECT_TRUE(static_cast<unsigned char>(each) >= 0x20 || each == '\n');
}

TEST(Flame, TheSameSnapshotGivesTheSameBytes) {
  EXPECT_EQ(flame_svg(sample::server()), flame_svg(sample::server()));
}

TEST(Flame, TellsBytesFunctionSourceAndFileOfACall) {
  const std::string svg = flame_svg(sample::server());
  EXPECT_NE(svg.find("<title>json::value(json::reader&amp;, int)\n37 calls, 1,072 bytes each"),
            std::string::npos);
  EXPECT_NE(svg.find("\nown: 39,664 bytes (38.7 KiB)"), std::string::npos);
  EXPECT_NE(svg.find("\nsrc/json.cpp:120\nserver"), std::string::npos);
  EXPECT_NE(svg.find("not confirmed by the unwind tables</title>"), std::string::npos);
}

TEST(Flame, SaysWhenThereIsNothingToDraw) {
  const std::string svg = flame_svg({});
  EXPECT_EQ(sample::malformed(svg), "");
  EXPECT_NE(svg.find("There is no deepest stack to draw."), std::string::npos);
}

TEST(Flame, CountsTheSitesThatAreTooMany) {
  snapshot many;
  for (std::uint32_t i = 1; i <= 1000; ++i)
    many.sites.push_back(
        test::with_calls(test::make_site("s.cpp", i, {}, 4096), {test::make_frame("f", 100 + i)}));
  const flame_layout layout = lay_out(many, {});
  EXPECT_EQ(layout.panels.size(), 12U);
  EXPECT_EQ(layout.panels.front().site, 999U);
  EXPECT_EQ(layout.beyond_max, 988U);
  EXPECT_EQ(layout.beyond_max_bytes, 1088U);
  EXPECT_NE(flame_svg(many).find("Not drawn: 988 more sites, none deeper than 1.1 KiB."),
            std::string::npos);
}

TEST(Flame, DrawsTheSitesThatAreAskedFor) {
  const flame_layout layout = lay_out(sample::server(), {.sites = {2, 77, 1}});
  ASSERT_EQ(layout.panels.size(), 2U);
  EXPECT_EQ(layout.panels[0].site, 2U);
  EXPECT_EQ(layout.panels[1].site, 1U);
}

TEST(Flame, ABarIsWhereItsBytesAre) {
  const flame_layout layout = lay_out(sample::server(), {});
  for (const flame_panel& panel : layout.panels) {
    double end = 0;
    for (const flame_bar& bar : panel.bars) {
      EXPECT_NEAR(bar.left, end, 1e-6);
      EXPECT_LE(bar.own_right, bar.right);
      end = panel.x_of(bar.step.begin + bar.step.bytes);
      EXPECT_NEAR(bar.own_right, std::max(end, bar.left + 1), 1e-6);
    }
    EXPECT_NEAR(end, panel.path_right, 1e-6);
    EXPECT_LE(panel.path_right, panel.deepest_right);
  }
}

TEST(Flame, ShowsALimitThatIsNear) {
  const flame_layout layout = lay_out(sample::server(), {});
  EXPECT_EQ(layout.scale_bytes, 65536U);  // the limit is close to the deepest use
  EXPECT_EQ(layout.panels[0].limit_x, flame_plot_width);
  EXPECT_EQ(layout.panels[2].limit_x, 0);  // 256 KiB
}

TEST(Flame, ASiteThatIsTooSmallToReadIsMagnifiedAndItIsSaid) {
  snapshot made;
  made.sites = {
      test::with_calls(test::make_site("big", 0, {}, 1 << 20), {test::make_frame("f", 100'000)}),
      test::with_calls(test::make_site("half", 0, {}, 1 << 20), {test::make_frame("f", 50'000)}),
      test::with_calls(test::make_site("small", 0, {}, 1 << 20), {test::make_frame("f", 1000)}),
      test::with_calls(test::make_site("tiny", 0, {}, 1 << 20), {test::make_frame("f", 1)})};
  const flame_layout layout = lay_out(made, {});
  ASSERT_EQ(layout.panels.size(), 4U);
  EXPECT_EQ(layout.panels[0].magnified, 1U);
  EXPECT_EQ(layout.panels[1].magnified, 1U);
  EXPECT_EQ(layout.panels[2].magnified, 64U);
  for (const flame_panel& panel : layout.panels) EXPECT_GT(panel.path_right, flame_plot_width / 3);
  const std::string svg = flame_svg(made);
  EXPECT_EQ(count(svg, "times larger"), 2U);
  EXPECT_NE(svg.find("drawn 64 times larger"), std::string::npos);
}

TEST(Flame, LabelsStayWithinThePlotAndAreCutToTheirRoom) {
  const auto width = [](const flame_label& label) {
    return static_cast<double>(columns_of(label.text)) * flame_column_width;
  };
  const std::string text(40, 'x');
  for (double left = 0; left <= 300; left += 7) {
    for (double right = left + 1; right <= 301; right += 11) {
      const flame_label label =
          place_label(text, {.left = left, .right = right, .behind = right, .width = 301});
      const double begin = label.ends_at_x ? label.x - width(label) : label.x;
      EXPECT_GE(begin, 0);
      EXPECT_LE(begin + width(label), 301);
    }
  }
  EXPECT_EQ(place_label("abc", {.left = 200, .right = 210, .behind = 210, .width = 600}).ends_at_x,
            true);
}

TEST(Flame, TicksArePowersOfTwo) {
  EXPECT_EQ(tick_of(1), 8U);
  EXPECT_EQ(tick_of(64), 8U);
  EXPECT_EQ(tick_of(65536), 8192U);
  EXPECT_EQ(tick_of(100000), 16384U);
}

TEST(Flame, SurvivesNumbersThatAreLies) {
  snapshot lies = sample::server();
  for (site& each : lies.sites) {
    each.max = each.limit = each.uses = each.deepest.depth = ~std::uint64_t{0};
    for (frame& call : each.deepest.frames) call.stack_bytes = ~std::uint64_t{0} / 3;
  }
  const std::string svg = flame_svg(lies);
  EXPECT_EQ(sample::malformed(svg), "");
  EXPECT_EQ(count(svg, "inf"), count(svg, "inflate"));
  EXPECT_EQ(count(svg, "nan"), 0U);
}

TEST(Folded, HasEachCallsOwnBytes) {
  snapshot made;
  made.sites = {test::with_calls(test::make_site("a/s.cpp", 3, {}, 64),
                                 {test::make_frame("f", 10), test::make_frame("g;h", 20)})};
  EXPECT_EQ(folded(made), "s.cpp:3;f 10\ns.cpp:3;f;g:h 20\n");
}

TEST(Folded, FunctionsOfOneNameStayApart) {
  snapshot s = test::sample_server();
  site& its = s.sites.at(0);
  its.deepest = {};
  for (const std::uint64_t start : {16U, 32U}) {
    frame& each = its.deepest.frames.emplace_back(test::make_frame("parse", 100));
    each.module = "server";
    each.function_start = start;
  }
  its.deepest.depth = 200;
  s.sites.resize(1);
  const std::string text = folded(s);
  EXPECT_NE(text.find(";parse [server+0x20] 100\n"), text.npos) << text;
  EXPECT_NE(text.find(";parse [server+0x20];parse [server+0x10] 100\n"), text.npos) << text;
  const std::string json = speedscope(s);
  EXPECT_EQ(count(json, "\"name\": \"parse\""), 2U) << json;
}

TEST(Folded, HasALinePerCallAndAWholeNumberAtItsEnd) {
  const std::string text = folded(sample::hostile());
  keep("hostile.folded", text);
  std::istringstream lines(text);
  std::size_t seen = 0;
  for (std::string line; std::getline(lines, line); ++seen) {
    const std::size_t space = line.find_last_of(' ');
    ASSERT_NE(space, std::string::npos);
    EXPECT_EQ(line.find_first_not_of("0123456789", space + 1), std::string::npos) << line;
  }
  EXPECT_GT(seen, 80U);
}

TEST(Speedscope, IsAProfilePerSiteInBytes) {
  const std::string text = speedscope(sample::hostile());
  keep("hostile.speedscope.json", text);
  const nlohmann::json document = nlohmann::json::parse(text);
  EXPECT_EQ(sample::wrong_in_speedscope(document), "");
  ASSERT_EQ(document["profiles"].size(), 3U);
  for (const nlohmann::json& profile : document["profiles"]) {
    EXPECT_EQ(profile["unit"], "bytes");
    EXPECT_EQ(profile["startValue"], 0);
    // Each sample is the stack before it plus one call.
    std::size_t calls = 0;
    for (const nlohmann::json& stack : profile["samples"]) EXPECT_EQ(stack.size(), ++calls);
  }
}

TEST(Speedscope, TheOutermostCallComesFirst) {
  snapshot one = sample::server();
  std::erase_if(one.sites, [](const site& each) { return each.where != "src/server.cpp"; });
  const nlohmann::json document = nlohmann::json::parse(speedscope(one));
  EXPECT_EQ(sample::wrong_in_speedscope(document), "");
  const nlohmann::json& profile = document["profiles"].at(0);
  const stack_path path = path_of(one.sites.at(0), {.fold_beyond = 0});
  EXPECT_FALSE(path.steps.empty());
  const nlohmann::json& deepest = profile["samples"].back();
  ASSERT_EQ(deepest.size(), path.steps.size());
  for (std::size_t i = 0; i < path.steps.size(); ++i) {
    const auto frame = deepest[i].get<std::size_t>();
    EXPECT_EQ(document["shared"]["frames"][frame]["name"], path.steps[i].function);
    EXPECT_EQ(profile["weights"][i], path.steps[i].bytes);
  }
}

TEST(Speedscope, IsADocumentEvenOfNothing) {
  const nlohmann::json document = nlohmann::json::parse(speedscope({}));
  EXPECT_EQ(sample::wrong_in_speedscope(document), "");
  EXPECT_TRUE(document["profiles"].empty());
}

/// The checker must detect each violation.
TEST(Speedscope, TheCheckFindsWhatIsWrong) {
  const nlohmann::json good = nlohmann::json::parse(speedscope(sample::server()));
  const auto found = [&](const char* pointer, const nlohmann::json& value) {
    nlohmann::json bad = good;
    bad[nlohmann::json::json_pointer(pointer)] = value;
    return sample::wrong_in_speedscope(bad);
  };
  EXPECT_EQ(found("/$schema", "http://www.speedscope.app/file-format-schema.json"), "$schema");
  EXPECT_EQ(found("/activeProfileIndex", good["profiles"].size()), "activeProfileIndex");
  EXPECT_EQ(found("/shared/frames/0/name", 7), "a frame without a name");
  EXPECT_EQ(found("/shared/frames/0/line", "7"), "line of a frame");
  EXPECT_EQ(found("/profiles/0/type", "evented"), "type of a profile");
  EXPECT_EQ(found("/profiles/0/unit", "kibibytes"), "unit of a profile");
  EXPECT_EQ(found("/profiles/0/startValue", 1e9), "startValue, endValue");
  EXPECT_EQ(found("/profiles/0/endValue", 1e9), "weights end elsewhere");
  EXPECT_EQ(found("/profiles/0/weights/0", -1), "a weight that is none");
  EXPECT_EQ(found("/profiles/0/weights", nlohmann::json::array()), "not a weight for each sample");
  EXPECT_EQ(found("/profiles/0/samples/0/0", good["shared"]["frames"].size()), "index of a frame");
  EXPECT_EQ(found("/profiles/0/samples/0", 0), "a sample that is no stack");
}

}  // namespace
