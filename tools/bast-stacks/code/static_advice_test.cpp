// SPDX-License-Identifier: Apache-2.0
//
// Uses of a static report: bounds by site, and annotations for every program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "code/annotations.hpp"
#include "code/names.hpp"
#include "code/static.hpp"
#include "code/testing/temporary_file.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char shipped_file[] = BAST_SHIPPED_ANNOTATIONS;

/// A site whose deepest stack has these frames, the deepest first.
site site_with(const std::vector<std::pair<std::string, std::uint64_t>>& frames) {
  site one;
  one.where = "label";
  for (const auto& [name, bytes] : frames) {
    auto& next = one.deepest.frames.emplace_back();
    next.function = name;
    next.stack_bytes = bytes;
    one.deepest.depth += bytes;
  }
  one.deepest.inner = frames.size();
  one.max = one.deepest.depth;
  return one;
}

TEST(SiteBound, IsOfTheWholeStack) {
  static_report report{.program = {}, .bounds = {{.root = "job", .module = {}, .bytes = 7000}}};
  snapshot all;
  all.sites = {site{}, site_with({{"leaf", 300}, {"job", 100}, {"start", 56}})};
  join(report, all);
  const auto found = bounds_of_sites(report, 2);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_FALSE(found[0].sound());
  EXPECT_TRUE(found[0].root.empty());
  EXPECT_TRUE(found[1].sound());
  EXPECT_EQ(found[1].root, "job");
  EXPECT_EQ(found[1].bytes, 7056U);
}

TEST(SiteBound, OfSeveralRootsWithOneNameIsTheWeakest) {
  const reason indirect{.kind = reason_kind::indirect_call, .function = "g", .module = "m"};
  static_report report{.program = {},
                       .bounds = {{.root = "job", .module = {}, .bytes = 7000},
                                  {.root = "job", .module = {}, .bytes = 9000},
                                  {.root = "job", .module = {}, .bytes = 100}}};
  snapshot all;
  all.sites = {site_with({{"job", 100}})};
  join(report, all);
  EXPECT_EQ(bounds_of_sites(report, 1)[0].bytes, 9000U);
  report.bounds[2].reasons = {indirect};
  EXPECT_FALSE(bounds_of_sites(report, 1)[0].sound());
}

TEST(SiteBound, NamesACircleOnlyWhenAllOfItIsOnTheStack) {
  static_report report{.program = {}, .bounds = {{.root = "job", .module = {}, .bytes = 7000}}};
  report.bounds[0].reasons = {{.kind = reason_kind::recursion,
                               .function = "value",
                               .module = "m",
                               .circle = {"value", "array"}}};
  snapshot all;
  all.sites = {site_with({{"leaf", 1}, {"array", 20}, {"next", 4}, {"value", 300}, {"job", 5000}}),
               site_with({{"value", 300}, {"job", 5000}}),
               site_with({{"job", 5000}, {"array", 20}, {"value", 300}})};
  join(report, all);
  const auto found = bounds_of_sites(report, 3);
  EXPECT_EQ(found[0].circle, "value");
  EXPECT_EQ(found[0].circle_bytes, 324U);
  EXPECT_EQ(found[1].circle, "");
  EXPECT_EQ(found[2].circle, "");
}

TEST(SiteBound, TheGraphTellsWhoseCircleItIs) {
  const auto report = analyse({.program = BAST_KNOWN_FRAMES, .roots = {"circle_root"}});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->bounds[0].reasons.size(), 1U);
  EXPECT_EQ(report->bounds[0].reasons[0].circle, (std::vector<std::string>{"ping", "pong"}));
}

// --- shipped annotations -------------------------------------------------------------------------

TEST(ShippedAnnotations, CountTheReasonsThatTheyRemove) {
  const temporary_file shipped("ignore pong\nignore nobody\n");
  const auto report = analyse({.program = BAST_KNOWN_FRAMES,
                               .roots = {"circle_root", "chain_root"},
                               .shipped = shipped.path()});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->bounds[0].sound());
  EXPECT_EQ(report->bounds[0].removed, 1U);
  EXPECT_EQ(report->bounds[1].removed, 0U);
  // They need not match.
  EXPECT_TRUE(report->notes.empty());
  EXPECT_THAT(static_text(*report, {}),
              HasSubstr("  1 reason removed by the shipped annotations: " + shipped.path() + "\n"));
  EXPECT_THAT(static_json(*report), HasSubstr("\"removed\": 1"));
}

