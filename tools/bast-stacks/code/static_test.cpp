// SPDX-License-Identifier: Apache-2.0
#include "code/static.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "code/stack_usage.hpp"
#include "code/testing/temporary_file.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;

static_bound bound_of(const std::string& root, const std::string& annotations = {}) {
  const temporary_file file(annotations);
  static_options options{.program = BAST_KNOWN_FRAMES, .roots = {root}};
  if (!annotations.empty()) options.annotations.push_back(file.path());
  auto report = analyse(options);
  if (!report) {
    ADD_FAILURE() << report.error().what;
    return {};
  }
  return report->bounds.at(0);
}

/// The frame of a function of the known program, by the tables.
std::uint64_t frame(const std::string& name) {
  static const auto all = [] {
    std::map<std::string, std::uint64_t> frames;
    const auto found = frames_in(BAST_KNOWN_FRAMES);
    if (found) {
      for (const auto& one : *found) frames[one.function] = one.bytes;
    }
    return frames;
  }();
  return all.at(name);
}

std::vector<std::string> names(const static_bound& bound) {
  std::vector<std::string> all;
  for (const auto& one : bound.worst) all.push_back(one.function);
  return all;
}

std::vector<reason_kind> kinds(const static_bound& bound) {
  std::vector<reason_kind> all;
  for (const auto& one : bound.reasons) all.push_back(one.kind);
  return all;
}

std::uint64_t sum(const static_bound& bound) {
  std::uint64_t bytes = 0;
  for (const auto& one : bound.worst) bytes += one.bytes;
  return bytes;
}

TEST(Static, FramesAreWhatTheCompilerSays) {
  usage_table usage;
  ASSERT_TRUE(usage.add_directory(BAST_KNOWN_USAGE, 62));
  ASSERT_GE(usage.size(), 16U);
  const auto frames = frames_in(BAST_KNOWN_FRAMES);
  ASSERT_TRUE(frames);
  int compared = 0;
  for (const auto& one : *frames) {
    const auto* const said = usage.find(one.function);
    if (said == nullptr) continue;
    ++compared;
    if (one.realigned) {
      EXPECT_GE(one.bytes, said->bytes) << one.function;
    } else if (!one.dynamic) {
      EXPECT_EQ(one.bytes, said->bytes) << one.function;
    }
    EXPECT_EQ(one.dynamic, said->kind == usage_kind::dynamic) << one.function;
  }
  EXPECT_GE(compared, 16);
}

TEST(Static, AddsUpTheFramesOfTheWorstPath) {
  const auto bound = bound_of("chain_root");
  EXPECT_TRUE(bound.sound());
  EXPECT_EQ(names(bound), (std::vector<std::string>{"chain_root", "chain_middle", "chain_end"}));
  EXPECT_EQ(bound.bytes, frame("chain_root") + frame("chain_middle") + frame("chain_end"));
  EXPECT_EQ(sum(bound), bound.bytes);
  EXPECT_EQ(bound.functions, 3U);
}

TEST(Static, RecursionIsNoBoundUntilItsDepthIsKnown) {
  const auto without = bound_of("self_root");
  EXPECT_EQ(kinds(without), std::vector{reason_kind::recursion});
  EXPECT_EQ(without.reasons.at(0).detail, "self_root -> self_root");
  EXPECT_EQ(without.bytes, frame("self_root"));
  const auto with = bound_of("self_root", "recursion self_root <= 12\n");
  EXPECT_TRUE(with.sound());
  EXPECT_EQ(with.bytes, 12 * frame("self_root"));
  EXPECT_EQ(sum(with), with.bytes);
}

TEST(Static, ACircleOfTwoIsBoundedByOneOfThem) {
  const auto without = bound_of("circle_root");
  EXPECT_EQ(kinds(without), std::vector{reason_kind::recursion});
  EXPECT_THAT(without.reasons.at(0).detail, HasSubstr("ping -> pong -> ping"));
  const auto with = bound_of("circle_root", "recursion ping <= 3  # the protocol's\n");
  EXPECT_TRUE(with.sound());
  EXPECT_EQ(with.bytes, frame("circle_root") + 3 * (frame("ping") + frame("pong")));
  EXPECT_EQ(sum(with), with.bytes);
}

TEST(Static, ADynamicFrameIsNoBoundUntilItsSizeIsKnown) {
  const auto without = bound_of("dynamic_root");
  EXPECT_EQ(kinds(without), std::vector{reason_kind::dynamic_frame});
  EXPECT_EQ(without.reasons.at(0).function, "dynamic_end");
  const auto with = bound_of("dynamic_root", "alloca dynamic_end <= 5000\n");
  EXPECT_TRUE(with.sound());
  EXPECT_EQ(with.bytes, without.bytes + 5000);
  EXPECT_EQ(sum(with), with.bytes);
}

