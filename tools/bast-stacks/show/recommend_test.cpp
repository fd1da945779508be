// SPDX-License-Identifier: Apache-2.0
#include "show/recommend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "show/testing/servers.hpp"

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;
using testing::one_site;

// Reserves that do not depend on the test machine: 7.9 KiB in total.
constexpr stack_reserves fixed{.signal_frame = 1776};

recommend_options fixed_options() { return {.reserves = fixed}; }

TEST(Recommend, LimitIsNeedAndReservesInWholePages) {
  const advice a = recommend(one_site(5000, 9300), fixed_options());
  EXPECT_EQ(a.sites[0].what, verdict::lower);
  EXPECT_EQ(a.sites[0].need, 9300u);
  EXPECT_EQ(a.sites[0].limit, 20480u);  // 9300 + 1776 + 4096 + 1536 + 960 = 17668
  EXPECT_EQ(a.sites[0].window, 12288u);
  EXPECT_EQ(a.pools[0].saved, 100 * ((256u << 10) - 20480));
  EXPECT_EQ(code_of(a.pools[0].limit, a.pools[0].window),
            "bast::stack_options{.limit = 20_KiB, .window = 12_KiB}");
}

TEST(Recommend, LowersOnlyWithEnoughRuns) {
  const advice few = recommend(one_site(2994, 9300), fixed_options());
  EXPECT_EQ(few.sites[0].what, verdict::keep);
  EXPECT_EQ(few.sites[0].runs_missing, 1u);
  EXPECT_EQ(few.pools[0].what, verdict::keep);
  EXPECT_EQ(few.pools[0].limit, 256u << 10);
  EXPECT_EQ(few.pools[0].saved, 0u);
  EXPECT_EQ(verdict_text(few.sites[0]), "keep: 1 run more");
  EXPECT_EQ(recommend(one_site(2995, 9300), fixed_options()).sites[0].what, verdict::lower);
  recommend_options modest = fixed_options();
  modest.quantile = 0.99;
  EXPECT_EQ(recommend(one_site(299, 9300), modest).sites[0].what, verdict::lower);
}

TEST(Recommend, LeavesALimitAloneThatIsNearlyNeeded) {
  const advice near = recommend(one_site(5000, 220 << 10), fixed_options());
  EXPECT_EQ(near.sites[0].what, verdict::fits);
  EXPECT_EQ(near.sites[0].limit, 256u << 10);
  EXPECT_EQ(near.pools[0].saved, 0u);
  EXPECT_EQ(recommend(one_site(5000, 180 << 10), fixed_options()).sites[0].what, verdict::lower);
}

TEST(Recommend, RaisesAfterOneUseThatLeavesTooLittle) {
  snapshot s = one_site(1, (256 << 10) - 100);
  const advice a = recommend(s, fixed_options());
  EXPECT_EQ(a.sites[0].what, verdict::raise);
  EXPECT_GT(a.pools[0].limit, 256u << 10);
  EXPECT_EQ(a.pools[0].saved, 0u);
}

TEST(Recommend, StaysWithinWhatTheLibraryAccepts) {
  EXPECT_EQ(recommend(one_site(5000, 100), fixed_options()).sites[0].limit, 16u << 10);
  snapshot huge = one_site(5000, std::uint64_t{1} << 62);
  EXPECT_EQ(recommend(huge, fixed_options()).sites[0].limit, 64u << 20);
}

TEST(Recommend, NeverGoesBelowASoundStaticBound) {
  recommend_options options = fixed_options();
  options.static_bounds = {40000};
  const advice a = recommend(one_site(5000, 9300), options);
  EXPECT_EQ(a.sites[0].limit, 40960u);
  EXPECT_TRUE(a.sites[0].bound_decides);
  options.static_bounds = {std::nullopt};
  EXPECT_EQ(recommend(one_site(5000, 9300), options).sites[0].limit, 20480u);
}

TEST(Recommend, KeepsOneMoreRoundOfARecursionForEveryEight) {
  const auto kept = [](std::size_t times, std::uint64_t seen_at = 9300) {
    snapshot s = one_site(5000, 9300);
    s.sites[0].deepest.depth = seen_at;
    s.sites[0].deepest.frames.assign(times, test::make_frame("descend", 200));
    s.sites[0].deepest.frames.push_back(test::make_frame("start", 100));
    s.sites[0].deepest.inner = times + 1;
    return recommend(s, fixed_options()).sites[0];
  };
  EXPECT_EQ(kept(1).recursion.bytes, 0u);
  EXPECT_EQ(kept(2).recursion.rounds, 1u);
  EXPECT_EQ(kept(15).recursion.rounds, 1u);
  EXPECT_EQ(kept(16).recursion.rounds, 2u);
  EXPECT_EQ(kept(160).recursion.bytes, 20u * 200);
  EXPECT_EQ(kept(160).recursion.words, "recursion descend x160");
  EXPECT_EQ(kept(160).limit, 24576u);  // 9300 + 8368 + 4000 = 21668
  // The last growth was at 6100 bytes, and 16 more rounds of 200 bytes went to the deepest.
  EXPECT_EQ(kept(16, 6100).recursion.rounds, 4u);
  EXPECT_EQ(kept(16, 6100).recursion.words, "recursion descend x~32");
  EXPECT_EQ(kept(16, 9101).recursion.words, "recursion descend x16");
  EXPECT_EQ(kept(1, 100).recursion.bytes, 0u) << "no recursion was seen";
}

