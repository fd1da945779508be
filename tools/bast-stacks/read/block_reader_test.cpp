// SPDX-License-Identifier: Apache-2.0
//
// Control blocks and names: the place of each record, and the counts of unreadable ones.
#include "read/block_reader.hpp"

#include <gtest/gtest.h>

#include <string>

#include "model/test_record_text.hpp"
#include "read/slot_reader.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_state;
using testing::fake_block;
using testing::scripted_memory;

constexpr std::uint64_t blocks_home = 0x200'0000;
constexpr std::uint64_t blocks_at_once = (std::uint64_t{1} << 20) / sizeof(fake_block);

registry with_blocks(std::uint64_t count) {
  registry all;
  all.header.coros = blocks_home;
  all.header.coros_bytes = count * sizeof(fake_block);
  all.header.blocks = {.record_bytes = sizeof(fake_block),
                       .sp = offsetof(fake_block, sp),
                       .pc = offsetof(fake_block, pc),
                       .fp = offsetof(fake_block, fp),
                       .tag = offsetof(fake_block, tag),
                       .stack = offsetof(fake_block, stack),
                       .head_every = 64,
                       .newest = 0,
                       .outer = 0,
                       .reserved = {}};
  return all;
}

fake_block block_of(std::uint64_t slot, std::uint64_t pc) {
  fake_block made{};
  made.tag = std::uint64_t{9} << 32 | static_cast<std::uint64_t>(coro_state::suspended);
  made.stack = slot;
  made.sp = 0x5000;
  made.pc = pc;
  made.fp = pc + 1;
  return made;
}

/// Stacks whose slots' records are at 100, 101, 102, ...
struct block_reading {
  std::vector<live_stack> stacks;
  std::vector<slot_place> places;
  explicit block_reading(std::size_t count) : stacks(count), places(count) {
    for (std::size_t i = 0; i < count; ++i) {
      stacks[i].low = 0x4000;
      stacks[i].top = 0x6000;
      places[i].record = 100 + i;
    }
  }
};

TEST(BlockReader, BlocksAreFoundWhereverTheirChunkBegins) {
  constexpr std::uint64_t count = 2 * blocks_at_once + 5;
  const std::uint64_t known[] = {
      1, 63, 65, blocks_at_once - 1, blocks_at_once + 1, 2 * blocks_at_once + 1, count - 1};
  scripted_memory target;
  target.zeros_elsewhere = true;
  block_reading of(std::size(known) + 2);
  for (std::size_t i = 0; i < std::size(known); ++i)
    target.put(blocks_home + known[i] * sizeof(fake_block), block_of(100 + i, 7000 + 10 * i));
  // The heads of groups are not coroutines, at any place; nor is what follows the last group.
  for (const std::uint64_t head : {std::uint64_t{0}, std::uint64_t{64}, blocks_at_once})
    target.put(blocks_home + head * sizeof(fake_block), block_of(100 + std::size(known), 1));
  target.put(blocks_home + count * sizeof(fake_block), block_of(101 + std::size(known), 1));
  const registry all = with_blocks(count);
  EXPECT_EQ(read_blocks(target, all, of.stacks, of.places), 0U);
  for (std::size_t i = 0; i < std::size(known); ++i) {
    EXPECT_EQ(of.stacks[i].coro, blocks_home + known[i] * sizeof(fake_block)) << i;
    EXPECT_EQ(of.stacks[i].pc, 7000 + 10 * i);
    EXPECT_EQ(of.stacks[i].fp, 7001 + 10 * i);
    EXPECT_EQ(of.stacks[i].sp, 0x5000U);
  }
  EXPECT_EQ(of.stacks[std::size(known)].coro, 0U);
  EXPECT_EQ(of.stacks[std::size(known) + 1].coro, 0U);
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> chunks{
      {blocks_home, 1 << 20},
      {blocks_home + (1 << 20), 1 << 20},
      {blocks_home + (2 << 20), 5 * sizeof(fake_block)}};
  EXPECT_EQ(target.reads, chunks);
}

TEST(BlockReader, WithoutGroupsEachIsACoroutine) {
  scripted_memory target;
  target.zeros_elsewhere = true;
  target.put(blocks_home, block_of(100, 7));
  target.put(blocks_home + sizeof(fake_block), block_of(101, 8));
  registry all = with_blocks(2);
  all.header.blocks.head_every = 0;
  block_reading of(2);
  EXPECT_EQ(read_blocks(target, all, of.stacks, of.places), 0U);
  EXPECT_EQ(of.stacks[0].pc, 7U);
  EXPECT_EQ(of.stacks[1].pc, 8U);
}

TEST(BlockReader, CountsWhatItCouldNotRead) {
  block_reading of(1);
  scripted_memory target;
  EXPECT_EQ(read_blocks(target, with_blocks(blocks_at_once + 3), of.stacks, of.places),
            blocks_at_once + 3);
  EXPECT_EQ(target.reads.size(), 2U);
  // No stacks, or no coroutines: nothing to read.
  target.reads.clear();
  EXPECT_EQ(read_blocks(target, with_blocks(5), {}, {}), 0U);
  registry none = with_blocks(5);
  none.header.coros = 0;
  EXPECT_EQ(read_blocks(target, none, of.stacks, of.places), 0U);
  EXPECT_TRUE(target.reads.empty());
  // A partial block does not count.
  registry part = with_blocks(1);
  part.header.coros_bytes -= 1;
  EXPECT_EQ(read_blocks(target, part, of.stacks, of.places), 0U);
  EXPECT_TRUE(target.reads.empty());
}

