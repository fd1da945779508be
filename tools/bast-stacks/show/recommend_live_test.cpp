// SPDX-License-Identifier: Apache-2.0
//
// Advice for programs that continue, and for pools that several sites share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "show/recommend.hpp"
#include "show/report.hpp"
#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using testing::advised;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::one_site;

TEST(RecommendLive, WhileAProgramGoesOnAnHourMustHaveBeenSeen) {
  snapshot s = one_site(5000, 9300);
  s.runtime_ns = 600'000'000'000;
  EXPECT_EQ(recommend(s, advised).sites[0].what, verdict::lower) << "it has ended";
  s.sites[0].live = 1;
  const site_advice a = recommend(s, advised).sites[0];
  EXPECT_EQ(a.what, verdict::keep);
  EXPECT_EQ(a.runs_missing, 0u);
  EXPECT_EQ(a.missing_ns, 3'000'000'000'000u);
  const std::string text = recommend_text(s, advised);
  EXPECT_THAT(text, HasSubstr("in a day like the 10 min seen, 432.\n"));
  EXPECT_THAT(text, HasSubstr("keep: 50 min more  seen less than an hour\n"));
  EXPECT_THAT(report_text(s, {.recommend = advised}), HasSubstr("was seen for 50 min more\n"));
  recommend_options exact = advised;
  exact.quantile = least_quantile;
  EXPECT_EQ(recommend(s, exact).sites[0].what, verdict::lower);
  EXPECT_THAT(recommend_text(s, exact), Not(HasSubstr("for an hour")));
  s.runtime_ns = 3'600'000'000'000;
  EXPECT_EQ(recommend(s, advised).sites[0].what, verdict::lower);
  s.runtime_ns = 0;
  EXPECT_EQ(recommend(s, advised).sites[0].what, verdict::lower) << "it is not known";
}

/// `number` live stacks of the site, at least `depth` deep and at most two pages more.
snapshot with_live(snapshot s, std::uint64_t number, std::uint64_t depth) {
  live_stack one;
  one.pool = 1;
  one.depth = depth;
  one.depth_at_most = depth + 8192;
  one.scanned = true;
  s.stacks.assign(number, one);
  s.sites[0].live = number;
  s.sites[0].max = std::max(s.sites[0].max, depth);
  return s;
}