TEST(Recommend, OfAStackThatNeverGrewARecursionCouldNotBeSeen) {
  snapshot s = one_site(5000, 9300);
  const site_advice blind = recommend(s, fixed_options()).sites[0];
  EXPECT_TRUE(blind.recursion.blind);
  EXPECT_EQ(blind.recursion.bytes, 9300u / 8);
  EXPECT_EQ(blind.recursion.words, "");
  EXPECT_THAT(recommend_text(s, fixed_options()),
              HasSubstr("\nOf 1 site no backtrace was recorded, so a recursion could not be seen: "
                        "an eighth of the depth\nis kept for it. bast-stacks run --deepest sees "
                        "it.\n"));
  // The code shows that there is no recursion, or which.
  recommend_options options = fixed_options();
  options.code = {.file = "server", .sites = {{.root = "start", .bytes = 100}}};
  EXPECT_FALSE(recommend(s, options).sites[0].recursion.blind);
  EXPECT_EQ(recommend(s, options).sites[0].recursion.bytes, 0u);
  options.code.sites[0].reasons = 1;
  EXPECT_TRUE(recommend(s, options).sites[0].recursion.blind);
}

TEST(Recommend, TwoCallsAreARecursionOnlyWhereTheTablesConfirmBoth) {
  snapshot s = one_site(5000, 9300);
  s.sites[0].deepest.depth = 9300;
  s.sites[0].deepest.frames.assign(2, test::make_frame("descend", 200));
  EXPECT_EQ(recommend(s, fixed_options()).sites[0].recursion.bytes, 200u);
  s.sites[0].deepest.frames[0].confirmed = false;
  EXPECT_EQ(recommend(s, fixed_options()).sites[0].recursion.bytes, 0u);
}

TEST(Recommend, ARoundReachesFromACallToTheNext) {
  snapshot s = one_site(5000, 9300);
  s.sites[0].deepest.depth = 9300;
  for (const std::uint64_t between : {10u, 30u, 20u}) {
    s.sites[0].deepest.frames.push_back(test::make_frame("array", between));
    s.sites[0].deepest.frames.push_back(test::make_frame("value", 100));
  }
  EXPECT_EQ(recommend(s, fixed_options()).sites[0].recursion.bytes, 130u);
  // If frames between two calls are missing, their distance is not a round.
  s.sites[0].deepest.inner = 3;
  s.sites[0].deepest.omitted_bytes = 100;
  EXPECT_EQ(recommend(s, fixed_options()).sites[0].recursion.bytes, 120u);
  s.sites[0].deepest.frames.erase(s.sites[0].deepest.frames.begin(),
                                  s.sites[0].deepest.frames.begin() + 2);
  s.sites[0].deepest.inner = 2;
  EXPECT_EQ(recommend(s, fixed_options()).sites[0].recursion.words, "");
}

TEST(Recommend, ACircleOfTheCallGraphThatIsOnTheStackIsARecursion) {
  snapshot s = one_site(5000, 9300);
  recommend_options options = fixed_options();
  options.code = {.file = "server",
                  .sites = {{.root = "start",
                             .bytes = 20000,
                             .reasons = 1,
                             .circle = "value",
                             .circle_bytes = 3000}}};
  const site_advice once = recommend(s, options).sites[0];
  EXPECT_EQ(once.recursion.bytes, 3000u);
  EXPECT_EQ(once.recursion.words, "recursion value x1 (by the call graph)");
  EXPECT_EQ(once.limit, 24576u);  // 9300 + 8368 + 3000 = 20668
  // An observed repetition is better evidence.
  s.sites[0].deepest.depth = 9300;
  s.sites[0].deepest.frames.assign(8, test::make_frame("other", 100));
  EXPECT_EQ(recommend(s, options).sites[0].recursion.bytes, 100u);
}