TEST(ShippedAnnotations, GiveWayToWhatTheUserSaysOfAFunction) {
  const temporary_file shipped("ignore chain_middle\n");
  const std::string users =
      ::testing::TempDir() + "bast_static_users_" + std::to_string(::getpid());
  std::ofstream(users) << "external chain_middle <= 100\n";
  const auto report = analyse({.program = BAST_KNOWN_FRAMES,
                               .roots = {"chain_root"},
                               .annotations = {users},
                               .shipped = shipped.path()});
  std::filesystem::remove(users);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->bounds[0].worst.back().bytes, 100U);
}

TEST(ShippedAnnotations, AreMissedInANote) {
  const auto report = analyse(
      {.program = BAST_KNOWN_FRAMES, .roots = {"chain_root"}, .shipped = "/no/such/annotations"});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->notes.back(), "The shipped annotations were not found: /no/such/annotations.");
  EXPECT_THAT(static_text(*report, {}), Not(HasSubstr("removed by")));
}

TEST(ShippedAnnotations, OnlySpeakOfNamesThatNobodyElseCanHave) {
  const auto all = read_annotations(shipped_file);
  ASSERT_TRUE(all) << all.error().what;
  EXPECT_GE(all->size(), 150U);
  const auto is_ours = [](std::string_view name) {
    return name == "abort" || name.starts_with("__") || name.starts_with("_dl_") ||
           name.starts_with("std::") || name.starts_with("bast::") || name.starts_with("bast_");
  };
  for (const auto& one : *all) {
    // Only a library's own functions are meant.
    EXPECT_TRUE(is_ours(one.function) || !one.module.empty()) << one.where;
    EXPECT_TRUE(one.kind != annotation_kind::edge || is_ours(one.target)) << one.where;
    EXPECT_NE(one.kind, annotation_kind::dynamic) << one.where;
    for (const auto& other : *all) {
      const bool twice = &other != &one && other.kind == one.kind &&
                         one.kind != annotation_kind::edge && other.function == one.function &&
                         other.module == one.module;
      EXPECT_FALSE(twice) << one.where << " and " << other.where;
    }
  }
}

TEST(ShippedAnnotations, AnEdgeThatMeetsNobodyIsNoReason) {
  const auto bound = [](const std::string& lines) {
    const temporary_file shipped(lines);
    const auto report = analyse(
        {.program = BAST_KNOWN_FRAMES, .roots = {"indirect_root"}, .shipped = shipped.path()});
    return report ? report->bounds.at(0) : static_bound{};
  };
  const auto some = bound("edge indirect_root -> nobody\nedge indirect_root -> pointed_to\n");
  EXPECT_TRUE(some.sound());
  EXPECT_EQ(some.worst.back().function, "pointed_to");
  const auto none = bound("edge indirect_root -> nobody\n");
  EXPECT_TRUE(none.sound());
  EXPECT_EQ(none.worst.back().function, "indirect_root");
}

#ifdef BAST_KNOWN_COROUTINES
TEST(ShippedAnnotations, NoCoroutineHasAReasonInsideBast) {
  const auto report = analyse({.program = BAST_KNOWN_COROUTINES, .shipped = shipped_file});
  ASSERT_TRUE(report) << report.error().what;
  std::vector<std::string> roots;
  for (const auto& bound : report->bounds) {
    roots.push_back(bound.coroutine);
    for (const auto& one : bound.reasons) {
      EXPECT_THAT(without_parameters(one.function), Not(::testing::StartsWith("bast::")))
          << bound.coroutine;
      EXPECT_NE(one.kind, reason_kind::lazy_binding);
    }
  }
  EXPECT_THAT(roots, ::testing::UnorderedElementsAre("known::yields", "known::nests",
                                                     "known::cancels", "known::commands"));
  for (const auto& bound : report->bounds) {
    EXPECT_TRUE(bound.sound() || bound.coroutine != "known::yields");
  }
}
#endif

}  // namespace
}  // namespace bast_stacks