TEST(BlockReader, NumbersThatCannotBeAreNotReadAtAll) {
  block_reading of(1);
  scripted_memory target;
  target.end("no more");  // ends the loop if a bound is wrong
  EXPECT_EQ(read_blocks(target, with_blocks(blocks_max + 1), of.stacks, of.places), blocks_max + 1);
  EXPECT_EQ(read_blocks(target, with_blocks(blocks_max), of.stacks, of.places), 0U);
  registry wraps = with_blocks(3);
  wraps.header.coros = UINT64_MAX - 3 * sizeof(fake_block) + 1;
  EXPECT_EQ(read_blocks(target, wraps, of.stacks, of.places), 3U);
  wraps.header.coros -= 1;
  EXPECT_EQ(read_blocks(target, wraps, of.stacks, of.places), 0U);
}

TEST(BlockReader, ABlockOfAnotherStateOrSlotSaysNothing) {
  using enum coro_state;
  const auto told = [](coro_state state, std::uint64_t slot, std::uint64_t flags = 0) {
    fake_block made = block_of(slot, 77);
    made.tag = std::uint64_t{9} << 32 | flags | static_cast<std::uint64_t>(state);
    scripted_memory target;
    target.zeros_elsewhere = true;
    target.put(blocks_home + sizeof made, made);
    block_reading of(1);
    EXPECT_EQ(read_blocks(target, with_blocks(3), of.stacks, of.places), 0U);
    const live_stack& s = of.stacks[0];
    return fmt::format("{} {} {} sp={:#x} pc={} fp={}", s.coro != 0, static_cast<int>(s.state),
                       s.parked, s.sp, s.pc, s.fp);
  };
  const std::string nothing = "false 0 false sp=0x0 pc=0 fp=0";
  EXPECT_EQ(told(suspended, 100), "true 3 false sp=0x5000 pc=77 fp=78");
  EXPECT_EQ(told(suspended, 100, bast::watch::coro_flag_parked),
            "true 3 true sp=0x5000 pc=77 fp=78");
  EXPECT_EQ(told(suspended, 100, ~bast::watch::coro_flag_parked & 0xff00),
            "true 3 false sp=0x5000 pc=77 fp=78");
  EXPECT_EQ(told(suspended, 99), nothing);
  EXPECT_EQ(told(suspended, 101), nothing);
  EXPECT_EQ(told(suspended, 0), nothing);
  EXPECT_EQ(told(ready, 100), "true 1 false sp=0x0 pc=0 fp=0");
  EXPECT_EQ(told(running, 100), "true 2 false sp=0x0 pc=0 fp=0");
  for (const coro_state gone : {free, finished, retired, static_cast<coro_state>(6)})
    EXPECT_EQ(told(gone, 100), nothing);
}

/// Names at addresses, read into as many stacks.
std::vector<std::string> names_at(scripted_memory& target,
                                  const std::vector<std::uint64_t>& addresses) {
  block_reading of(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) of.places[i].name = addresses[i];
  read_names(target, of.stacks, of.places);
  std::vector<std::string> names;
  for (const live_stack& each : of.stacks) names.push_back(each.name);
  return names;
}

TEST(ReadNames, ANameMayEndWhereItsPageDoes) {
  const std::string name = "a name of sixty-four bytes, all of which are to be there, and --";
  ASSERT_EQ(name.size(), 64U);
  for (std::uint64_t here = 1; here <= 64; ++here) {
    scripted_memory target;
    const std::uint64_t at = 0x9000 - here;
    // Only the first page is present.
    target.put_text(at, name.substr(0, here));
    EXPECT_EQ(names_at(target, {at}), std::vector{name.substr(0, here)}) << here;
    // Both pages are present.
    if (here < 64) target.put_text(0x9000, name.substr(here));
    EXPECT_EQ(names_at(target, {at}), std::vector{name}) << here;
  }
  scripted_memory target;
  target.put_text(0x9000, name + "more");
  EXPECT_EQ(names_at(target, {0x9000, 0, 0x9000, 0x8000}),
            (std::vector<std::string>{name, "", name, ""}));
  // A name of full length ends where the next begins.
  const std::string other(64, 'b');
  target.put_text(0x9800, other);
  EXPECT_EQ(names_at(target, {0x9000, 0x9800}), (std::vector{name, other}));
  target.reads.clear();
  (void)names_at(target, {0x9000, 0x9000, 0});
  EXPECT_EQ(target.reads, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0x9000, 64}}));
}

TEST(ReadNames, AtTheEndOfMemoryThereIsNoSecondPart) {
  scripted_memory target;
  target.put_text(UINT64_MAX - 9, "ten bytes!");
  EXPECT_EQ(names_at(target, {UINT64_MAX - 9}), std::vector<std::string>{"ten bytes!"});
  EXPECT_EQ(target.reads.size(), 1U);
}

}  // namespace
}  // namespace bast_stacks
