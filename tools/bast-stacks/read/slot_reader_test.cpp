// SPDX-License-Identifier: Apache-2.0
#include "read/slot_reader.hpp"

#include <gtest/gtest.h>

#include <array>

#include "read/testing/own_memory.hpp"

namespace bast_stacks {
namespace {

using bast::watch::slot_layout;
using bast::watch::slot_state;
using testing::own_memory;

struct record {
  std::uint64_t name = 0;
  std::uint64_t top = 0;
  std::uint16_t site = 1;
  std::uint16_t countdown = 5;
  std::uint16_t period = 9;
  std::uint16_t grows = 0;
  std::uint16_t frontier = 0;
  slot_state state = slot_state::live;
  std::uint8_t sampled = 0;
};

slot_layout layout() {
  slot_layout made{};
  made.record_bytes = sizeof(record);
  made.name = offsetof(record, name);
  made.top = offsetof(record, top);
  made.site = offsetof(record, site);
  made.countdown = offsetof(record, countdown);
  made.period = offsetof(record, period);
  made.grows = offsetof(record, grows);
  made.frontier = offsetof(record, frontier);
  made.state = offsetof(record, state);
  made.sampled = offsetof(record, sampled);
  return made;
}

TEST(SlotReader, ADepthOfAStackThatWentToAnotherUseIsForgotten) {
  // The process runs on while its stacks are scanned: a change in the slot shows that.
  std::array<record, 4> slots{};
  std::array<live_stack, 4> stacks{};
  std::array<slot_place, 4> places{};
  const std::uint64_t use = 1 | std::uint64_t{5} << 16 | std::uint64_t{9} << 32 |
                            static_cast<std::uint64_t>(slot_state::live) << 48;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    places[i].record = reinterpret_cast<std::uintptr_t>(&slots[i]);
    places[i].use = use;
    stacks[i].depth = 100;
    stacks[i].resident = 4096;
    stacks[i].scanned = true;
  }
  slots[1].state = slot_state::idle;
  slots[2].site = 2;
  slots[3].countdown = 4;
  own_memory target;
  EXPECT_EQ(forget_reused(target, layout(), stacks, places), 3U);
  EXPECT_EQ(stacks[0].depth, 100U);
  EXPECT_TRUE(stacks[0].scanned);
  for (std::size_t i = 1; i < stacks.size(); ++i) {
    EXPECT_FALSE(stacks[i].scanned) << i;
    EXPECT_EQ(stacks[i].depth, 0U) << i;
    EXPECT_EQ(stacks[i].resident, 0U) << i;
  }
}

}  // namespace
}  // namespace bast_stacks
