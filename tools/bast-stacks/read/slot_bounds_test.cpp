// SPDX-License-Identifier: Apache-2.0
//
// Slots: chunks, bounds of each number, and the record fields behind each count.
#include <gtest/gtest.h>

#include <functional>

#include "model/test_record_text.hpp"
#include "read/slot_reader.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using bast::watch::slab_entry;
using bast::watch::slot_state;
using test::record_text;
using testing::fake_slot;
using testing::scripted_memory;

constexpr std::uint64_t slots_home = 0x300'0000;
constexpr std::uint64_t stacks_home = 0x4000'0000;
constexpr std::uint64_t slot_stride = 0x10'000;
constexpr std::uint64_t slots_at_once = (std::uint64_t{1} << 20) / sizeof(fake_slot);

fake_slot slot_in(slot_state state, std::uint16_t site = 1) {
  fake_slot made{};
  made.state = static_cast<std::uint8_t>(state);
  made.site = site;
  made.top = stacks_home + slot_stride;
  made.countdown = made.period = 1;
  made.frontier = 8;
  return made;
}

/// A pool with id 41 at index 5, one with id 42 that poisons at index 6, and a slab of each.
struct slot_reading {
  registry all;
  snapshot into;
  site_index sites{into};
  std::vector<slot_place> places;
  slot_losses lost;

  explicit slot_reading(std::uint32_t opened) {
    all.header.page_bytes = 4096;
    all.header.slots = {.record_bytes = sizeof(fake_slot),
                        .name = offsetof(fake_slot, name),
                        .top = offsetof(fake_slot, top),
                        .site = offsetof(fake_slot, site),
                        .countdown = offsetof(fake_slot, countdown),
                        .period = offsetof(fake_slot, period),
                        .grows = offsetof(fake_slot, grows),
                        .frontier = offsetof(fake_slot, frontier),
                        .state = offsetof(fake_slot, state),
                        .sampled = offsetof(fake_slot, sampled),
                        .reserved = {}};
    all.pools.resize(2);
    all.pools[0].index = 5;
    all.pools[1].index = 6;
    all.pools[1].entry.scrub = 2;
    slab_entry slab{};
    slab.pool = 5;
    slab.opened = opened;
    slab.base = stacks_home;
    slab.stride = slot_stride;
    slab.guard = 0x3000;
    slab.slots = slots_home;
    all.slabs.push_back({.index = 0, .entry = slab});
    into.pools = {{.id = 1, .where = {}}, {.id = 41, .where = {}}, {.id = 42, .where = {}}};
  }
  void read(scripted_memory& target) { lost = read_slots(target, all, 1, into, sites, places); }
  std::string text() const {
    std::string made = fmt::format("unread={} damaged={} not_kept={} bad={}", lost.unread,
                                   lost.damaged, lost.not_kept, lost.bad_slabs);
    for (const live_stack& each : into.stacks) made += "\n" + record_text(each);
    return made;
  }
};

TEST(SlotBounds, SlotsAreReadWhateverTheirNumber) {
  for (const std::uint32_t opened : {0U, 1U, 2U, static_cast<std::uint32_t>(slots_at_once),
                                     static_cast<std::uint32_t>(slots_at_once) + 1,
                                     static_cast<std::uint32_t>(2 * slots_at_once) + 3}) {
    slot_reading of(opened);
    scripted_memory target;
    target.zeros_elsewhere = true;
    // The first, the last and the one after it.
    std::vector<std::uint32_t> live;
    if (opened > 1) live = {0, opened - 1};
    for (std::uint32_t i : {0U, opened == 0 ? 0 : opened - 1, opened}) {
      fake_slot made = slot_in(slot_state::live);
      made.top = stacks_home + (i + 1) * slot_stride - 64;
      target.put(slots_home + i * sizeof made, made);
    }
    of.read(target);
    if (opened == 1) live = {0};
    ASSERT_EQ(of.places.size(), live.size()) << opened;
    for (std::size_t i = 0; i < live.size(); ++i) {
      EXPECT_EQ(of.places[i].record, slots_home + live[i] * sizeof(fake_slot));
      EXPECT_EQ(of.places[i].slot.low, stacks_home + live[i] * slot_stride);
      EXPECT_EQ(of.places[i].slot.high, stacks_home + (live[i] + 1) * slot_stride);
      EXPECT_EQ(of.into.stacks[i].top, of.places[i].slot.high - 64);
    }
    EXPECT_EQ(of.into.pools[1].stacks, opened);
    EXPECT_EQ(of.into.pools[1].live, live.size());
    EXPECT_EQ(of.into.pools[0].stacks + of.into.pools[2].stacks, 0U);
    EXPECT_EQ(target.reads.size(), (opened + slots_at_once - 1) / slots_at_once);
  }
}