TEST(RecommendLive, LiveStacksCountAsUsesWhereTooFewHaveEnded) {
  const snapshot few = with_live(one_site(5, 9300), 2989, 9300);
  EXPECT_EQ(recommend(few, advised).sites[0].what, verdict::keep);
  EXPECT_EQ(recommend(few, advised).sites[0].runs_missing, 1u);
  snapshot enough = with_live(one_site(0, 0), 2995, 9300);
  enough.sites[0].histogram.clear();
  const advice a = recommend(enough, advised);
  EXPECT_EQ(a.sites[0].what, verdict::lower);
  EXPECT_EQ(a.sites[0].need, 17'492u) << "the upper end of what is known";
  EXPECT_EQ(a.sites[0].limit, 28'672u);  // 17492 + 8368 + 1162 = 27022
  EXPECT_EQ(a.sites[0].window, 28'672u) << "within the limit";
  EXPECT_EQ(verdict_text(a.sites[0]), "28 KiB so far");
  const std::string text = recommend_text(enough, advised);
  EXPECT_THAT(text, HasSubstr("28 KiB so far  2,995 live, may go deeper\n"));
  EXPECT_THAT(text,
              HasSubstr("\nOf 1 site too few uses have ended: live stacks are counted as uses, as "
                        "deep as they may be.\n"
                        "They go on and may go deeper: how often is not known.\n"));
  for (live_stack& each : enough.stacks) each.scanned = false;
  EXPECT_EQ(recommend(enough, advised).sites[0].what, verdict::keep) << "no depth is known";
}

TEST(RecommendLive, NeverGoesBelowALiveStackAndRaisesNothingForIt) {
  snapshot s = with_live(one_site(5000, 9300), 1, 100);
  s.stacks[0].depth_at_most = 100 << 10;
  const site_advice deep = recommend(s, advised).sites[0];
  EXPECT_EQ(deep.what, verdict::lower);
  EXPECT_EQ(deep.limit, 112u << 10);  // 102400 + 8368 + 1162 = 111930
  EXPECT_EQ(verdict_text(deep), "112 KiB") << "enough uses have ended";
  s.runtime_ns = 600'000'000'000;
  EXPECT_EQ(recommend(s, advised).sites[0].running, 0u) << "and no live stack is counted";
  s.stacks[0].depth_at_most = 256 << 10;
  EXPECT_EQ(recommend(s, advised).sites[0].what, verdict::fits);
}

TEST(RecommendLive, ADeepestUseThatCameLatePromisesNoRate) {
  snapshot s = one_site(5000, 9300);
  s.sites[0].live = 1;
  s.sites[0].max_age_ns = 180'000'000'000;
  EXPECT_FALSE(recommend(s, advised).sites[0].late) << "a twentieth of the time";
  s.sites[0].max_age_ns -= 1;
  EXPECT_TRUE(recommend(s, advised).sites[0].late);
  s.sites[0].max_age_ns = 60'000'000'000;
  const std::string text = recommend_text(s, advised);
  EXPECT_THAT(text, HasSubstr("20 KiB so far  deepest 60 s ago: may rise\n"));
  EXPECT_THAT(text, HasSubstr("\nThe deepest of 1 site came in the last twentieth of the time "
                              "seen: depths may be rising, and\nhow often one goes deeper is not "
                              "known. Look again later.\n"));
  EXPECT_THAT(text, Not(HasSubstr("goes deeper\n\n")));
  s.sites[0].live = 0;
  EXPECT_FALSE(recommend(s, advised).sites[0].late) << "the next run begins anew";
}

TEST(RecommendPools, SaysWhatBlocksAPoolAndWhatItCouldBeWithout) {
  snapshot s = one_site(5000, 9300);
  s.sites.push_back(test::make_site("/src/rare.cpp", 9, {{30'000, 40}}));
  s.sites.push_back(test::make_site("/src/rarer.cpp", 4, {{30'000, 7}}));
  const advice a = recommend(s, advised);
  ASSERT_EQ(a.pools.size(), 1u);
  EXPECT_EQ(a.pools[0].what, verdict::keep);
  EXPECT_THAT(a.pools[0].blocking, ElementsAre(1, 2));
  EXPECT_EQ(a.pools[0].rest_limit, 20'480u);
  EXPECT_THAT(
      recommend_text(s, advised),
      HasSubstr(
          "pool server.cpp:20, 100 stacks; decided by rarer.cpp:4\n"
          "  keep .limit = 256 KiB\n"
          "  blocked: without rare.cpp:9 and 1 other it could be\n"
          "  bast::stack_options{.limit = 20_KiB, .window = 12_KiB}\n\n"
          "A pool of its own for each site that shares one:\n"
          "  bast::stack_options{.limit = 20_KiB, .window = 12_KiB}  // x.cpp:5 alone\n"
          "  bast::stack_options{.limit = 256_KiB, .window = 32_KiB}  // rare.cpp:9 alone, too few "
          "runs\n"
          "  bast::stack_options{.limit = 256_KiB, .window = 32_KiB}  // rarer.cpp:4 alone, too "
          "few "
          "runs\n"));
}

TEST(RecommendPools, ADeepSiteThatRanOftenEnoughIsNamedToo) {
  snapshot s = one_site(5000, 9300);
  s.sites.push_back(test::make_site("/src/deep.cpp", 9, {{100'000, 4000}}));
  EXPECT_THAT(recommend(s, advised).pools[0].blocking, ElementsAre(1));
  EXPECT_THAT(recommend_text(s, advised),
              HasSubstr("  never touched have none\n"
                        "  without deep.cpp:9 it could be\n"
                        "  bast::stack_options{.limit = 20_KiB, .window = 12_KiB}\n"));
  s.sites[1] = test::make_site("/src/same.cpp", 9, {{9300, 4000}});
  EXPECT_TRUE(recommend(s, advised).pools[0].blocking.empty()) << "it needs the same";
  s.sites[1].overflows = 1;
  EXPECT_EQ(own_pools(s, recommend(s, advised))[1],
            "measure with .limit = 4096_KiB  // same.cpp:9 alone");
}

}  // namespace
}  // namespace bast_stacks
