// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/slab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "bast/testing/heap_growth.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::size_t per_chunk = (chunk_blocks - 1) * sizeof(coro_block) / sizeof(fiber_record);

using records = std::vector<fiber_record*>;

record_slab* make_slab() { return record_slab::create(nullptr, {}).value(); }

records take(record_slab& from, std::size_t count) {
  records all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(from.take());
  return all;
}

std::set<chunk*> chunks_of(const records& all) {
  std::set<chunk*> found;
  for (const fiber_record* each : all) found.insert(&chunk::of(each->block));
  return found;
}

std::set<fiber_record*> set_of(const records& all) { return {all.begin(), all.end()}; }

void give_all_from_elsewhere(const records& all) {
  const test::joined_thread other([&] {
    for (fiber_record* each : all) each->home->give_from_elsewhere(*each);
  });
}

TEST(RecordSlab, I1_CountsWhatIsNotFree) {
  record_slab* const slab = make_slab();
  EXPECT_EQ(slab->in_use(), 0U);
  const records first = take(*slab, 3 * per_chunk);
  EXPECT_EQ(set_of(first).size(), first.size()) << "each is another one";
  EXPECT_EQ(chunks_of(first).size(), 3U);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(slab->in_use(), first.size() - i);
    EXPECT_EQ(first[i]->home, slab);
    slab->give(*first[i]);
  }
  EXPECT_EQ(slab->in_use(), 0U);
  EXPECT_EQ(slab->take(), first.back()) << "the one that was given last";
  EXPECT_EQ(slab->in_use(), 1U);
  slab->give(*first.back());
  EXPECT_EQ(set_of(take(*slab, first.size())), set_of(first)) << "no further chunk";
  for (fiber_record* each : first) slab->give(*each);
  record_slab::end(slab);
}

TEST(RecordSlab, I1_WhatComesFromElsewhereIsTakenAgain) {
  record_slab* const slab = make_slab();
  const records first = take(*slab, per_chunk);
  for (int i = 0; i < 3; ++i) {
    // As a worker of the same runtime does, and as any thread.
    const records half(first.begin(), first.begin() + per_chunk / 2);
    const records rest(first.begin() + per_chunk / 2, first.end());
    for (fiber_record* each : half) (void)slab->arriving().push(*each);
    give_all_from_elsewhere(rest);
    EXPECT_EQ(set_of(take(*slab, per_chunk)), set_of(first)) << i;
  }
  give_all_from_elsewhere(first);
  EXPECT_EQ(slab->in_use(), 0U);
  record_slab::end(slab);
}

TEST(RecordSlab, AGenerationEndsWithItsUse) {
  record_slab* const slab = make_slab();
  fiber_record& one = *slab->take();
  std::uint32_t generation = generation_of(one.block.tag);
  const auto use = [&] {
    one.block.tag = make_tag(generation, tag_thread_mask, coro_state::finished) | flag_scheduled;
  };
  const auto expect_free = [&] {
    ++generation;
    EXPECT_EQ(one.block.tag, make_tag(generation, 0, coro_state::free));
  };
  use();
  slab->give(one);
  expect_free();
  EXPECT_EQ(slab->take(), &one);
  use();
  slab->give_from_elsewhere(one);
  EXPECT_EQ(slab->in_use(), 0U);
  expect_free();
  EXPECT_EQ(slab->take(), &one);
  use();
  record_slab::end(slab);
  one.home->give_from_elsewhere(one);
  expect_free();
}

TEST(RecordSlab, TheLastGenerationIsFollowedByTheFirst) {
  record_slab* const slab = make_slab();
  fiber_record& one = *slab->take();
  one.block.tag = make_tag(generation_max, 0, coro_state::ready);
  slab->give(one);
  EXPECT_EQ(one.block.tag, make_tag(0, 0, coro_state::free));
  record_slab::end(slab);
}

TEST(RecordSlab, I2_ChunksComeBackWithTheLastRecord) {
  record_slab* const ended = make_slab();
  const records held = take(*ended, 2 * per_chunk);
  // Given back before the end, and not seen by the owner; after the end; and the last one.
  const records before(held.begin(), held.begin() + 5);
  const records after(held.begin() + 5, held.end() - 1);
  give_all_from_elsewhere(before);
  record_slab::end(ended);
  EXPECT_EQ(ended->belongs_to(), nullptr);
  give_all_from_elsewhere(after);
  record_slab* const next = make_slab();
  const records others = take(*next, 2 * per_chunk);
  std::vector<chunk*> both;
  std::ranges::set_intersection(chunks_of(held), chunks_of(others), std::back_inserter(both));
  EXPECT_TRUE(both.empty()) << "one record is in use";
  give_all_from_elsewhere({held.back()});
  const records again = take(*next, 2 * per_chunk);
  EXPECT_EQ(chunks_of(again), chunks_of(held));
  for (const records* each : {&others, &again}) {
    for (fiber_record* one : *each) next->give(*one);
  }
  record_slab::end(next);
}

TEST(RecordSlab, FreesWhatItAllocated) {
  EXPECT_LT(test::heap_growth_of([] {
              record_slab* const slab = make_slab();
              fiber_record& held = *slab->take();
              slab->give(*slab->take());
              record_slab::end(slab);
              held.home->give_from_elsewhere(held);
            }),
            test::heap_caches);
}

TEST(RecordSlab, WithoutMemoryThereIsNone) {
  const os::fault_scope none({.kind = os::call::allocate, .nth = 1, .persistent = true});
  const auto refused = record_slab::create(nullptr, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), errc::no_memory);
  EXPECT_STREQ(refused.error().detail(), "no memory for a worker's records");
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
