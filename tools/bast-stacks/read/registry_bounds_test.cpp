// SPDX-License-Identifier: Apache-2.0
//
// Each number of a registry's header at its bound, one below and one above, with the whole text of
// the refusal; and tables of more entries than one read takes.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "model/test_record_text.hpp"
#include "read/registry.hpp"
#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using bast::watch::header;
using test::error_text;
using testing::scripted_memory;

constexpr std::uint64_t home = 0x10'0000;

/// A registry that consists of a header whose tables take all of its room.
header bare_header() {
  header made{};
  made.magic = bast::watch::magic;
  made.version_major = bast::watch::version_major;
  made.version_minor = 7;
  made.header_bytes = sizeof made;
  made.pointer_bytes = 8;
  made.page_bytes = 4096;
  made.pools = {.offset = 512, .record_bytes = 256, .capacity = 2, .used = 0, .lost = 0};
  made.slabs = {.offset = 1024, .record_bytes = 64, .capacity = 4, .used = 1, .lost = 0};
  made.sites = {.offset = 4096, .record_bytes = 4096, .capacity = 3, .used = 0, .lost = 0};
  made.bytes = 4096 + 3 * 4096;
  made.coros = 0x9000;
  made.slots = {.record_bytes = 31,
                .name = 0,
                .top = 8,
                .site = 16,
                .countdown = 18,
                .period = 20,
                .grows = 22,
                .frontier = 24,
                .state = 26,
                .sampled = 27,
                .reserved = {}};
  made.blocks = {.record_bytes = 47,
                 .sp = 0,
                 .pc = 8,
                 .fp = 16,
                 .tag = 24,
                 .stack = 32,
                 .head_every = 64,
                 .newest = 0,
                 .outer = 0,
                 .reserved = {}};
  return made;
}

std::string verdict_of(const std::function<void(header&)>& change, std::uint64_t at = home) {
  header head = bare_header();
  change(head);
  scripted_memory target;
  target.put(at, head);
  return error_text(read_registry(target, at));
}

/// The error about a damaged number.
std::string damaged(std::string_view field, std::uint64_t value) {
  return fmt::format("3 the registry at 0x100000 is damaged: {} is {}", field, value);
}