TEST(Recommend, TakesSoundBoundsFromTheCode) {
  recommend_options options = fixed_options();
  options.code = {.file = "./server", .sites = {{.root = "start", .bytes = 40000}}};
  const snapshot s = one_site(5000, 9300);
  EXPECT_EQ(recommend(s, options).sites[0].limit, 40960u);
  EXPECT_THAT(recommend_text(s, options), HasSubstr("\n  x.cpp:5: static bound 39.1 KiB\n"));
  options.static_bounds = {50000};
  EXPECT_EQ(recommend(s, options).sites[0].limit, 53248u);
  options.static_bounds.clear();
  options.code.sites[0].reasons = 12;
  EXPECT_EQ(recommend(s, options).sites[0].limit, 20480u);
  options.code.notes = {"The library libx.so was not found."};
  EXPECT_THAT(recommend_text(s, options),
              HasSubstr("From the code of ./server (bast-stacks static --details lists reasons):\n"
                        "  x.cpp:5: no sound bound: 12 reasons\n"
                        "The library libx.so was not found.\n"));
  options.code.sites[0] = {};
  EXPECT_THAT(recommend_text(s, options),
              HasSubstr("no backtrace leads to where its stacks begin"));
}

TEST(Recommend, TheLargestSiteDecidesForItsPool) {
  snapshot s = one_site(5000, 9300);
  s.sites.push_back(test::make_site("/src/y.cpp", 9, {{30000, 4000}}));
  s.sites.push_back(site{});  // (other), which never ran: it decides nothing
  s.sites.back().pools = {1};
  const advice a = recommend(s, fixed_options());
  EXPECT_EQ(a.pools[0].decides, 1u);
  EXPECT_EQ(a.pools[0].limit, a.sites[1].limit);
  EXPECT_EQ(a.sites[2].what, verdict::unused);
  EXPECT_THAT(recommend_text(s, fixed_options()), HasSubstr("decided by y.cpp:9"));
}

TEST(Recommend, PoolsOfOnePlaceAreOneRecommendation) {
  snapshot s = one_site(5000, 9300);
  s.pools.push_back(s.pools[0]);
  s.pools[1].id = 2;
  s.sites[0].pools = {1, 2};
  const advice a = recommend(s, fixed_options());
  ASSERT_EQ(a.pools.size(), 1u);
  EXPECT_EQ(a.pools[0].stacks, 200u);
  EXPECT_EQ(place_of(a.pools[0]), "server.cpp:20 (2 pools)");
}

TEST(Recommend, PoolsThatAreGoneHadTheirStacksAtDifferentTimes) {
  snapshot s = one_site(5000, 9300);
  s.pools[0].gone = 3;
  s.pools.push_back(s.pools[0]);
  s.pools[1].id = 2;
  s.pools[1].gone = 0;
  s.pools[1].stacks = 30;
  s.pools.push_back(s.pools[1]);
  s.pools[2].id = 3;
  const auto stacks = [&] { return recommend(s, fixed_options()).pools[0].stacks; };
  EXPECT_EQ(stacks(), 100u);
  s.pools[2].stacks = 80;
  EXPECT_EQ(stacks(), 110u) << "those that are there are there together";
  EXPECT_EQ(place_of(recommend(s, fixed_options()).pools[0]), "server.cpp:20 (5 pools)");
}

TEST(Recommend, WhereAStackOverflowedNoLimitFollows) {
  snapshot s = one_site(5000, (256 << 10) + 300);
  s.sites[0].overflows = 2;
  s.sites.push_back(test::make_site("/src/y.cpp", 9, {{30000, 4000}}));
  const advice a = recommend(s, fixed_options());
  EXPECT_EQ(a.sites[0].what, verdict::overflowed);
  EXPECT_EQ(a.sites[1].what, verdict::lower);
  ASSERT_EQ(a.pools.size(), 1u);
  EXPECT_EQ(a.pools[0].what, verdict::overflowed);
  EXPECT_EQ(a.pools[0].decides, 0u);
  EXPECT_EQ(a.pools[0].limit, 256u << 10);
  EXPECT_EQ(a.pools[0].saved, 0u);
  EXPECT_EQ(verdict_text(a.sites[0]), "more than 256 KiB");
  EXPECT_EQ(roomy(a.pools[0].old_limit), ".limit = 4096_KiB");
  const std::string text = recommend_text(s, fixed_options());
  EXPECT_THAT(text, HasSubstr("more than 256 KiB  overflowed 2 times at 256.3 KiB"));
  EXPECT_THAT(text, HasSubstr("pool server.cpp:20, 100 stacks; decided by x.cpp:5\n"
                              "  !! it overflowed: how much it needs is not known. Measure with\n"
                              "  .limit = 4096_KiB, and ask again\n"));
  // In a larger pool it did not overflow, but has no complete run either.
  s.pools.push_back(s.pools[0]);
  s.pools[1].id = 2;
  s.pools[1].where = "/src/large.cpp:1";
  s.pools[1].limit = 64 << 20;
  s.sites[0].pools = {1, 2};
  const advice both = recommend(s, fixed_options());
  ASSERT_EQ(both.pools.size(), 2u);
  EXPECT_EQ(both.pools[0].what, verdict::overflowed);
  EXPECT_EQ(both.pools[1].what, verdict::keep);
  EXPECT_EQ(both.pools[1].limit, 64u << 20);
  EXPECT_EQ(roomy(both.pools[1].old_limit), ".limit = 65536_KiB") << "as much as there can be";
}

