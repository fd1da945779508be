// SPDX-License-Identifier: Apache-2.0
//
// A static report as text, as JSON, and with measurements.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "code/static.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;

static_report made_up() {
  static_bound bound{.root = "f(int)",
                     .module = "server",
                     .bytes = 11264,
                     .worst = {{"f(int)", "server", 1264, 0}, {"g()", "libg.so", 10000, 0}},
                     .reasons = {{reason_kind::indirect_call, "g()", "libg.so", {}, 0x1234},
                                 {reason_kind::indirect_call, "g()", "libg.so", {}, 0x1250},
                                 {reason_kind::recursion, "f(int)", "server", "f -> g -> f", 0},
                                 {reason_kind::dynamic_frame, "h", "server", {}, 0x99}},
                     .functions = 1412};
  return {.program = "server", .bounds = {bound}, .notes = {"The library libx.so was not found."}};
}

TEST(StaticText, SaysWhyABoundIsNone) {
  const auto text = static_text(made_up(), {});
  EXPECT_THAT(text,
              HasSubstr("bound: 11,264 bytes - UNSOUND: 2 indirect calls, 1 recursion (f -> g "
                        "-> f), 1 alloca\n"));
  EXPECT_THAT(text, HasSubstr("      10,000  g() (libg.so)\n"));
  EXPECT_THAT(text, HasSubstr("1,412 functions can be reached\n"));
  EXPECT_THAT(text, ::testing::EndsWith("The library libx.so was not found.\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("0x1234")));
}

TEST(StaticText, WhatFilesSaidIsShownClean) {
  auto report = made_up();
  report.notes = {"The library \x1b[2J was not found."};
  EXPECT_THAT(static_text(report, {}),
              ::testing::EndsWith("The library \ufffd[2J was not found.\n"));
  EXPECT_EQ(frames_text({{.function = "f\x1b", .bytes = 8}}), "f\ufffd\t8\tstatic\n");
}

TEST(StaticText, DetailsNameEveryReason) {
  const auto text = static_text(made_up(), {.details = true});
  EXPECT_THAT(text, HasSubstr("  indirect call in g(), libg.so+0x1234\n"));
  EXPECT_THAT(text, HasSubstr("  recursion in f(int), server: f -> g -> f\n"));
}

TEST(StaticText, ASoundBoundSaysSo) {
  auto report = made_up();
  report.bounds[0].reasons.clear();
  EXPECT_THAT(static_text(report, {}), HasSubstr("bound: 11,264 bytes - sound\n"));
}

TEST(StaticText, JsonHasWhatTheTextHas) {
  auto report = made_up();
  report.bounds[0].root = "\xff no text";
  const auto json = nlohmann::json::parse(static_json(report));
  EXPECT_EQ(json["bounds"][0]["bytes"], 11264);
  EXPECT_EQ(json["bounds"][0]["sound"], false);
  EXPECT_EQ(json["bounds"][0]["reasons"].size(), 4U);
  EXPECT_EQ(json["bounds"][0]["reasons"][2]["kind"], "recursion");
}

// --- with measurements ---------------------------------------------------------------------------

snapshot measured() {
  snapshot all;
  site one;
  one.kind = bast::watch::site_kind::source;
  one.where = "server.cpp";
  one.line = 88;
  one.max = 5300;
  one.deepest.depth = 5200;
  for (const auto& [name, bytes] : {std::pair{"h", 100}, {"f(int)", 5000}, {"start", 100}}) {
    auto& next = one.deepest.frames.emplace_back();
    next.function = name;
    next.stack_bytes = static_cast<std::uint64_t>(bytes);
  }
  one.deepest.inner = 3;
  all.sites.push_back(one);
  return all;
}

TEST(StaticJoin, CountsFromTheRootAndNamesWhatWasNeverReached) {
  auto report = made_up();
  join(report, measured());
  ASSERT_EQ(report.bounds[0].observations.size(), 1U);
  const auto& seen = report.bounds[0].observations[0];
  EXPECT_EQ(seen.site, "server.cpp:88");
  EXPECT_EQ(seen.observed, 5200U);
  EXPECT_EQ(seen.not_reached, std::vector<std::string>{"g()"});
  const auto text = static_text(report, {});
  EXPECT_THAT(text, HasSubstr("observed at server.cpp:88: 5,200 of 11,264 bytes\n"));
  EXPECT_THAT(text, HasSubstr("never reached:\n    g()\n"));
}

TEST(StaticJoin, SaysWhenARootWasNeverSeen) {
  auto report = made_up();
  report.bounds[0].root = "other";
  join(report, measured());
  EXPECT_TRUE(report.bounds[0].observations.empty());
  EXPECT_EQ(report.notes.back(), "No deepest stack has other in it.");
}

}  // namespace
}  // namespace bast_stacks
