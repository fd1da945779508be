// SPDX-License-Identifier: Apache-2.0
//
// The registry's view of coroutines.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "bast/coro.hpp"

namespace bast {
namespace {

using namespace bast::literals;

template <class T>
T* table_at(const watch::table& where) {
  return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(watch::registry()) + where.offset);
}

const watch::site_entry* site_in(watch::entry_state state, std::string_view where) {
  const watch::header& head = *watch::registry();
  const auto* const all = table_at<watch::site_entry>(head.sites);
  for (std::uint32_t i = 0; i < head.sites.used; ++i) {
    const bool found = all[i].state == static_cast<std::uint32_t>(state);
    if (found && all[i].where == where) return all + i;
  }
  return nullptr;
}

const watch::site_entry* open_site(std::string_view where) {
  return site_in(watch::entry_state::open, where);
}

const watch::pool_entry* pool_of(const watch::site_entry& site) {
  return table_at<watch::pool_entry>(watch::registry()->pools) + site.pool;
}

/// Goes `deep` bytes below the caller.
[[gnu::noinline, gnu::no_sanitize_address]] int descend(std::size_t deep) {
  volatile char frame[1024];
  frame[0] = 1;
  frame[1023] = 2;
  asm volatile("" : : "r"(frame) : "memory");  // The frame escapes: no recursion becomes a loop.
  return deep <= sizeof frame ? frame[0] : descend(deep - sizeof frame) + frame[1023];
}

TEST(Watch, APoolTellsItsOptionsAndWhereItWasMade) {
  auto pool = coro_pool::create({.stack = {.limit = 128_KiB, .window = 8_KiB, .retain = 16_KiB}});
  ASSERT_TRUE(pool);
  auto walker = pool->acquire();
  ASSERT_FALSE(walker->start("options", [] {}).failed());
  const watch::site_entry* const site = open_site("options");
  ASSERT_NE(site, nullptr);
  const watch::pool_entry* const entry = pool_of(*site);
  EXPECT_EQ(entry->state, static_cast<std::uint32_t>(watch::entry_state::open));
  EXPECT_EQ(entry->limit, (128_KiB).count);
  EXPECT_EQ(entry->guard, (64_KiB).count);
  if (!BAST_WITH_VALGRIND) {  // whose stacks are open from the start
    EXPECT_EQ(entry->window, (8_KiB).count);
    EXPECT_EQ(entry->retain, (16_KiB).count);
  }
  EXPECT_EQ(entry->owner_thread, static_cast<std::uint32_t>(::gettid()));
  EXPECT_NE(std::string(entry->where).find("watch_test.cpp:"), std::string::npos) << entry->where;
  EXPECT_EQ(site->limit, entry->limit);
}

TEST(Watch, AUseIsInTheRegistryWhenItIsReleased) {
  auto pool = coro_pool::create();
  {
    auto walker = pool->acquire();
    ASSERT_FALSE(walker->start("released", [] { descend(10'000); }).failed());
  }
  const watch::site_entry* const site = open_site("released");
  ASSERT_NE(site, nullptr);
  EXPECT_EQ(site->uses, 1U);
  EXPECT_EQ(site->samples, 1U);
  EXPECT_GE(site->max, 9'000U);
  EXPECT_EQ(site->histogram[watch::bucket_of(site->max)], 1U);
  EXPECT_NE(site->max_at_ns, 0U);
}

TEST(Watch, ASiteKnowsHowManyStacksItHeld) {
  auto pool = coro_pool::create();
  {
    std::vector<coro<>> crowd;
    for (int i = 0; i < 5; ++i) {
      crowd.push_back(pool->acquire().value());
      ASSERT_FALSE(crowd.back().start("held", [] { (void)this_coro::yield(); }).failed());
    }
    for (auto& one : crowd) ASSERT_FALSE(one.resume().failed());
  }
  const watch::site_entry* const site = open_site("held");
  ASSERT_NE(site, nullptr);
  EXPECT_EQ(site->held, 5U);
  EXPECT_EQ(site->held_max, 5U);
  pool->check_invariants();
  pool->shrink();
  EXPECT_EQ(site->held, 0U);
  EXPECT_EQ(site->held_max, 5U);
  pool->check_invariants();
}

TEST(Watch, R2_UsesThatArePendingAreRecordedWhenThePoolDies) {
  constexpr std::uint32_t uses = samples_in_full + 100;
  auto pool = coro_pool::create({.stack = {.scrub = stack_scrub::none}});
  for (std::uint32_t i = 0; i < uses; ++i) {
    auto walker = pool->acquire();
    ASSERT_FALSE(walker->start("pending", [i] { descend(i == uses - 1 ? 12'000 : 100); }).failed());
  }
  ASSERT_NE(open_site("pending"), nullptr);
  // Includes pools of earlier tests.
  const watch::site_entry* const before = site_in(watch::entry_state::closed, "pending");
  const std::uint64_t uses_before = before != nullptr ? before->uses : 0;
  pool = coro_pool::create();
  EXPECT_EQ(open_site("pending"), nullptr);
  const watch::site_entry* const site = site_in(watch::entry_state::closed, "pending");
  ASSERT_NE(site, nullptr);
  EXPECT_EQ(site->uses, uses_before + uses);
  EXPECT_GE(site->max, 11'000U) << "the last use, which was no sample";
}

TEST(Watch, SlotsAndBlocksAreWhereTheHeaderSays) {
  auto pool = coro_pool::create();
  auto walker = pool->acquire();
  ASSERT_FALSE(walker->start("layout", [] { (void)this_coro::yield(); }).failed());
  const watch::header& head = *watch::registry();
  const auto* const slabs = table_at<watch::slab_entry>(head.slabs);
  const watch::site_entry* const site = open_site("layout");
  ASSERT_NE(site, nullptr);
  const std::byte* slot = nullptr;
  std::uint64_t top = 0;
  for (std::uint32_t i = 0; i < head.slabs.used; ++i) {
    if (slabs[i].state != static_cast<std::uint32_t>(watch::entry_state::open)) continue;
    if (slabs[i].pool != site->pool) continue;
    for (std::uint32_t at = 0; at < slabs[i].opened; ++at) {
      const auto* const record =
          reinterpret_cast<const std::byte*>(slabs[i].slots) + at * head.slots.record_bytes;
      const auto state = static_cast<watch::slot_state>(record[head.slots.state]);
      if (state != watch::slot_state::live) continue;
      slot = record;
      std::memcpy(&top, record + head.slots.top, sizeof top);
      EXPECT_GT(top, slabs[i].base + at * slabs[i].stride + slabs[i].guard);
      EXPECT_LE(top, slabs[i].base + (at + 1) * slabs[i].stride);
    }
  }
  ASSERT_NE(slot, nullptr);
  const auto* const blocks = reinterpret_cast<const std::byte*>(head.coros);
  int found = 0;
  for (std::size_t at = 0; at < head.coros_bytes; at += head.blocks.record_bytes) {
    if (at / head.blocks.record_bytes % head.blocks.head_every == 0) continue;
    std::uint64_t stack = 0;
    std::uint64_t tag = 0;
    std::uint64_t sp = 0;
    std::memcpy(&stack, blocks + at + head.blocks.stack, sizeof stack);
    std::memcpy(&tag, blocks + at + head.blocks.tag, sizeof tag);
    std::memcpy(&sp, blocks + at + head.blocks.sp, sizeof sp);
    if (stack != reinterpret_cast<std::uintptr_t>(slot)) continue;
    ++found;
    EXPECT_EQ(static_cast<watch::coro_state>(tag & 0xff), watch::coro_state::suspended);
    EXPECT_LT(sp, top);
    EXPECT_GT(sp, top - 8192);
  }
  EXPECT_EQ(found, 1);
}

/// The stack pointers that the blocks record for coroutines that resumed another. `mine`: an
/// address on the running stack, whose block records none.
std::vector<std::uint64_t> resumed_at(std::uint64_t mine) {
  const watch::header& head = *watch::registry();
  const auto word = [](std::uint64_t address) {
    std::uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const std::byte*>(address), sizeof value);
    return value;
  };
  std::vector<std::uint64_t> found;
  for (std::uint64_t at = 0; at < head.coros_bytes; at += head.blocks.record_bytes) {
    if (at / head.blocks.record_bytes % head.blocks.head_every == 0) continue;
    const std::uint64_t block = head.coros + at;
    const auto state = static_cast<watch::coro_state>(word(block + head.blocks.tag) & 0xff);
    if (state != watch::coro_state::running) continue;
    const std::uint64_t top = word(word(block + head.blocks.stack) + head.slots.top);
    if (mine < top && mine > top - (64_KiB).count) continue;
    found.push_back(word(word(block + head.blocks.newest)));
    found.push_back(word(word(block + head.blocks.outer)));
  }
  return found;
}

TEST(Watch, WhereACoroutineResumedAnotherIsTold) {
  auto pool = coro_pool::create({.stack = {.limit = 64_KiB}});
  auto first = pool->acquire();
  auto second = pool->acquire();
  auto third = pool->acquire();
  std::vector<std::uint64_t> told;
  // The frames, on the resumers' stacks, of the calls that start the next; resumers are near.
  std::uint64_t marks[2] = {};
  ASSERT_FALSE(
      first
          ->start("first",
                  [&] {
                    marks[0] = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
                    ASSERT_FALSE(
                        second
                            ->start(
                                "second",
                                [&] {
                                  marks[1] =
                                      reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
                                  ASSERT_FALSE(third
                                                   ->start("third",
                                                           [&] {
                                                             told = resumed_at(
                                                                 reinterpret_cast<std::uintptr_t>(
                                                                     __builtin_frame_address(0)));
                                                           })
                                                   .failed());
                                })
                            .failed());
                  })
          .failed());
  ASSERT_EQ(told.size(), 4U);
  for (const std::uint64_t mark : marks) {
    int near = 0;
    for (const std::uint64_t sp : told) near += sp > mark - 8192 && sp < mark + 8192 ? 1 : 0;
    EXPECT_GE(near, 1) << std::hex << mark;
  }
}

TEST(Watch, R4_TheDeepestGrowthIsRemembered) {
  if constexpr (BAST_WITH_VALGRIND != 0) GTEST_SKIP() << "stacks do not grow under valgrind";
  auto pool = coro_pool::create({.stack = {.limit = 1_MiB, .window = 8_KiB}});
  for (const std::size_t deep : {20'000U, 200'000U, 100'000U}) {
    auto walker = pool->acquire();
    ASSERT_FALSE(walker->start("deepest", [deep] { descend(deep); }).failed());
  }
  const watch::site_entry* const site = open_site("deepest");
  ASSERT_NE(site, nullptr);
  const watch::deepest_stack& seen = site->deepest;
  EXPECT_EQ(seen.sequence % 2, 0U);
  EXPECT_GE(seen.depth, 120U << 10) << "growth doubles: the last is past half the way, and stays";
  EXPECT_LE(seen.depth, site->max);
  EXPECT_LE(seen.sp_depth, seen.depth);
  ASSERT_GT(seen.count, 10U);
  EXPECT_LE(seen.first, seen.count);
  // The words are of this stack, deepest first; most lead back into the recursion.
  const auto code = reinterpret_cast<std::uintptr_t>(&descend);
  int of_descend = 0;
  for (std::uint32_t i = 0; i < seen.count; ++i) {
    EXPECT_LE(seen.return_at[i], seen.depth);
    EXPECT_LT(seen.return_at[i], i > 0 ? seen.return_at[i - 1] : UINT32_MAX);
    of_descend += seen.return_pc[i] - code < 4096 ? 1 : 0;
  }
  EXPECT_GT(of_descend, 10);
}

}  // namespace
}  // namespace bast