TEST(Recommend, PoolsThatAreGoneAreKnownByTheirSites) {
  snapshot s = one_site(5000, 9300);
  s.pools.clear();
  s.sites[0].pools.clear();
  s.sites.push_back(test::make_site("/src/y.cpp", 9, {{30000, 4000}}));
  s.sites[1].pools = {77};  // its pool is gone
  s.sites[1].held = 10;
  const advice a = recommend(s, fixed_options());
  ASSERT_EQ(a.pools.size(), 1u);
  EXPECT_EQ(a.pools[0].decides, 1u);
  EXPECT_EQ(a.pools[0].stacks, 110u);
  EXPECT_EQ(a.pools[0].what, verdict::lower);
  EXPECT_EQ(place_of(a.pools[0]), "pools of 256 KiB");
  EXPECT_THAT(recommend_text(s, fixed_options()),
              HasSubstr("pools of 256 KiB, 110 stacks; decided by y.cpp:9\n"
                        "  bast::stack_options{.limit = 44_KiB, .window = 32_KiB}\n"));
}

TEST(Recommend, IsRefusedForABuildThatIsNoRelease) {
  for (const std::uint64_t flag :
       {bast::watch::built_address_sanitizer, bast::watch::built_valgrind,
        bast::watch::built_unoptimized, bast::watch::built_coverage}) {
    snapshot s = one_site(5000, 9300);
    s.built = flag;
    EXPECT_THAT(recommend_text(s), HasSubstr("Measure a release build"));
  }
  snapshot s = one_site(5000, 9300);
  s.built = bast::watch::built_assertions | bast::watch::built_hardened;
  EXPECT_TRUE(recommend(s).refused.empty());
}

TEST(Recommend, TextGivesReasonsReservesAndCode) {
  const std::string text = recommend_text(test::sample_server(), fixed_options());
  EXPECT_THAT(text, HasSubstr("after 2,995 uses"));
  EXPECT_THAT(text, HasSubstr("signal frame 1.7 KiB"));
  EXPECT_THAT(text, HasSubstr("keep: 2,783 runs more"));
  EXPECT_THAT(text, HasSubstr("so far 1 in 71 may go deeper"));
  EXPECT_THAT(text, HasSubstr("\n  recursion json_value x37: +6.4 KiB, parse.cpp:40\n"));
  EXPECT_THAT(text, HasSubstr("bast::stack_options{.limit = 76_KiB, .window = 24_KiB}"));
}

TEST(Recommend, JsonSaysTheSame) {
  const auto document =
      nlohmann::json::parse(recommend_json(one_site(5000, 9300), fixed_options()));
  EXPECT_EQ(document["sites"][0]["limit"], 20480);
  EXPECT_EQ(document["sites"][0]["verdict"], "lower");
  EXPECT_EQ(document["pools"][0]["decided_by"], "/src/x.cpp:5");
  EXPECT_EQ(document["reserves"]["signal_frame"], 1776);
  EXPECT_EQ(document["sites"][0]["recursion"]["reserve"], 9300 / 8);
  EXPECT_FALSE(document.contains("static"));
  recommend_options options = fixed_options();
  options.code = {.file = "server", .sites = {{.root = "start", .bytes = 40000}}};
  const auto with_code = nlohmann::json::parse(recommend_json(test::sample_server(), options));
  EXPECT_EQ(with_code["static"]["file"], "server");
  EXPECT_EQ(with_code["sites"][0]["static"]["bound"], 40000);
  EXPECT_EQ(with_code["sites"][0]["static"]["sound"], true);
  EXPECT_EQ(with_code["sites"][0]["recursion"]["function"], "json_value");
  EXPECT_EQ(with_code["sites"][0]["recursion"]["reserve"], 4 * 1650);
}

TEST(Recommend, ReservesOfThisMachineHoldASignalFrame) {
  EXPECT_GE(reserves_of_this_machine().signal_frame, 1024u);
}

TEST(Recommend, AnyRecordingHasAnAnswer) {
  auto random = bast::test::random_numbers::of_this_test();
  for (int i = 0; i < 300; ++i) {
    const snapshot s = test::random_snapshot(random);
    EXPECT_FALSE(recommend_text(s).empty());
    EXPECT_FALSE(recommend_json(s).empty());
  }
}

}  // namespace
}  // namespace bast_stacks