TEST(Static, AnIndirectCallGoesWhereAnAnnotationSays) {
  const auto without = bound_of("indirect_root");
  EXPECT_EQ(kinds(without), std::vector{reason_kind::indirect_call});
  const auto with = bound_of("indirect_root", "edge indirect_root -> pointed_to\n");
  EXPECT_TRUE(with.sound());
  EXPECT_EQ(with.bytes, frame("indirect_root") + frame("pointed_to"));
  EXPECT_EQ(kinds(bound_of("indirect_root", "edge indirect_root -> nobody\n")),
            std::vector{reason_kind::external});
}

TEST(Static, FollowsCallsIntoSharedLibraries) {
  const auto bound = bound_of("library_root");
  EXPECT_TRUE(bound.sound());
  ASSERT_EQ(bound.worst.size(), 2U);
  EXPECT_EQ(bound.worst[1].function, "library_function");
  EXPECT_THAT(bound.worst[1].module, HasSubstr("known_library.so"));
  EXPECT_GE(bound.worst[1].bytes, 700U);
}

TEST(Static, ATailCallTakesNothingOfItsCaller) {
  const auto bound = bound_of("tail_root");
  EXPECT_TRUE(bound.sound());
  EXPECT_EQ(names(bound), (std::vector<std::string>{"tail_root", "tail_end"}));
  EXPECT_EQ(bound.bytes, frame("tail_end"));
}

TEST(Static, ASwitchIsNoIndirectCall) {
  const auto bound = bound_of("switch_root");
  EXPECT_TRUE(bound.sound()) << static_text({.program = {}, .bounds = {bound}, .notes = {}},
                                            {.details = true});
  EXPECT_EQ(bound.worst.back().function, "chain_end");
}

TEST(Static, RoundingTheStackPointerCountsAsItsMost) {
  const auto bound = bound_of("aligned_root");
  EXPECT_TRUE(bound.sound());
  EXPECT_GE(bound.bytes, frame("chain_end") + 256 + 48);
}

TEST(Static, AnnotationsLeaveFunctionsOut) {
  const auto ignored = bound_of("chain_root", "ignore chain_middle\n");
  EXPECT_EQ(ignored.bytes, frame("chain_root"));
  const auto known = bound_of("chain_root", "external chain_middle <= 100\n");
  EXPECT_EQ(known.bytes, frame("chain_root") + 100);
}

TEST(Static, MainIsARootLikeOthers) {
  const auto report = analyse({.program = BAST_KNOWN_FRAMES, .roots = {"main"}});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->bounds.size(), 1U);
  EXPECT_EQ(report->bounds[0].root, "main");
  EXPECT_GE(report->bounds[0].bytes, bound_of("chain_root").bytes);
  EXPECT_FALSE(report->bounds[0].sound());
}

TEST(Static, CoroutinesAreTheRootsWhereThereAreSome) {
  const auto report = analyse({.program = BAST_KNOWN_LIBRARY});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->bounds.size(), 1U);
  EXPECT_EQ(report->bounds[0].coroutine, "known::job<int, char>");
  EXPECT_GE(report->bounds[0].bytes, 700U);
  EXPECT_THAT(static_text(*report, {}), ::testing::StartsWith("coroutine known::job<int, char> ("));
}

TEST(Static, ARootCanBeWhatIsPrintedOfACoroutine) {
  const auto all = analyse({.program = BAST_KNOWN_LIBRARY});
  const auto one = analyse({.program = BAST_KNOWN_LIBRARY, .roots = {"known::job<int, char>"}});
  ASSERT_TRUE(all && one);
  EXPECT_EQ(static_text(*one, {}), static_text(*all, {}));
}

TEST(Static, ARootCanBeTheAddressWhereItBegins) {
  const auto all = frames_in(BAST_KNOWN_FRAMES);
  ASSERT_TRUE(all);
  const auto found = std::ranges::find(*all, "chain_root", &function_frame::function);
  ASSERT_NE(found, all->end());
  const auto text = [](std::uint64_t address) { return fmt::format("{:#x}", address); };
  const auto bound = bound_of(text(found->address));
  EXPECT_EQ(bound.root, "chain_root");
  EXPECT_EQ(bound.bytes, bound_of("chain_root").bytes);
  // An address is the program's unless a file is named, and must be a function's start.
  for (const auto& wrong : {text(found->address + 1), text(found->address) + "@libc.so.6"}) {
    const auto report = analyse({.program = BAST_KNOWN_FRAMES, .roots = {wrong}});
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().what, HasSubstr("no function named " + wrong));
  }
}