TEST(SlotBounds, ALiveStackIsWhereItsSlotSays) {
  slot_reading of(1);
  scripted_memory target;
  fake_slot made = slot_in(slot_state::live, 9);
  made.name = 0x7777;
  made.top = stacks_home + slot_stride - 16;
  made.countdown = 3;
  made.period = 8;
  made.grows = 6;
  made.frontier = 5;
  target.put(slots_home, made);
  of.read(target);
  EXPECT_EQ(of.text(),
            "unread=0 damaged=0 not_kept=0 bad=0\n"
            "pool=41 site=0 '' low=53232 open=45040 depth=0..0 resident=0 shared=true "
            "scanned=false sp=0 pc=0 fp=0 coro=false state=0 parked=false crashed=false");
  EXPECT_EQ(record_text(of.into.sites.at(0)),
            "0 (other) 0:0 uses=5 pending=5 samples=0 grows=6 max=0 age=0 [] live=1 held=1 "
            "limit=0 window=0 pools=[]");
  ASSERT_EQ(of.places.size(), 1U);
  EXPECT_EQ(of.places[0].name, 0x7777U);
  EXPECT_EQ(of.places[0].use, 9 | 3ULL << 16 | 8ULL << 32 | 2ULL << 48);
  EXPECT_FALSE(of.places[0].poisoned);
  slot_reading poisoned(1);
  poisoned.all.slabs[0].entry.pool = 6;
  poisoned.read(target);
  EXPECT_TRUE(poisoned.places.at(0).poisoned);
  EXPECT_EQ(poisoned.into.stacks.at(0).pool, 42U);
  EXPECT_EQ(poisoned.into.pools[2].stacks, 1U);
}

/// "live held uses damaged stacks" of one slot.
std::string counts_of(const fake_slot& slot) {
  slot_reading of(1);
  scripted_memory target;
  target.put(slots_home, slot);
  of.read(target);
  if (of.into.sites.empty()) return fmt::format("damaged={}", of.lost.damaged);
  const site& used = of.into.sites[0];
  return fmt::format("live={} held={} uses={} damaged={} stacks={}", used.live, used.held,
                     used.uses, of.lost.damaged, of.into.stacks.size());
}

TEST(SlotBounds, EachStateCountsAsWhatItIs) {
  EXPECT_EQ(counts_of(slot_in(slot_state::unopened)), "damaged=0");
  EXPECT_EQ(counts_of(slot_in(slot_state::idle)), "live=0 held=1 uses=0 damaged=0 stacks=0");
  EXPECT_EQ(counts_of(slot_in(slot_state::live)), "live=1 held=1 uses=0 damaged=0 stacks=1");
  EXPECT_EQ(counts_of(slot_in(slot_state::quarantined)), "live=0 held=1 uses=0 damaged=0 stacks=0");
  EXPECT_EQ(counts_of(slot_in(static_cast<slot_state>(4))), "damaged=1");
  EXPECT_EQ(counts_of(slot_in(static_cast<slot_state>(255))), "damaged=1");
  // A fresh one is kept for no site; one that was used for "(other)" is.
  fake_slot fresh = slot_in(slot_state::idle, 0);
  EXPECT_EQ(counts_of(fresh), "live=0 held=0 uses=0 damaged=0 stacks=0");
  fresh.period = 2;
  EXPECT_EQ(counts_of(fresh), "live=0 held=1 uses=1 damaged=0 stacks=0");
  fresh.countdown = 3;  // torn: above the period
  EXPECT_EQ(counts_of(fresh), "live=0 held=0 uses=0 damaged=0 stacks=0");
  fresh.state = static_cast<std::uint8_t>(slot_state::live);
  EXPECT_EQ(counts_of(fresh), "live=1 held=1 uses=0 damaged=0 stacks=1");
}

