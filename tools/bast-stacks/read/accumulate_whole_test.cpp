// SPDX-License-Identifier: Apache-2.0
//
// Two looks that differ in every number, and the snapshot made of them.
#include <gtest/gtest.h>

#include "model/statistics.hpp"
#include "model/test_record_text.hpp"
#include "read/accumulate.hpp"
#include "read/site_index.hpp"

namespace bast_stacks {
namespace {

using test::record_text;

site looked_site(std::string where, std::uint64_t from) {
  site made;
  made.kind = bast::watch::site_kind::source;
  made.where = std::move(where);
  made.line = 7;
  made.uses = from + 1;
  made.samples = from + 2;
  made.grows = from + 3;
  made.max = from + 4;
  made.max_age_ns = from + 5;
  made.live = from + 6;
  made.held = from + 7;
  made.limit = from + 8;
  made.window = from + 9;
  made.pools = {from};
  made.histogram = {{3, from}};
  made.raw.depth = from + 10;
  return made;
}

snapshot looked(std::uint64_t from) {
  snapshot made;
  made.what = fmt::format("look {}", from);
  made.pid = from;
  made.program = fmt::format("/program/{}", from);
  made.runtime_ns = from + 20;
  made.overhead_ns = from + 30;
  made.not_seen = {fmt::format("missed by {}", from)};
  made.pools = {{.id = from, .where = {}}};
  made.sites = {looked_site("b", from)};
  made.stacks.resize(1);
  made.stacks[0].depth = from;
  return made;
}

std::string site_text(const site& earlier, const site& last) {
  snapshot before;
  before.sites = {earlier};
  snapshot after;
  after.sites = {last};
  const snapshot both = accumulate(before, after);
  EXPECT_EQ(both.sites.size(), 1U);
  return record_text(both.sites[0]);
}

TEST(AccumulateWhole, TheLastLookWithTheLargestNumbersOfAll) {
  const site small = looked_site("a", 100);
  const site large = looked_site("a", 500);
  const std::string last_of =
      "live={} held={} limit={} window={} pools=[{}] raw={{depth={} sp=0 pc=0x0 fp=0x0 top=0x0 "
      "at=0 first=0 omitted=0 []}}";
  // The last look is larger: nothing of the earlier one remains.
  EXPECT_EQ(site_text(small, large), record_text(large));
  // The earlier one is larger: its maxima, in the last look's place; their age is not known.
  EXPECT_EQ(site_text(large, small),
            "1 a 7:0 uses=501 pending=400 samples=102 grows=103 max=504 age=0 [3:100] " +
                fmt::format(fmt::runtime(last_of), 506, 507, 508, 509, 100, 510));
  // Equal: nothing is counted twice, and the age stays.
  EXPECT_EQ(site_text(small, small), record_text(small));
  // More were live at one time than were held at the end.
  site busy = small;
  busy.live = 900;
  busy.held = 1;
  EXPECT_EQ(site_text(busy, small),
            "1 a 7:0 uses=101 pending=0 samples=102 grows=103 max=104 age=105 [3:100] " +
                fmt::format(fmt::runtime(last_of), 900, 900, 108, 109, 100, 110));
  // Pending uses are those of the last look, plus those that were not measured before its end.
  site pending = small;
  pending.pending = 40;
  EXPECT_EQ(site_text(large, pending),
            "1 a 7:0 uses=501 pending=440 samples=102 grows=103 max=504 age=0 [3:100] " +
                fmt::format(fmt::runtime(last_of), 506, 507, 508, 509, 100, 510));
}

TEST(AccumulateWhole, OfTheProcessItIsWhatTheLastLookSays) {
  snapshot earlier = looked(1000);
  snapshot last = looked(2000);
  earlier.sites[0].where = "a";
  earlier.modules = {{.path = "gone", .build_id = {}, .low = 10, .high = 20},
                     {.path = "replaced", .build_id = {}, .low = 30, .high = 41},
                     {.path = "before", .build_id = {}, .low = 50, .high = 60},
                     {.path = "behind", .build_id = {}, .low = 0, .high = 5}};
  last.modules = {{.path = "new", .build_id = {}, .low = 40, .high = 50}};
  const snapshot both = accumulate(earlier, last);
  EXPECT_EQ(both.overhead_ns, 1030U + 2030U);
  EXPECT_EQ(record_text(both),
            "from=0 what=look 2000 pid=2000 program=/program/2000 library= compiler= machine=0 "
            "page=4096 built=0x0 modes=0 runtime=2020\n"
            "module behind id= base=0x0 low=0x0 high=0x5 here=\n"
            "module gone id= base=0x0 low=0xa high=0x14 here=\n"
            "module new id= base=0x0 low=0x28 high=0x32 here=\n"
            "module before id= base=0x0 low=0x32 high=0x3c here=\n"
            "pool 2000 thread=0  limit=0 guard=0 window=0 retain=0 budget=0 scrub=0 growth=0 "
            "measured=true stacks=0 live=0 resident=0\n"
            "site " +
                record_text(earlier.sites[0]) + "\nsite " + record_text(last.sites[0]) +
                "\nstack pool=0 site=1 '' low=0 open=0 depth=2000..0 resident=0 shared=false "
                "scanned=false sp=0 pc=0 fp=0 coro=false state=0 parked=false crashed=false\n"
                "not seen: missed by 2000\n");
  snapshot nameless = looked(1);
  nameless.program.clear();
  const snapshot named = accumulate(earlier, nameless);
  EXPECT_EQ(named.program, "/program/1000");
  EXPECT_EQ(named.runtime_ns, 1020U);
}

TEST(SiteIndex, SitesAreInTheOrderOfTheirNamesAndStacksFollow) {
  snapshot all;
  const auto add = [&](std::string where, std::uint32_t line, std::uint32_t column,
                       bast::watch::site_kind kind, bool cut) {
    site made;
    made.where = std::move(where);
    made.line = line;
    made.column = column;
    made.kind = kind;
    made.where_is_cut = cut;
    made.uses = all.sites.size();
    all.sites.push_back(made);
    all.stacks.emplace_back().site = all.sites.size() - 1;
  };
  using enum bast::watch::site_kind;
  add("b", 1, 1, source, false);
  add("a", 2, 1, source, false);
  add("a", 1, 2, source, true);
  add("a", 1, 2, label, false);
  add("a", 1, 2, source, false);
  add("a", 1, 1, source, false);
  add("a", 1, UINT32_MAX, source, false);
  sort_sites(all);
  std::string order;
  for (const site& each : all.sites) order += std::to_string(each.uses);
  EXPECT_EQ(order, "5423610");
  for (std::size_t i = 0; i < all.stacks.size(); ++i)
    EXPECT_EQ(all.sites[all.stacks[i].site].uses, i);
}

bast::watch::site_entry entry_of(std::uint32_t pool, std::uint32_t index, const char* where) {
  bast::watch::site_entry made{};
  made.kind = 1;
  made.pool = pool;
  made.index = index;
  made.uses = 5;
  made.held_max = 30 + index;
  std::string_view(where).copy(made.where, sizeof made.where);
  made.where_bytes = static_cast<std::uint32_t>(std::string_view(where).size());
  return made;
}

TEST(SiteIndex, APlaceIsAPoolAndAnIndex) {
  snapshot all;
  site_index book(all);
  book.enter(entry_of(1, 2, "a"), 11, 0);
  book.enter(entry_of(2, 1, "b"), 12, 0);
  book.enter(entry_of(1, 3, "b"), 11, 0);
  book.enter(entry_of(0, 0, "c"), 0, 0);  // of destroyed pools
  ASSERT_EQ(all.sites.size(), 3U);
  EXPECT_EQ(book.find(1, 2), 0U);
  EXPECT_EQ(book.find(2, 1), 1U);
  EXPECT_EQ(book.find(1, 3), 1U);
  EXPECT_EQ(all.sites[1].pools, (std::vector<std::uint64_t>{11, 12}));
  EXPECT_TRUE(all.sites[2].pools.empty());
  // A site that no record names is "(other)", created once.
  EXPECT_EQ(book.find(0, 0), 3U);
  EXPECT_EQ(book.find(9, 9), 3U);
  EXPECT_EQ(record_text(all.sites[3]),
            "0 (other) 0:0 uses=0 pending=0 samples=0 grows=0 max=0 age=0 [] live=0 held=0 "
            "limit=0 window=0 pools=[]");
  all.sites[2].held = 77;
  book.raise_held();
  EXPECT_EQ(all.sites[0].held, 32U);
  EXPECT_EQ(all.sites[1].held, 31U + 33U);
  EXPECT_EQ(all.sites[2].held, 77U);
  // An index that no slot can have belongs to no other site.
  book.enter(entry_of(1, 0x8000'0000, "far"), 11, 0);
  book.enter(entry_of(0, 0x8000'0003, "far"), 11, 0);
  EXPECT_EQ(book.find(1, 3), 1U);
  EXPECT_EQ(book.find(2, 0), 3U);
  // The next registry restarts its pool ids, and its sites are found again.
  book.next_registry();
  EXPECT_EQ(book.find(1, 2), 3U);
  book.enter(entry_of(1, 2, "b"), 13, 0);
  EXPECT_EQ(book.find(1, 2), 1U);
  EXPECT_EQ(all.sites.size(), 5U);
}

TEST(SiteIndex, ANameIsCutWhenThereWasMoreOfIt) {
  const auto of = [](std::uint32_t kind, std::uint32_t bytes) {
    bast::watch::site_entry made = entry_of(1, 1, "a.cpp");
    made.kind = kind;
    made.where_bytes = bytes;
    snapshot all;
    site_index(all).enter(made, 1, 0);
    return fmt::format("{} {} {}", static_cast<unsigned>(all.sites[0].kind), all.sites[0].where,
                       all.sites[0].where_is_cut);
  };
  EXPECT_EQ(of(0, 5), "0 a.cpp false");
  EXPECT_EQ(of(1, 4), "1 a.cpp false");
  EXPECT_EQ(of(2, 6), "2 a.cpp true");
  EXPECT_EQ(of(3, 5), "0 a.cpp false");
}

TEST(Unite, ProcessesAreAddedUp) {
  snapshot parent;
  parent.pid = 100;
  parent.library = "bast 0.1.0";
  parent.overhead_ns = 5;
  parent.built = 1;
  parent.modules = {{.path = "program", .build_id = {}, .low = 10, .high = 20}};
  parent.pools = {{.id = 3, .where = {}}, {.id = 1, .where = {}}};
  parent.sites = {looked_site("a", 100), looked_site("b", 200)};
  parent.sites[0].pools = {1, 3};
  parent.not_seen = {"x."};
  snapshot child;
  child.pid = 101;
  child.library = "another";
  child.overhead_ns = 7;
  child.built = 2;
  child.modes = 4;
  child.modules = {{.path = "program", .build_id = {}, .low = 10, .high = 20},
                   {.path = "late", .build_id = {}, .low = 30, .high = 40}};
  child.pools = {{.id = 1, .where = {}, .gone = 2}};
  child.sites = {looked_site("0", 700), looked_site("a", 500)};
  child.sites[1].pools = {1};
  child.not_seen = {"x.", "y."};
  snapshot all = parent;
  unite(all, child);
  EXPECT_EQ(all.pid, 100U);
  EXPECT_EQ(all.others, 1U);
  EXPECT_EQ(all.library, "bast 0.1.0");
  EXPECT_EQ(all.overhead_ns, 12U);
  EXPECT_EQ(all.built, 3U);
  EXPECT_EQ(all.modes, 4U);
  ASSERT_EQ(all.modules.size(), 2U);
  EXPECT_EQ(all.modules[1].path, "late");
  ASSERT_EQ(all.pools.size(), 3U);
  EXPECT_EQ(all.pools[2].id, 4U) << "each process counts from 1";
  EXPECT_EQ(all.pools[2].gone, 2U);
  ASSERT_EQ(all.sites.size(), 3U);
  site sum = parent.sites[0];
  site of_child = child.sites[1];
  of_child.pools = {4};
  merge(sum, of_child);
  EXPECT_EQ(record_text(all.sites[1]), record_text(sum));
  EXPECT_EQ(all.sites[0].where, "0");
  EXPECT_EQ(all.sites[2].where, "b");
  EXPECT_EQ(all.not_seen, (std::vector<std::string>{"x.", "y."}));
  // A second copy of the library is not another process.
  child.pid = 100;
  unite(all, child);
  EXPECT_EQ(all.others, 1U);
  EXPECT_EQ(all.pools.back().id, 5U);
}

}  // namespace
}  // namespace bast_stacks