TEST(RegistryBounds, OfTheHeaderItself) {
  const std::string at = "3 the registry at 0x100000 ";
  EXPECT_EQ(verdict_of([](header&) {}), "fine");
  EXPECT_EQ(verdict_of([](header& h) { h.magic ^= 1; }),
            at + "does not begin with its magic number");
  EXPECT_EQ(verdict_of([](header& h) { h.version_major = 2; }),
            at + "has version 2.7; this program reads version 1 | use the bast-stacks of the "
                 "program's own version of bast");
  EXPECT_EQ(verdict_of([](header& h) { h.header_bytes = 511; }), damaged("header_bytes", 511));
  for (const std::uint16_t bytes : std::array<std::uint16_t, 3>{4, 7, 9})
    EXPECT_EQ(verdict_of([&](header& h) { h.pointer_bytes = bytes; }),
              damaged("pointer_bytes", bytes));
  for (const std::uint32_t page : {0U, 1U, 2048U, 4095U, 4097U, 12'288U, 65'535U, 131'072U})
    EXPECT_EQ(verdict_of([&](header& h) { h.page_bytes = page; }), damaged("page_bytes", page));
  for (const std::uint32_t page : {4096U, 16'384U, 65'536U})
    EXPECT_EQ(verdict_of([&](header& h) { h.page_bytes = page; }), "fine") << page;
  constexpr std::uint64_t most = std::uint64_t{1} << 40;
  EXPECT_EQ(verdict_of([](header& h) { h.bytes = most; }), "fine");
  EXPECT_EQ(verdict_of([](header& h) { h.bytes = most + 1; }), damaged("bytes", most + 1));
  constexpr std::uint64_t high = UINT64_MAX - 4 * 4096;
  EXPECT_EQ(verdict_of([](header&) {}, high), "fine");
  EXPECT_EQ(verdict_of([](header& h) { h.bytes = UINT64_MAX - high; }, high), "fine");
  EXPECT_EQ(verdict_of([](header& h) { h.bytes = UINT64_MAX - high + 1; }, high),
            fmt::format("3 the registry at {:#x} reaches beyond the end of memory", high));
}

TEST(RegistryBounds, OfItsTables) {
  struct known {
    const char* name;
    bast::watch::table header::* table;
    std::uint32_t least;
  };
  for (const auto& [name, table, least] :
       {known{"pools", &header::pools, 256}, known{"slabs", &header::slabs, 64},
        known{"sites", &header::sites, 4096}}) {
    const auto field = [&](const char* of) { return fmt::format("{}.{}", name, of); };
    const auto with = [&](const std::function<void(bast::watch::table&)>& change) {
      return verdict_of([&](header& h) {
        h.bytes = 1 << 20;
        change(h.*table);
      });
    };
    EXPECT_EQ(with([&](auto& t) { t.record_bytes = least - 1; }),
              damaged(field("record_bytes"), least - 1));
    EXPECT_EQ(with([&](auto& t) { t.record_bytes = least; }), "fine");
    EXPECT_EQ(with([&](auto& t) { t.record_bytes = 65'536; }), "fine");
    EXPECT_EQ(with([&](auto& t) { t.record_bytes = 65'537; }),
              damaged(field("record_bytes"), 65'537));
    EXPECT_EQ(with([&](auto& t) { t.used = t.capacity; }), "fine");
    EXPECT_EQ(with([&](auto& t) { t.used = t.capacity = 1; }), "fine");
    EXPECT_EQ(with([&](auto& t) { t.used = t.capacity + 1; }),
              damaged(field("used"), (bare_header().*table).capacity + 1));
    EXPECT_EQ(with([&](auto& t) { t.offset = 512; }), "fine");
    EXPECT_EQ(with([&](auto& t) { t.offset = 511; }), damaged(field("offset"), 511));
    const std::uint64_t last = (1 << 20) - std::uint64_t{least} * (bare_header().*table).capacity;
    EXPECT_EQ(with([&](auto& t) { t.offset = last; }), "fine");
    EXPECT_EQ(with([&](auto& t) { t.offset = last + 1; }), damaged(field("offset"), last + 1));
    EXPECT_EQ(with([&](auto& t) { t.offset = UINT64_MAX - 64; }),
              damaged(field("offset"), UINT64_MAX - 64));
    EXPECT_EQ(with([&](auto& t) { t.capacity = UINT32_MAX; }),
              damaged(field("offset"), (bare_header().*table).offset));
  }
}

TEST(RegistryBounds, OfItsRecords) {
  using bast::watch::coro_layout;
  using bast::watch::slot_layout;
  struct slot_field {
    std::uint16_t slot_layout::* at;
    std::uint16_t bytes;
  };
  for (const auto& [at, bytes] :
       {slot_field{&slot_layout::name, 8}, slot_field{&slot_layout::top, 8},
        slot_field{&slot_layout::site, 2}, slot_field{&slot_layout::countdown, 2},
        slot_field{&slot_layout::period, 2}, slot_field{&slot_layout::grows, 2},
        slot_field{&slot_layout::frontier, 2}, slot_field{&slot_layout::state, 1},
        slot_field{&slot_layout::sampled, 1}}) {
    const auto last = static_cast<std::uint16_t>(31 - bytes);
    EXPECT_EQ(verdict_of([&](header& h) { h.slots.*at = last; }), "fine");
    EXPECT_EQ(verdict_of([&](header& h) { h.slots.*at = last + 1; }),
              damaged("an offset in slots", last + 1));
  }
  for (const auto at : {&coro_layout::sp, &coro_layout::pc, &coro_layout::fp, &coro_layout::tag,
                        &coro_layout::stack}) {
    EXPECT_EQ(verdict_of([&](header& h) { h.blocks.*at = 39; }), "fine");
    EXPECT_EQ(verdict_of([&](header& h) { h.blocks.*at = 40; }),
              damaged("an offset in blocks", 40));
  }
  for (const std::uint16_t bytes : std::array<std::uint16_t, 2>{0, 4097}) {
    EXPECT_EQ(verdict_of([&](header& h) { h.slots.record_bytes = bytes; }),
              damaged("slots.record_bytes", bytes));
    EXPECT_EQ(verdict_of([&](header& h) { h.blocks.record_bytes = bytes; }),
              damaged("blocks.record_bytes", bytes));
  }
  EXPECT_EQ(verdict_of([](header& h) { h.slots.record_bytes = h.blocks.record_bytes = 4096; }),
            "fine");
  // Before the first pool the slots are not described, before the first coroutine the blocks.
  EXPECT_EQ(verdict_of([](header& h) {
              h.slabs.used = 0;
              h.slots = {};
            }),
            "fine");
  EXPECT_EQ(verdict_of([](header& h) {
              h.coros = 0;
              h.blocks = {};
            }),
            "fine");
}

TEST(RegistryBounds, ATableIsReadWholeWhateverItsLength) {
  constexpr std::uint32_t batch = 1024;
  for (const std::uint32_t used : {0U, 1U, batch - 1, batch, batch + 1, 2 * batch, 2 * batch + 3}) {
    header head = bare_header();
    head.pools.used = 2;
    head.slabs = {.offset = 4096, .record_bytes = 80, .capacity = 5000, .used = used, .lost = 0};
    head.bytes = 1 << 20;
    scripted_memory target;
    target.put(home, head);
    bast::watch::pool_entry pool{};
    pool.state = 1;
    pool.id = 500;
    target.put(home + 512, pool);
    std::vector<std::uint32_t> expected;
    std::uint64_t absent = 1;  // the second pool
    for (std::uint32_t i = 0; i < used; ++i) {
      bast::watch::slab_entry slab{};
      slab.state = i % 3;  // free, open, closed
      slab.pool = 7000 + i;
      if (i % 3 == 1) expected.push_back(i);
      if (i % 7 == 0) {
        ++absent;
        if (i % 3 == 1) expected.pop_back();
        continue;
      }
      target.put(home + 4096 + std::uint64_t{i} * 80, slab);
    }
    const auto all = read_registry(target, home);
    ASSERT_TRUE(all) << error_text(all);
    EXPECT_EQ(all->address, home);
    ASSERT_EQ(all->pools.size(), 1U);
    EXPECT_EQ(all->pools[0].index, 0U);
    EXPECT_EQ(all->pools[0].entry.id, 500U);
    EXPECT_EQ(all->unread, absent);
    ASSERT_EQ(all->slabs.size(), expected.size()) << used;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(all->slabs[i].index, expected[i]);
      EXPECT_EQ(all->slabs[i].entry.pool, 7000 + expected[i]);
    }
  }
}

TEST(RegistryBounds, OfMoreEntriesThanAreLookedAtTheRestIsUnread) {
  for (const std::uint32_t more : {0U, 1U, 5U}) {
    header head = bare_header();
    head.pools = {.offset = 512,
                  .record_bytes = 256,
                  .capacity = pools_max + 9,
                  .used = pools_max + more,
                  .lost = 0};
    head.slabs.used = 0;
    head.bytes = 1 << 30;
    bast::watch::pool_entry last{};
    last.state = 1;
    scripted_memory target;
    target.put(home, head);
    target.put(home + 512 + std::uint64_t{pools_max - 1} * 256, last);
    target.put(home + 512 + std::uint64_t{pools_max} * 256, last);
    const auto all = read_registry(target, home);
    ASSERT_TRUE(all);
    ASSERT_EQ(all->pools.size(), 1U);
    EXPECT_EQ(all->pools[0].index, pools_max - 1);
    EXPECT_EQ(all->unread, pools_max - 1 + more);
  }
}

TEST(RegistryBounds, ATargetThatEndsMeanwhileSaysWhy) {
  scripted_memory target;
  EXPECT_EQ(error_text(read_registry(target, home)), "3 the registry at 0x100000 cannot be read");
  header head = bare_header();
  head.pools.used = 1;
  target.put(home, head);
  target.before_each = [&](std::uint64_t address, std::size_t) {
    if (address == home + 512) target.end("it has ended");
  };
  EXPECT_EQ(error_text(read_registry(target, home)), "3 it has ended");
  EXPECT_EQ(target.reads.size(), 3U);  // the head and the pool again, no slab
  EXPECT_EQ(error_text(read_registry(target, home)), "3 it has ended");
}

TEST(RegistryBounds, OfASlabOneCanComputeWith) {
  registry all;
  all.header.page_bytes = 4096;
  all.header.slots.record_bytes = 32;
  const auto possible = [&](const std::function<void(bast::watch::slab_entry&)>& change) {
    bast::watch::slab_entry slab{};
    slab.opened = 8;
    slab.base = 0x10000;
    slab.stride = 16'384;
    slab.guard = 4096;
    slab.slots = 0x5000;
    change(slab);
    return is_possible(all, slab);
  };
  using slab = bast::watch::slab_entry;
  EXPECT_TRUE(possible([](slab&) {}));
  EXPECT_FALSE(possible([](slab& s) { s.stride = 0; }));
  EXPECT_FALSE(possible([](slab& s) { s.stride = 16'385; }));
  EXPECT_FALSE(possible([](slab& s) { s.stride = 18'432; }));
  EXPECT_TRUE(possible([](slab& s) { s.stride = 65'535ULL * 4096; }));
  EXPECT_FALSE(possible([](slab& s) { s.stride = 65'536ULL * 4096; }));
  EXPECT_TRUE(possible([](slab& s) { s.guard = 16'383; }));
  EXPECT_FALSE(possible([](slab& s) { s.guard = 16'384; }));
  EXPECT_TRUE(possible([](slab& s) { s.base = UINT64_MAX - 8 * 16'384; }));
  EXPECT_FALSE(possible([](slab& s) { s.base = UINT64_MAX - 8 * 16'384 + 1; }));
  EXPECT_TRUE(possible([](slab& s) { s.slots = UINT64_MAX - 8 * 32; }));
  EXPECT_FALSE(possible([](slab& s) { s.slots = UINT64_MAX - 8 * 32 + 1; }));
  EXPECT_TRUE(possible([](slab& s) { s.opened = 0; }));
}

}  // namespace
}  // namespace bast_stacks
