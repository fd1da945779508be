// SPDX-License-Identifier: Apache-2.0
//
// Reports about data that was unreadable or implausible.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "read/collect.hpp"
#include "read/testing/numbered_registry.hpp"

namespace bast_stacks {
namespace {

using testing::clocks;
using testing::collected;
using ::testing::ElementsAre;
using testing::fake_registry;
using testing::numbered_registry;
using testing::own_memory;

TEST(Collect, ADeepestStackWithImpossibleNumbersIsNone) {
  using bast::watch::deepest_stack;
  const auto depth = [](const std::function<void(deepest_stack&)>& change) {
    numbered_registry one;
    change(one.fake.site(2).deepest);
    own_memory target;
    return collected(target, {one.address()}).sites[0].raw.depth;
  };
  EXPECT_EQ(depth([](deepest_stack&) {}), 2012U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.count = d.first = bast::watch::return_count; }), 2012U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.count = d.first = bast::watch::return_count + 1; }), 0U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.count = bast::watch::return_count + 1; }), 0U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.first = d.count; }), 2012U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.count = d.first - 1; }), 0U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.depth = 2013; }), 0U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.sp_depth = 2012; }), 2012U);
  EXPECT_EQ(depth([](deepest_stack& d) { d.sp_depth = 2013; }), 0U);
}

TEST(Collect, SaysWhatItLost) {
  numbered_registry one;
  auto& head = one.fake.header();
  head.pools.lost = 2;
  head.slabs.lost = 3;
  head.sites.lost = 4;
  one.fake.pool(0).measured = 0;
  one.fake.pool(0).scrub = 2;
  one.fake.use(0, 2, 100);
  one.fake.use(1, 2, 100);
  one.fake.slot(1).top += 4096;   // above its slot
  one.fake.slot(2).state = 4;     // not a state
  one.fake.site(2).sequence = 1;  // always being written
  one.fake.site(2).deepest.sequence = 3;
  one.fake.slab(1) = one.fake.slab(0);
  one.fake.slab(1).pool = 3;
  head.slabs.used = 2;
  own_memory target;
  const snapshot seen = collected(target, {one.address()});
  EXPECT_THAT(
      seen.not_seen,
      ElementsAre(
          "Pools that had no room in the registry: 2.",
          "Reservations of stacks that had no room in the registry: 3.",
          "Pools that do not measure depths: 1; stack_options::measure is false.",
          "Sites that were being written whenever they were read: 1; their numbers may be apart by "
          "one measurement.",
          "Deepest stacks that were being written whenever they were read: 1; they are left out.",
          "Sites that had no room in the registry: 4.",
          "Stacks that were changing while they were read: 2; they are left out.",
          "Reservations of stacks with impossible numbers or without a pool: 1.",
          "Live stacks in pools that poison stacks: 1; bytes 0xfb at their deep end count as not "
          "used."));
  EXPECT_EQ(seen.sites[0].raw.depth, 0U);
  EXPECT_EQ(seen.sites[0].live, 2U);  // counted, not listed
  EXPECT_EQ(seen.stacks.size(), 1U);
}

TEST(Collect, SaysWhatItCouldNotRead) {
  numbered_registry one;
  one.fake.use(0, 2, 100);
  const auto lost = [&](const void* from, std::uint64_t bytes) {
    own_memory target;
    target.absent.low = reinterpret_cast<std::uint64_t>(from);
    target.absent.high = target.absent.low + bytes;
    return collected(target, {one.address()}).not_seen;
  };
  EXPECT_THAT(lost(&one.fake.site(2), 4096), ElementsAre("Sites that could not be read: 1."));
  EXPECT_THAT(lost(&one.fake.slot(0), 128),
              ElementsAre("Stacks whose record could not be read: 4."));
  EXPECT_THAT(lost(&one.fake.block(0), 64),
              ElementsAre("Control blocks that could not be read: 64; where their coroutines are "
                          "suspended is not known."));
  EXPECT_THAT(lost(&one.fake.slab(0), 64),
              ElementsAre("Records of pools and their memory that could not be read: 1."));
  EXPECT_THAT(lost(one.fake.top(0) - 4096, 4096),
              ElementsAre("Live stacks of unknown depth: 1; they could not be read."));
}

TEST(Collect, WithoutRegistryOrPoolItSaysWhy) {
  const auto error = [](const std::function<void(fake_registry&)>& change) {
    fake_registry fake;
    change(fake);
    own_memory target;
    snapshot into;
    into.what = "test";
    const auto good = collect(target, {fake.header().self}, clocks, into);
    return good ? std::string("fine") : good.error().what + "|" + good.error().remedy;
  };
  EXPECT_EQ(error([](fake_registry&) {}), "fine");
  EXPECT_EQ(error([](fake_registry& fake) {
              fake.header().pools.used = fake.header().slabs.used = fake.header().sites.used = 0;
            }),
            "test has bast, and a registry, but no pool|try again when it has started its first "
            "coroutine");
  EXPECT_EQ(error([](fake_registry& fake) { fake.header().magic = 0; }).substr(0, 16),
            "the registry at ");
}

}  // namespace
}  // namespace bast_stacks
