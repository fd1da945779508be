// SPDX-License-Identifier: Apache-2.0
//
// Reads compared record by record: every field of the registry has a distinct value, and must
// arrive in its own place.
#include "read/collect.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/test_record_text.hpp"
#include "read/accumulate.hpp"
#include "read/testing/numbered_registry.hpp"

namespace bast_stacks {
namespace {

using test::record_text;
using test::record_texts;
using testing::collected;
using ::testing::ElementsAre;
using testing::numbered_raw;
using testing::numbered_registry;
using testing::own_memory;

TEST(Collect, EveryFieldOfASiteAndAPoolIsInItsPlace) {
  numbered_registry one;
  own_memory target;
  const snapshot seen = collected(target, {one.address()});
  EXPECT_THAT(record_texts(seen.pools),
              ElementsAre("41 thread=77 /src/pool.cpp:12 limit=1001 guard=1002 window=1003 "
                          "retain=1004 budget=1005 scrub=1 growth=1 measured=true stacks=4 live=0 "
                          "resident=0 max=2012"));
  EXPECT_THAT(
      record_texts(seen.sites),
      ElementsAre("1 .../src/a.cpp 2001:2002 uses=2005 pending=0 samples=2006 grows=2007 max=2012 "
                  "age=6987 [0:5 511:6] live=0 held=2011 limit=2003 window=2004 pools=[41]" +
                      std::string(numbered_raw),
                  "2 worker 0:0 uses=0 pending=0 samples=0 grows=0 max=0 age=0 [] live=0 held=0 "
                  "limit=57344 window=16384 pools=[41]"));
  EXPECT_EQ(seen.library, "bast 0.0.fake");
  EXPECT_EQ(seen.compiler, "gcc 12.2.0");
  EXPECT_EQ(seen.pid, 4711U);
  EXPECT_EQ(seen.machine, 183U);
  EXPECT_EQ(seen.page_bytes, 4096U);
  EXPECT_EQ(seen.built, bast::watch::built_hardened | bast::watch::built_coverage);
  EXPECT_EQ(seen.modes, bast::watch::mode_deepest);
  EXPECT_EQ(seen.runtime_ns, 60'000U);
  EXPECT_TRUE(seen.stacks.empty());
  EXPECT_TRUE(seen.not_seen.empty());
}

TEST(Collect, WhatHasNoSiteIsARowOnlyWhereSomethingRan) {
  numbered_registry one;
  const auto names = [&] {
    own_memory target;
    std::string all;
    for (const site& each : collected(target, {one.address()}).sites) all += each.where + ' ';
    return all;
  };
  EXPECT_EQ(names(), "/src/a.cpp worker ");
  one.fake.site(0).overflows = 1;
  EXPECT_EQ(names(), "(other) /src/a.cpp worker ");
  one.fake.site(0).overflows = 0;
  one.fake.use(0, 0, 100);
  EXPECT_EQ(names(), "(other) /src/a.cpp worker ");
}

TEST(Collect, AnOverflowIsDepthThoughNoUseEnded) {
  numbered_registry one;
  bast::watch::site_entry& entry = one.fake.site(2);
  entry.uses = entry.samples = entry.max = entry.max_at_ns = 0;
  entry.overflows = 3;
  entry.limit = 2000;
  own_memory target;
  const snapshot seen = collected(target, {one.address()});
  EXPECT_EQ(seen.sites[0].overflows, 3U);
  EXPECT_EQ(seen.sites[0].max, 2012U);
  EXPECT_EQ(seen.sites[0].max_in_limit, 0U) << "it is `max`";
  EXPECT_EQ(seen.sites[0].max_age_ns, 6987U);
}

TEST(Collect, PoolsThatAreGoneAreListedWithWhatTheirSitesCounted) {
  numbered_registry one;
  one.fake.slab(0).state = static_cast<std::uint32_t>(bast::watch::entry_state::free);
  bast::watch::pool_entry& entry = one.fake.pool(0);
  entry.state = static_cast<std::uint32_t>(bast::watch::entry_state::closed);
  entry.gone = 0;
  const auto pools = [&] {
    own_memory target;
    const snapshot seen = collected(target, {one.address()});
    EXPECT_EQ(seen.sites[0].pools, std::vector<std::uint64_t>(seen.pools.size(), 41));
    return record_texts(seen.pools);
  };
  EXPECT_TRUE(pools().empty()) << "one that is being written";
  entry.gone = 3;
  entry.stacks_max = 17;
  EXPECT_THAT(pools(), ElementsAre("41 thread=77 /src/pool.cpp:12 limit=1001 guard=1002 "
                                   "window=1003 retain=1004 budget=1005 scrub=1 growth=1 "
                                   "measured=true stacks=17 live=0 resident=0 gone=3 "
                                   "max=2012"));
}

TEST(Collect, APoolWithoutASiteIsSeen) {
  numbered_registry one;
  one.fake.header().sites.used = 0;
  one.fake.slab(0).state = static_cast<std::uint32_t>(bast::watch::entry_state::free);
  own_memory target;
  const snapshot seen = collected(target, {one.address()});
  EXPECT_EQ(seen.pools.size(), 1U);
  EXPECT_TRUE(seen.sites.empty());
}

TEST(Collect, ItRunsSinceItStartedWhereThatIsKnown) {
  const auto runs = [](std::uint64_t started, std::uint64_t boot) {
    numbered_registry one;
    one.fake.header().started_ns = started;
    own_memory target;
    return collected(target, {one.address()}, {.now_ns = 1, .boot_ns = boot}).runtime_ns;
  };
  EXPECT_EQ(runs(7, 10), 3U);
  EXPECT_EQ(runs(10, 10), 0U);
  EXPECT_EQ(runs(11, 10), 0U);
  EXPECT_EQ(runs(0, 10), 0U);
}

TEST(Collect, ReadingTwiceCountsOnce) {
  numbered_registry one;
  one.fake.use(1, 2, 5000, "twice");
  one.fake.slot(1).grows = 3;
  one.fake.slot(1).period = 100;
  one.fake.slot(1).countdown = 93;
  own_memory target;
  const snapshot first = collected(target, {one.address()});
  const snapshot second = collected(target, {one.address()});
  EXPECT_EQ(record_texts(first.sites), record_texts(second.sites));
  EXPECT_EQ(record_texts(first.pools), record_texts(second.pools));
  EXPECT_EQ(record_texts(first.stacks), record_texts(second.stacks));
  const snapshot both = accumulate(first, second);
  EXPECT_EQ(record_texts(both.sites), record_texts(second.sites));
  EXPECT_EQ(record_texts(both.pools), record_texts(second.pools));
  EXPECT_EQ(record_text(both.sites[0]),
            "1 .../src/a.cpp 2001:2002 uses=2012 pending=7 samples=2006 grows=2010 max=5000 age=0 "
            "[0:5 511:6] live=1 held=2011 limit=1001 window=2004 pools=[41]" +
                std::string(numbered_raw));
}

TEST(Collect, EveryFieldOfALiveStackIsInItsPlace) {
  numbered_registry one;
  auto& used = one.fake.use(2, 2, 20'000, "parked");
  used.countdown = 4;
  used.period = 9;
  auto& block = one.fake.run(2, bast::watch::coro_state::suspended, bast::watch::coro_flag_parked);
  block.sp = reinterpret_cast<std::uint64_t>(one.fake.top(2)) - 96;
  block.pc = 3001;
  block.fp = 3002;
  one.fake.use(3, 1, 0);
  own_memory target;
  const snapshot seen = collected(target, {one.address()});
  EXPECT_THAT(record_texts(seen.stacks),
              ElementsAre("pool=41 site=0 'parked' low=57344 open=20480 depth=20000..20480 "
                          "resident=20480 shared=true scanned=true sp=96 pc=3001 fp=3002 coro=true "
                          "state=3 parked=true crashed=false",
                          "pool=41 site=1 '' low=57344 open=16384 depth=0..16384 resident=16384 "
                          "shared=false scanned=true sp=0 pc=0 fp=0 coro=false state=0 "
                          "parked=false crashed=false"));
  EXPECT_EQ(seen.pools[0].live, 2U);
  EXPECT_EQ(seen.pools[0].resident, 20'480U + 16'384U);
}

TEST(Collect, ABlockTellsRegistersOnlyWhileSuspendedAndOnItsStack) {
  numbered_registry one;
  one.fake.use(0, 2, 100);
  const auto top = reinterpret_cast<std::uint64_t>(one.fake.top(0));
  const std::uint64_t low = top - (64 << 10) + 8192;
  const auto told = [&](std::uint64_t sp, bast::watch::coro_state state) {
    one.fake.run(0, state).sp = sp;
    one.fake.block(0).pc = 5;
    own_memory target;
    const snapshot seen = collected(target, {one.address()});
    return fmt::format("{} {} {}", seen.stacks[0].sp == sp, seen.stacks[0].pc,
                       seen.stacks[0].coro != 0);
  };
  using enum bast::watch::coro_state;
  EXPECT_EQ(told(low, suspended), "true 5 true");
  EXPECT_EQ(told(low - 1, suspended), "false 0 true");
  EXPECT_EQ(told(top, suspended), "true 5 true");
  EXPECT_EQ(told(top + 1, suspended), "false 0 true");
  EXPECT_EQ(told(top - 8, running), "false 0 true");
  EXPECT_EQ(told(top - 8, ready), "false 0 true");
  for (const auto gone : {free, finished, retired}) EXPECT_EQ(told(top - 8, gone), "false 0 false");
}

TEST(Collect, SeveralRegistriesAreJoined) {
  numbered_registry one;
  numbered_registry two;
  auto& head = two.fake.header();
  head.pid = 99;
  head.started_ns = 30'000;
  head.built = bast::watch::built_valgrind;
  head.modes = bast::watch::mode_shared;
  std::string_view("bast 7").copy(head.library, sizeof head.library);
  head.library[6] = '\0';
  own_memory target;
  const snapshot seen = collected(target, {one.address(), two.address()});
  EXPECT_EQ(seen.library, "bast 0.0.fake, bast 7");
  EXPECT_EQ(seen.compiler, "gcc 12.2.0");
  EXPECT_EQ(seen.pid, 4711U);
  EXPECT_EQ(seen.built, bast::watch::built_hardened | bast::watch::built_coverage |
                            bast::watch::built_valgrind);
  EXPECT_EQ(seen.modes, bast::watch::mode_deepest | bast::watch::mode_shared);
  EXPECT_EQ(seen.runtime_ns, 60'000U);
  ASSERT_EQ(seen.pools.size(), 2U);
  EXPECT_EQ(seen.pools[1].id, 82U);  // Each registry counts from 1.
  EXPECT_EQ(record_text(seen.sites[0]),
            "1 .../src/a.cpp 2001:2002 uses=4010 pending=0 samples=4012 grows=4014 max=2012 "
            "age=6987 [0:10 511:12] live=0 held=4022 limit=2003 window=2004 pools=[41, 82]" +
                std::string(numbered_raw));
}

TEST(Collect, AnAgeIsToldOnlyWhenItCanBe) {
  const auto age = [](std::uint64_t max, std::uint64_t at, std::uint64_t now) {
    numbered_registry one;
    one.fake.site(2).max = max;
    one.fake.site(2).max_at_ns = at;
    one.fake.site(2).deepest = {};
    own_memory target;
    return collected(target, {one.address()}, {.now_ns = now}).sites[0].max_age_ns;
  };
  EXPECT_EQ(age(1, 5, 6), 1U);
  EXPECT_EQ(age(1, 5, 5), 0U);
  EXPECT_EQ(age(1, 6, 5), 0U);
  EXPECT_EQ(age(1, 0, 5), 0U);
  EXPECT_EQ(age(0, 4, 5), 0U);
}

}  // namespace
}  // namespace bast_stacks
