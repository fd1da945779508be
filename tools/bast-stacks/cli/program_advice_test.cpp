// SPDX-License-Identifier: Apache-2.0
//
// The program's recommendations, and their use of code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/program_fixture.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(Program, RecommendsWithTheConfidenceThatIsAskedFor) {
  const std::vector<std::string> words = {"recommend", path("now.json")};
  EXPECT_THAT(run(words).out, HasSubstr("keep: 2,783 runs more"));
  std::vector<std::string> modest = words;
  modest.insert(modest.end(), {"--quantile", "98", "--json"});
  const auto document = nlohmann::json::parse(run(modest).out);
  EXPECT_EQ(document["sites"][1]["verdict"], "lower");
  EXPECT_EQ(document["quantile"].dump(), "0.98");
  EXPECT_EQ(
      nlohmann::json::parse(run({"recommend", path("now.json"), "--json"}).out)["quantile"].dump(),
      "0.999");
  std::vector<std::string> bound = words;
  bound.insert(bound.end(), {"--bound", "server.cpp:*=100 KiB", "--json"});
  EXPECT_EQ(nlohmann::json::parse(run(bound).out)["sites"][2]["limit"], 102400);
  const std::vector<std::string> page = {"export", path("now.json"), "--format", "html"};
  EXPECT_THAT(run(page).out, HasSubstr("keep: 2,783 runs more"));
  std::vector<std::string> modest_page = page;
  modest_page.insert(modest_page.end(), {"--quantile", "98"});
  EXPECT_THAT(run(modest_page).out, Not(HasSubstr("keep: ")));
}

TEST_F(Program, TakesBoundsFromTheCodeOfWhatRan) {
  const ending ended = run({"run", "--deepest", "-o", path("run.json"), "--",
                            BAST_STACKS_TEST_PROGRAM, "recurse", "80"});
  EXPECT_EQ(ended.status, 7) << ended.error;
  const std::vector<std::string> words = {"recommend", path("run.json"), "--static",
                                          BAST_STACKS_TEST_PROGRAM};
  const ending text = run(words);
  EXPECT_EQ(text.status, 0) << text.error;
  if (text.out.starts_with("No size is recommended")) GTEST_SKIP() << text.out;
  EXPECT_THAT(text.out, HasSubstr("lists reasons):\n  recurser: no sound bound: "));
  std::vector<std::string> json = words;
  json.insert(json.end(), {"--json"});
  const auto document = nlohmann::json::parse(run(json).out);
  EXPECT_EQ(document["static"]["file"], BAST_STACKS_TEST_PROGRAM);
  const auto& sites = document["sites"];
  const auto its =
      std::ranges::find_if(sites, [](const auto& each) { return each["site"] == "recurser"; });
  ASSERT_NE(its, sites.end());
  EXPECT_EQ((*its)["static"]["sound"], false);
  // An optimising compiler calls it descend(unsigned long) [.isra.0].
  EXPECT_THAT((*its)["recursion"]["function"].get<std::string>(),
              StartsWith("(anonymous namespace)::descend(unsigned long)"));
  EXPECT_THAT(
      run({"export", path("run.json"), "--format", "html", "--static", BAST_STACKS_TEST_PROGRAM})
          .out,
      HasSubstr("  recurser: no sound bound: "));
}

TEST_F(Program, FindsTheShippedAnnotationsFromWhereItLies) {
  std::vector<std::string> words = {"static", BAST_STACKS_TEST_PROGRAM, "--root", "main"};
  const ending with = run(words);
  EXPECT_EQ(with.status, 0) << with.error;
  EXPECT_THAT(with.out, HasSubstr("removed by the shipped annotations: /"));
  EXPECT_THAT(with.out, HasSubstr("/bast/stacks/annotations\n"));
  words.emplace_back("--no-default-annotations");
  EXPECT_THAT(run(words).out, Not(HasSubstr("shipped annotations")));
}

TEST_F(Program, RefusesTheCodeOfAnotherBuild) {
  snapshot other = test::sample_server();
  other.modules = {{"/usr/bin/server", "0123abcd", 0x400000, 0x400000, 0x480000}};
  write(path("other.json"), to_json(other));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"recommend", path("other.json"), "--static",
                                 BAST_STACKS_TEST_PROGRAM},
        {"static", BAST_STACKS_TEST_PROGRAM, "--root", "main", "--measured", path("other.json")}}) {
    const ending ended = run(words);
    EXPECT_EQ(ended.status, 3);
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.error, HasSubstr("is not what ran: its build id "));
  }
}

}  // namespace
}  // namespace bast_stacks
