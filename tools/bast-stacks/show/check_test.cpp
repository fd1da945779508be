// SPDX-License-Identifier: Apache-2.0
#include "show/check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/test_samples.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

budget_file budgets_of(std::string_view text) { return parse_budgets(text, "stack.toml").value(); }

constexpr const char* parse_is_too_deep =
    "[[budget]]\nsite = \"parse.cpp:*\"\nmax = \"60 KiB\"\n"
    "[[budget]]\nsite = \"server.cpp:*\"\nmax = \"12 KiB\"\np99 = \"8 KiB\"\n";

std::string outcome(const snapshot& s, const budget_file& budgets, check_format format) {
  return check_text(s, budgets, check(s, budgets), format);
}

TEST(Check, ComparesEachBudgetWithEachSiteItMatches) {
  const snapshot s = test::sample_server();
  const auto verdicts = check(s, budgets_of("[[budget]]\nsite = \"*.cpp:*\"\nmax = \"40 KiB\"\n"));
  ASSERT_EQ(verdicts.size(), 3u);
  EXPECT_FALSE(verdicts[0].kept);
  EXPECT_TRUE(verdicts[1].kept);
  EXPECT_TRUE(verdicts[2].kept);
}

TEST(Check, ABudgetIsKeptByItsLastByteAndBrokenByTheNext) {
  snapshot s = test::sample_server();
  const budget_file budgets =
      budgets_of("[[budget]]\nsite = \"server.cpp:88\"\nmax = \"12 KiB\"\n");
  s.sites[2].max = 12288;
  EXPECT_TRUE(check(s, budgets)[0].kept);
  s.sites[2].max = 12289;
  EXPECT_FALSE(check(s, budgets)[0].kept);
  // Rounded, the two would look equal.
  EXPECT_THAT(outcome(s, budgets, check_format::text), HasSubstr("max 12289 B, 12288 B allowed"));
}

TEST(Check, TooFewUsesAreAFinding) {
  const snapshot s = test::sample_server();
  const budget_file budgets = budgets_of("[[budget]]\nsite = \"render.cpp:14\"\nuses_min = 1000\n");
  EXPECT_THAT(outcome(s, budgets, check_format::text),
              StartsWith("over budget: /src/app/render.cpp:14: 212 uses seen, 1,000 needed "));
}

