// SPDX-License-Identifier: Apache-2.0
#include "show/diff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/test_samples.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Diff, OfTheSameIsNothing) {
  const snapshot s = test::sample_server();
  EXPECT_EQ(diff_text(s, s), "3 sites without a change: --all\n");
  EXPECT_FALSE(grew(compare(s, s)));
  EXPECT_EQ(diff_text(snapshot{}, snapshot{}), "0 sites without a change\n");
}

TEST(Diff, AChangeInsideOneBucketIsNone) {
  const snapshot before = test::sample_server();
  snapshot after = before;
  after.sites[2].max = bast::watch::bucket_high(bast::watch::bucket_of(before.sites[2].max));
  after.sites[2].uses += 1000;
  EXPECT_FALSE(grew(compare(before, after)));
  ++after.sites[2].max;
  EXPECT_TRUE(grew(compare(before, after)));
  EXPECT_FALSE(grew(compare(after, before)));
}

TEST(Diff, NamesWhatIsNewGoneAndDeeperTheMostGrownFirst) {
  snapshot before = test::sample_server();
  snapshot after = before;
  after.sites[1].max += 10000;
  after.sites[2].max += 20000;
  before.sites.push_back(test::make_site("/src/old.cpp", 3, {{500, 40}}));
  after.sites.push_back(test::make_site("/src/new.cpp", 7, {{700, 40}}));
  const std::string text = diff_text(before, after);
  EXPECT_THAT(text, HasSubstr("!! server.cpp:88"));
  EXPECT_THAT(text, HasSubstr("9.1 -> 28.6"));
  EXPECT_LT(text.find("server.cpp:88"), text.find("render.cpp:14"));
  EXPECT_THAT(text, HasSubstr("new.cpp:7      new "));
  EXPECT_THAT(text, HasSubstr("old.cpp:3      gone "));
  EXPECT_THAT(text, HasSubstr("1 site without a change: --all"));
  EXPECT_THAT(text, Not(HasSubstr("parse.cpp")));
}

TEST(Diff, ASiteThatMovedWithinItsFileIsTheSame) {
  const snapshot before = test::sample_server();
  snapshot after = before;
  after.sites[2].line = 95;
  EXPECT_EQ(diff_text(before, after), "3 sites without a change: --all\n");
  after.sites[2].max += 20000;
  EXPECT_THAT(diff_text(before, after), HasSubstr("server.cpp:95 (was :88)"));
}

TEST(Diff, TwoSitesThatMovedInOneFileAreNotGuessedAt) {
  snapshot before = test::sample_server();
  before.sites = {test::make_site("a.cpp", 1, {{100, 1}}), test::make_site("a.cpp", 2, {{100, 1}})};
  snapshot after = before;
  after.sites[0].line = 11;
  after.sites[1].line = 12;
  const difference d = compare(before, after);
  EXPECT_EQ(d.sites.size(), 4u);
}

TEST(Diff, OfDifferentBuildsWarns) {
  const snapshot before = test::sample_server();
  snapshot after = before;
  after.built = bast::watch::built_address_sanitizer;
  after.compiler = "clang 19.1.7";
  const std::string text = diff_text(before, after);
  EXPECT_THAT(text, HasSubstr("not comparable: build release before, address_sanitizer after."));
  EXPECT_THAT(text, HasSubstr("compiler gcc 12.2.0 before, clang 19.1.7 after."));
}

TEST(Diff, JsonHoldsBothSides) {
  const snapshot before = test::sample_server();
  snapshot after = before;
  after.sites[2].max = 40000;
  after.sites.erase(after.sites.begin());
  const auto document = nlohmann::json::parse(diff_json(before, after));
  EXPECT_EQ(document["sites"][0]["change"], "grew");
  EXPECT_EQ(document["sites"][0]["before"]["max"], 9300);
  EXPECT_EQ(document["sites"][0]["after"]["max"], 40000);
  EXPECT_EQ(document["sites"][1]["change"], "gone");
  EXPECT_TRUE(document["sites"][1]["after"].is_null());
}

TEST(Diff, AnyTwoSnapshotsHaveOne) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 200; ++i) {
    const snapshot a = test::random_snapshot(random);
    const snapshot b = test::random_snapshot(random);
    EXPECT_FALSE(diff_text(a, b).empty());
    EXPECT_TRUE(nlohmann::json::accept(diff_json(a, b)));
    EXPECT_FALSE(grew(compare(a, a)));
  }
}

}  // namespace
}  // namespace bast_stacks