// A stripped program's functions are named by their start addresses only.
TEST(Static, InAStrippedProgramAddressesAreNames) {
  const auto all = frames_in(BAST_KNOWN_FRAMES);
  ASSERT_TRUE(all);
  const auto address = [&](const char* function) {
    return fmt::format("{:#x}",
                       std::ranges::find(*all, function, &function_frame::function)->address);
  };
  const temporary_file stripped("");
  ASSERT_EQ(std::system(fmt::format("strip -o {} {}", stripped.path(), BAST_KNOWN_FRAMES).c_str()),
            0);
  const auto bound = [&](const std::string& root, const std::string& lines) {
    const std::string path = stripped.path() + ".annotations";
    std::ofstream(path) << lines;
    const auto report =
        analyse({.program = stripped.path(), .roots = {root}, .annotations = {path}});
    std::filesystem::remove(path);
    EXPECT_TRUE(report && report->notes.empty());
    return report ? report->bounds.at(0) : static_bound{};
  };
  const std::string root = address("chain_root");
  EXPECT_EQ(names(bound(root, "")),
            (std::vector{root, address("chain_middle"), address("chain_end")}));
  EXPECT_EQ(bound(root, "external " + address("chain_middle") + " <= 100\n").bytes,
            frame("chain_root") + 100);
  const std::string points = address("indirect_root");
  const auto edge = bound(points, "edge " + points + " -> " + address("pointed_to") + "\n");
  EXPECT_TRUE(edge.sound());
  EXPECT_EQ(edge.bytes, frame("indirect_root") + frame("pointed_to"));
}

TEST(Static, AnAnnotationCanSayWhoseFunctionItMeans) {
  const auto with = [](const std::string& module) {
    return bound_of("library_root", "external library_function@" + module + " <= 9000\n").bytes;
  };
  const auto without = bound_of("library_root");
  EXPECT_EQ(with(without.worst.back().module), frame("library_root") + 9000);
  EXPECT_EQ(with("libc.so.6"), without.bytes);
}

// Each reason of everything that main reaches, most of it in the C library and some without a name,
// is removed by a line made from the printed text.
TEST(Static, WhatIsPrintedCanBePasted) {
  const auto report = analyse({.program = BAST_KNOWN_FRAMES, .roots = {"main"}});
  ASSERT_TRUE(report);
  std::string lines;
  std::map<reason_kind, int> counts;
  for (const auto& one : report->bounds.at(0).reasons) {
    ++counts[one.kind];
    switch (one.kind) {
      case reason_kind::indirect_call:
      case reason_kind::chosen_at_load: lines += "edge " + one.function + " -> chain_end\n"; break;
      case reason_kind::recursion: lines += "recursion " + one.function + " <= 2\n"; break;
      case reason_kind::dynamic_frame: lines += "alloca " + one.function + " <= 100\n"; break;
      case reason_kind::external:
      case reason_kind::no_table:
      case reason_kind::not_decoded: lines += "external " + one.function + " <= 100\n"; break;
      case reason_kind::lazy_binding: break;
    }
  }
  EXPECT_NE(counts[reason_kind::indirect_call], 0);
  EXPECT_NE(counts[reason_kind::recursion], 0);
  EXPECT_NE(counts[reason_kind::dynamic_frame], 0);
  const temporary_file file(lines);
  const auto after =
      analyse({.program = BAST_KNOWN_FRAMES, .roots = {"main"}, .annotations = {file.path()}});
  ASSERT_TRUE(after) << after.error().what;
  for (const auto& note : after->notes) EXPECT_THAT(note, ::testing::Not(HasSubstr("was not met")));
  for (const auto& one : after->bounds.at(0).reasons) {
    EXPECT_TRUE(one.kind != reason_kind::indirect_call && one.kind != reason_kind::dynamic_frame)
        << one.function;
  }
}

TEST(Static, SaysWhatAnAnnotationDidNotMeet) {
  const temporary_file file("\nignore nobody\n");
  const auto report = analyse(
      {.program = BAST_KNOWN_FRAMES, .roots = {"chain_root"}, .annotations = {file.path()}});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->notes.size(), 1U);
  EXPECT_EQ(report->notes[0], file.path() + ":2: nobody was not met.");
}

TEST(Static, NamesTheRootThatIsMissing) {
  const auto report = analyse({.program = BAST_KNOWN_FRAMES, .roots = {"no_such_function"}});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().status, 2);
  EXPECT_THAT(report.error().what, HasSubstr("no_such_function"));
}

TEST(Static, RefusesWhatIsNoProgram) {
  const auto report = analyse({.program = "/etc/passwd"});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().status, 3);
  EXPECT_EQ(report.error().what, "/etc/passwd is not an ELF file");
}

}  // namespace
}  // namespace bast_stacks