TEST(Check, ABudgetThatMatchesNothingIsAFindingAtItsLineInEveryFormat) {
  const snapshot s = test::sample_server();
  const budget_file budgets = budgets_of(
      "# x\n[[budget]]\nsite = \"gone.cpp:*\"\nmax = \"1 B\"\np99 = \"1 B\"\n"
      "[[budget]]\nsite = \"server.cpp:*\"\nmax = \"12 KiB\"\n");
  const auto verdicts = check(s, budgets);
  ASSERT_EQ(verdicts.size(), 2u) << "once, whatever it allows, and the others all the same";
  EXPECT_EQ(verdicts[0].budget, 0u);
  EXPECT_EQ(verdicts[0].site, std::nullopt);
  EXPECT_EQ(verdicts[0].kind, budget_kind::unmatched);
  EXPECT_FALSE(verdicts[0].kept);
  EXPECT_TRUE(verdicts[1].kept);
  EXPECT_EQ(outcome(s, budgets, check_format::text),
            "no such site: \"gone.cpp:*\": matches no site (stack.toml:3)\n"
            "2 budgets, 1 site: 1 over; 2 sites without a budget\n");
  EXPECT_EQ(outcome(s, budgets, check_format::github),
            "::error file=stack.toml,line=3,title=stack over budget::"
            "\"gone.cpp:*\": matches no site (stack.toml:3)\n");
  const std::string junit = outcome(s, budgets, check_format::junit);
  EXPECT_THAT(junit, HasSubstr("tests=\"2\" failures=\"1\""));
  EXPECT_THAT(junit, HasSubstr("name=\"&quot;gone.cpp:*&quot; unmatched\">\n"
                               "<failure message=\"matches no site (stack.toml:3)\">\n</failure>"));
  const auto sarif = nlohmann::json::parse(outcome(s, budgets, check_format::sarif));
  const auto& result = sarif["runs"][0]["results"][0];
  EXPECT_EQ(result["ruleId"], "stack-unmatched");
  EXPECT_EQ(result["message"]["text"], "\"gone.cpp:*\": matches no site (stack.toml:3)");
  const auto& place = result["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "stack.toml");
  EXPECT_EQ(place["region"]["startLine"], 3);
}

TEST(Check, AnOverflowIsNeverKept) {
  snapshot s = test::sample_server();
  s.sites[0].overflows = 2;
  const budget_file generous = budgets_of("[[budget]]\nsite = \"parse.cpp:*\"\nmax = \"1 MiB\"\n");
  const auto verdicts = check(s, generous);
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_TRUE(verdicts[0].kept);
  EXPECT_EQ(verdicts[1].budget, std::nullopt);
  EXPECT_EQ(verdicts[1].site, 0u);
  EXPECT_EQ(verdicts[1].kind, budget_kind::overflow);
  EXPECT_EQ(verdicts[1].seen, 2u);
  EXPECT_FALSE(verdicts[1].kept);
  EXPECT_EQ(outcome(s, generous, check_format::text),
            "!! overflowed: /src/app/parse.cpp:40: 2 uses overflowed: more than its stack could "
            "have\n"
            "    59.6 KiB  json_value (parse.cpp:51) x37\n"
            "     1.6 KiB  parse (parse.cpp:41)\n"
            "1 budget, 1 site: 1 over; 2 sites without a budget\n");
  const budget_file of_another =
      budgets_of("[[budget]]\nsite = \"server.cpp:*\"\nmax = \"1 MiB\"\n");
  EXPECT_THAT(outcome(s, of_another, check_format::text),
              HasSubstr("1 budget, 1 site: 1 over; 2 sites without a budget\n"));
  const auto sarif = nlohmann::json::parse(outcome(s, of_another, check_format::sarif));
  const auto& result = sarif["runs"][0]["results"][0];
  EXPECT_EQ(result["ruleId"], "stack-overflow");
  EXPECT_EQ(result["locations"][0]["physicalLocation"]["region"]["startLine"], 40);
  s.sites[0].kind = bast::watch::site_kind::label;  // Only the file of budgets is left to point to.
  EXPECT_THAT(outcome(s, of_another, check_format::github),
              StartsWith("::error file=stack.toml,line=1,title="));
}

TEST(Check, SarifEscapesWhatIsNoPlainPath) {
  snapshot s = test::sample_server();
  s.sites[0].where = "/src/my app/a#b?c%d\"e:f.cpp";
  const auto document = nlohmann::json::parse(outcome(
      s, budgets_of("[[budget]]\nsite = \"*f.cpp:*\"\nmax = \"1 B\"\n"), check_format::sarif));
  const auto& result = document["runs"][0]["results"][0];
  EXPECT_EQ(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "/src/my%20app/a%23b%3Fc%25d%22e%3Af.cpp");
}

TEST(Check, TextPrintsTheOffendingBacktrace) {
  EXPECT_EQ(outcome(test::sample_server(), budgets_of(parse_is_too_deep), check_format::text),
            "over budget: /src/app/parse.cpp:40: max 61.2 KiB, 60 KiB allowed (stack.toml:2)\n"
            "    59.6 KiB  json_value (parse.cpp:51) x37\n"
            "     1.6 KiB  parse (parse.cpp:41)\n"
            "2 budgets, 2 sites: 1 over; 1 site without a budget\n");
}

TEST(Check, JunitCountsAndEscapes) {
  snapshot s = test::sample_server();
  s.sites[0].deepest.frames[0].file = "a<\"b\">&.cpp";
  const std::string text = outcome(s, budgets_of(parse_is_too_deep), check_format::junit);
  EXPECT_THAT(text, HasSubstr("tests=\"3\" failures=\"1\""));
  EXPECT_THAT(text, HasSubstr("name=\"/src/app/parse.cpp:40 max\""));
  EXPECT_THAT(text, HasSubstr("json_value (a&lt;&quot;b&quot;&gt;&amp;.cpp:51)"));
  EXPECT_THAT(text, HasSubstr("name=\"/src/app/server.cpp:88 p99\"/>"));
}

TEST(Check, SarifNamesTheSourceLine) {
  const auto document = nlohmann::json::parse(
      outcome(test::sample_server(), budgets_of(parse_is_too_deep), check_format::sarif));
  EXPECT_EQ(document["version"], "2.1.0");
  const auto& results = document["runs"][0]["results"];
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0]["ruleId"], "stack-max");
  const auto& place = results[0]["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "/src/app/parse.cpp");
  EXPECT_EQ(place["region"]["startLine"], 40);
  EXPECT_THAT(results[0]["message"]["text"].get<std::string>(), HasSubstr("json_value"));
}

TEST(Check, GithubAnnotatesOneLinePerFinding) {
  snapshot s = test::sample_server();
  s.sites[0].where = "/src/a,b:c%/parse.cpp";
  const std::string text = outcome(s, budgets_of(parse_is_too_deep), check_format::github);
  EXPECT_THAT(text, StartsWith("::error file=/src/a%2Cb%3Ac%25/parse.cpp,line=40,title="));
  EXPECT_THAT(text, HasSubstr("%0A"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
}

TEST(Check, UpdateSetsWhatWasSeenAndAMargin) {
  const snapshot s = test::sample_server();
  const budget_file budgets = updated(
      s, budgets_of("# Ours.\n[[budget]]\nsite = \"parse.cpp:*\"\nmax = \"1 KiB\"\nuses_min = 5\n"),
      0.1);
  EXPECT_EQ(budgets_text(budgets),
            "# Ours.\n\n"
            "[[budget]]\nsite = \"parse.cpp:*\"\nmax = \"68 KiB\"\nuses_min = 5\n\n"
            "[[budget]]\nsite = \"render.cpp:14\"\nmax = \"36 KiB\"\n\n"
            "[[budget]]\nsite = \"server.cpp:88\"\nmax = \"10 KiB\"\n");
}

TEST(Check, AnUpdatedFileIsKept) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 100; ++i) {
    const snapshot s = test::random_snapshot(random);
    const budget_file first = updated(s, budget_file{"x", "", {}}, 0.1);
    const auto file = parse_budgets(budgets_text(first), "x");
    ASSERT_TRUE(file.has_value()) << file.error().what << budgets_text(first);
    const auto verdicts = check(s, *file);
    for (const verdict_of_budget& v : verdicts) EXPECT_TRUE(v.kept);
    for (const check_format format :
         {check_format::text, check_format::junit, check_format::sarif, check_format::github}) {
      EXPECT_THAT(check_text(s, *file, verdicts, format), Not(HasSubstr("over budget:")));
    }
  }
}

}  // namespace
}  // namespace bast_stacks