TEST(SlotBounds, OfTheNumbersOfALiveStack) {
  const auto with = [](const std::function<void(fake_slot&)>& change) {
    fake_slot made = slot_in(slot_state::live);
    change(made);
    return counts_of(made);
  };
  const std::string kept = "live=1 held=1 uses=0 damaged=0 stacks=1";
  const std::string damaged = "live=1 held=1 uses=0 damaged=1 stacks=0";
  EXPECT_EQ(with([](fake_slot& s) { s.top = stacks_home + 0x3000; }), damaged);
  EXPECT_EQ(with([](fake_slot& s) { s.top = stacks_home + 0x3001; }), kept);
  EXPECT_EQ(with([](fake_slot& s) { s.top = stacks_home + slot_stride; }), kept);
  EXPECT_EQ(with([](fake_slot& s) { s.top = stacks_home + slot_stride + 1; }), damaged);
  EXPECT_EQ(with([](fake_slot& s) { s.frontier = 16; }), kept);
  EXPECT_EQ(with([](fake_slot& s) { s.frontier = 17; }), damaged);
  const auto open = [](std::uint16_t frontier, std::uint64_t top) {
    slot_reading of(1);
    fake_slot made = slot_in(slot_state::live);
    made.frontier = frontier;
    made.top = stacks_home + top;
    scripted_memory target;
    target.put(slots_home, made);
    of.read(target);
    return of.into.stacks.at(0).open_low - stacks_home;
  };
  EXPECT_EQ(open(0, 0x8000), 0x3000U);  // never below its guard
  EXPECT_EQ(open(3, 0x8000), 0x3000U);
  EXPECT_EQ(open(4, 0x8000), 0x4000U);
  EXPECT_EQ(open(9, 0x8000), 0x8000U);  // nor above its top
}

TEST(SlotBounds, ASlabOfNoPoolOrOfNoSenseIsLeftOut) {
  scripted_memory target;
  target.put(slots_home, slot_in(slot_state::live));
  slot_reading homeless(1);
  homeless.all.slabs[0].entry.pool = 7;
  homeless.read(target);
  EXPECT_EQ(homeless.text(), "unread=0 damaged=0 not_kept=0 bad=1");
  slot_reading impossible(1);
  impossible.all.slabs[0].entry.guard = slot_stride;
  impossible.read(target);
  EXPECT_EQ(impossible.text(), "unread=0 damaged=0 not_kept=0 bad=1");
  EXPECT_EQ(impossible.into.pools[1].stacks, 0U);
}

TEST(SlotBounds, CountsWhatItCouldNotRead) {
  slot_reading of(static_cast<std::uint32_t>(slots_at_once) + 5);
  scripted_memory target;
  of.read(target);
  EXPECT_EQ(of.lost.unread, slots_at_once + 5);
  EXPECT_EQ(target.reads.size(), 2U);
  // Slots beyond the maximum are not read.
  slot_reading many(static_cast<std::uint32_t>(slots_max) + 9);
  many.all.slabs[0].entry.base = 0;
  many.all.slabs[0].entry.stride = 4096;
  many.all.slabs[0].entry.guard = 0;
  target.reads.clear();
  many.read(target);
  EXPECT_EQ(many.lost.unread, slots_max + 9);
  EXPECT_EQ(target.reads.size(), slots_max / slots_at_once);
  // A target that has ended is not read again, for this slab or the next.
  slot_reading ended(static_cast<std::uint32_t>(2 * slots_at_once) + 1);
  ended.all.slabs.push_back(ended.all.slabs[0]);
  target.reads.clear();
  target.before_each = [&](std::uint64_t, std::size_t) { target.end("it has ended"); };
  ended.read(target);
  EXPECT_EQ(ended.lost.unread, 2 * slots_at_once + 1);
  EXPECT_EQ(target.reads.size(), 1U);
}

TEST(SlotBounds, ReusedStacksAreForgottenWhateverTheirNumber) {
  constexpr std::size_t at_once = 4096;
  for (const std::size_t count :
       {std::size_t{0}, std::size_t{1}, at_once, at_once + 1, 2 * at_once + 1}) {
    scripted_memory target;
    std::vector<live_stack> stacks(count);
    std::vector<slot_place> places(count);
    const fake_slot same = slot_in(slot_state::live);
    for (std::size_t i = 0; i < count; ++i) {
      fake_slot now = same;
      if (i + 1 == count) now.period = 2;  // another use
      places[i].record = slots_home + i * sizeof now;
      places[i].use = 1 | 1ULL << 16 | 1ULL << 32 | 2ULL << 48;
      if (i != at_once - 1 || i + 1 == count) target.put(places[i].record, now);
      stacks[i].depth = stacks[i].depth_at_most = stacks[i].resident = 5;
      stacks[i].scanned = true;
    }
    const slot_reading of(1);
    const bool one_absent = count > at_once;
    EXPECT_EQ(forget_reused(target, of.all.header.slots, stacks, places),
              (count != 0 ? 1U : 0U) + (one_absent ? 1U : 0U));
    for (std::size_t i = 0; i < count; ++i) {
      const bool forgotten = i + 1 == count || i == at_once - 1;
      EXPECT_EQ(fmt::format("{} {} {} {}", stacks[i].depth, stacks[i].depth_at_most,
                            stacks[i].resident, stacks[i].scanned),
                forgotten ? "0 0 0 false" : "5 5 5 true")
          << i << " of " << count;
    }
  }
}

}  // namespace
}  // namespace bast_stacks
