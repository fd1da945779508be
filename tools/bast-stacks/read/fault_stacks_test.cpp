// SPDX-License-Identifier: Apache-2.0
#include "read/fault_stacks.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "read/process_memory.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using testing::fake_registry;

constexpr std::uint64_t code = 0x40'0000;
constexpr std::uint64_t code_bytes = 0x1000;

/// Faults on the stacks of this process's own registry.
class FaultStacks : public ::testing::Test {
 protected:
  FaultStacks() : stacks_(target_, {reinterpret_cast<std::uint64_t>(&fake_.header())}) {
    stacks_.set_code(code_ranges({{.low = code, .high = code + code_bytes}}));
    fake_.add_site(2, bast::watch::site_kind::label, "other worker");
  }

  std::uint64_t top(std::size_t slot) { return reinterpret_cast<std::uint64_t>(fake_.top(slot)); }
  void write(std::size_t slot, std::uint64_t depth, std::uint64_t word) {
    std::memcpy(fake_.top(slot) - depth, &word, sizeof word);
  }

  /// A first touch `depth` below the top, with `bytes` of the stack from there up in their present
  /// state.
  fault_sample touch(std::size_t slot, std::uint64_t depth, std::size_t bytes = 512) {
    fault_sample made{
        .address = top(slot) - depth, .sp = top(slot) - depth, .pc = code + 7, .stack = {}};
    made.stack.assign(fake_.top(slot) - depth, fake_.top(slot) - depth + std::min(bytes, depth));
    return made;
  }

  const bast::watch::deepest_stack& deepest(std::string_view where) {
    seen_ = {};
    seen_.sites.resize(1);
    seen_.sites[0].where = where;
    seen_.sites[0].kind = bast::watch::site_kind::label;
    stacks_.add_to(seen_);
    return seen_.sites[0].raw;
  }

  fake_registry fake_;
  process_memory target_{::getpid()};
  fault_stacks stacks_;
  snapshot seen_;
};

TEST_F(FaultStacks, AFaultIsTheDeepestStackOfItsSite) {
  fake_.use(0, 1, 0);
  write(0, 64, code + 0x100);
  write(0, 6000, code + 0x200);
  write(0, 6016, 77);
  fault_sample fault = touch(0, 6032);
  fault.address -= 16;
  fault.fp = top(0) - 100;
  stacks_.add({{fault}});
  const auto& found = deepest("worker");
  EXPECT_EQ(found.depth, 6048U);
  EXPECT_EQ(found.sp_depth, 6032U);
  EXPECT_EQ(found.pc, code + 7);
  EXPECT_EQ(found.fp, top(0) - 100);
  EXPECT_EQ(found.top, top(0));
  ASSERT_EQ(found.count, 2U);
  EXPECT_EQ(found.first, 2U);
  EXPECT_EQ(found.omitted, 0U);
  EXPECT_EQ(found.return_pc[0], code + 0x200);
  EXPECT_EQ(found.return_at[0], 6000U);
  EXPECT_EQ(found.return_pc[1], code + 0x100);
  EXPECT_EQ(found.return_at[1], 64U);
  EXPECT_EQ(stacks_.counts().seen, 1U);
  EXPECT_EQ(stacks_.counts().on_stacks, 1U);
  EXPECT_EQ(stacks_.counts().unsure, 0U);
  EXPECT_EQ(deepest("other worker").depth, 0U);
}

TEST_F(FaultStacks, TheDeepestStays) {
  fake_.use(0, 1, 0);
  fake_.use(1, 1, 0);
  for (const std::uint64_t depth : {3000U, 9000U, 5000U}) write(0, depth, code + depth % 1000);
  write(1, 7000, code + 5);
  stacks_.add({{touch(0, 3000), touch(0, 9000), touch(1, 7000)}});
  stacks_.add({{touch(0, 5000)}});
  EXPECT_EQ(deepest("worker").depth, 9000U);
  EXPECT_EQ(stacks_.counts().unsure, 0U);
}

TEST_F(FaultStacks, WhatTheLibraryRecordedStaysWhenItIsDeeper) {
  fake_.use(0, 1, 0);
  write(0, 3000, code + 1);
  stacks_.add({{touch(0, 3000)}});
  snapshot seen;
  seen.sites.resize(1);
  seen.sites[0].where = "worker";
  seen.sites[0].kind = bast::watch::site_kind::label;
  seen.sites[0].raw.depth = 3001;
  stacks_.add_to(seen);
  EXPECT_EQ(seen.sites[0].raw.depth, 3001U);
  EXPECT_EQ(seen.sites[0].raw.count, 0U);
}

TEST_F(FaultStacks, AStackThatWasWipedSinceIsNobodys) {
  fake_.use(0, 1, 0);
  write(0, 5000, code + 1);
  const fault_sample fault = touch(0, 5000);
  write(0, 5000, 0);
  fake_.use(0, 2, 0);
  stacks_.add({{fault}});
  EXPECT_EQ(deepest("worker").depth, 0U);
  EXPECT_EQ(deepest("other worker").depth, 0U);
  EXPECT_EQ(stacks_.counts().unsure, 1U);
}

TEST_F(FaultStacks, OneReturnAddressThatChangedIsEnough) {
  fake_.use(0, 1, 0);
  write(0, 4904, code + 1);
  write(0, 5000, code + 2);
  const fault_sample fault = touch(0, 5000);
  write(0, 4904, code + 3);
  stacks_.add({{fault}});
  EXPECT_EQ(stacks_.counts().unsure, 1U);
}

TEST_F(FaultStacks, WithoutReturnAddressesAllOtherWordsCount) {
  fake_.use(0, 1, 0);
  write(0, 5000, 0x5a);
  write(0, 4992, 0x5b);
  const fault_sample fault = touch(0, 5000, 64);
  write(0, 64, code + 9);
  stacks_.add({{fault}});
  EXPECT_EQ(deepest("worker").depth, 5000U);
  EXPECT_EQ(deepest("worker").count, 1U);
  write(0, 6000, 0x5a);
  const fault_sample deeper = touch(0, 6000, 64);
  write(0, 6000, 0x5c);
  stacks_.add({{deeper}});
  EXPECT_EQ(stacks_.counts().unsure, 1U);
  EXPECT_EQ(deepest("worker").depth, 5000U);
}

TEST_F(FaultStacks, ASiteThatIsNewIsLookedForOnceACall) {
  fake_.use(0, 3, 0);
  write(0, 5000, code + 1);
  stacks_.add({{touch(0, 5000)}});
  EXPECT_EQ(stacks_.counts().unsure, 1U);
  fake_.add_site(3, bast::watch::site_kind::label, "third");
  stacks_.add({{touch(0, 5000)}});
  EXPECT_EQ(stacks_.counts().unsure, 1U);
  EXPECT_EQ(deepest("third").depth, 5000U);
}

TEST_F(FaultStacks, NothingButZerosTellsNothing) {
  fake_.use(0, 1, 0);
  stacks_.add({{touch(0, 5000)}});
  EXPECT_EQ(stacks_.counts().unsure, 1U);
  EXPECT_EQ(deepest("worker").depth, 0U);
}

TEST_F(FaultStacks, WhereOnlyZerosCameACallHasLeftItsReturnAddress) {
  fake_.use(0, 1, 0);
  const fault_sample fault = touch(0, 4992);
  for (const std::uint64_t elsewhere : {std::uint64_t{77}, code + 0x5000}) {
    write(0, 5000, elsewhere);
    stacks_.add({{fault}});
  }
  EXPECT_EQ(stacks_.counts().unsure, 2U);
  write(0, 5000, fault.pc + 5);
  stacks_.add({{fault}});
  EXPECT_EQ(deepest("worker").depth, 4992U);
  EXPECT_EQ(stacks_.counts().unsure, 2U);
}

TEST_F(FaultStacks, ACalledFunctionStoresTheLinkRegister) {
  fake_.use(0, 1, 0);
  fault_sample store = touch(0, 6000);
  store.link = code + 0x300;
  store.address -= 32;
  stacks_.add({{store}});
  EXPECT_EQ(stacks_.counts().unsure, 1U);
  write(0, 6024, store.link);
  stacks_.add({{store}});
  EXPECT_EQ(deepest("worker").depth, 6032U);
}

TEST_F(FaultStacks, WordsOfPagesThatAreNotThereAreNotAskedFor) {
  fake_.use(0, 1, 0);
  write(0, 20'000, code + 1);
  write(0, 64, code + 2);
  stacks_.add({{touch(0, 20'000, 16)}});
  EXPECT_EQ(deepest("worker").count, 2U);
  std::vector<resident_extent> there;
  ASSERT_TRUE(target_.residency({.low = top(0) - 20'480, .high = top(0)}, there));
  std::uint64_t bytes = 0;
  for (const resident_extent& each : there) bytes += each.where.bytes();
  EXPECT_EQ(bytes, 2 * fake_registry::page);
}

TEST_F(FaultStacks, TooManyWordsKeepBothEnds) {
  fake_.use(0, 1, 0);
  for (std::uint64_t i = 1; i <= 300; ++i) write(0, i * 8, code + i);
  stacks_.add({{touch(0, 2400)}});
  const auto& found = deepest("worker");
  EXPECT_EQ(found.count, bast::watch::return_count);
  EXPECT_EQ(found.first, 80U);
  EXPECT_EQ(found.omitted, 300U - bast::watch::return_count);
  EXPECT_EQ(found.return_pc[0], code + 300);
  EXPECT_EQ(found.return_at[79], 8U * 221);
  EXPECT_EQ(found.return_at[80], 8U * 24);
  EXPECT_EQ(found.return_at[103], 8U);
}

TEST_F(FaultStacks, FaultsElsewhereAreCountedOnly) {
  fake_.use(0, 1, 0);
  write(0, 5000, code + 1);
  fault_sample from_outside = touch(0, 5000);
  from_outside.sp = reinterpret_cast<std::uint64_t>(&from_outside);
  fault_sample in_guard = touch(0, 5000);
  in_guard.address = top(0) - (256 << 10) + 8;
  const fault_sample heap{.address = 0x1000, .sp = top(0) - 5000, .stack = {}};
  const fault_sample high{.address = UINT64_MAX, .sp = UINT64_MAX, .stack = {}};
  stacks_.add({{from_outside, in_guard, heap, high}});
  EXPECT_EQ(stacks_.counts().seen, 4U);
  EXPECT_EQ(stacks_.counts().on_stacks, 0U);
}

TEST_F(FaultStacks, AStackPointerLeavesRoomForAWord) {
  fake_.use(0, 1, 0);
  // A return address right below it, as a call would leave it.
  for (const std::uint64_t left : {7U, 8U}) {
    fault_sample fault = touch(0, left, 0);
    fault.stack.clear();
    write(0, left + 8, fault.pc + 5);
    stacks_.add({{fault}});
  }
  EXPECT_EQ(stacks_.counts().on_stacks, 2U);
  EXPECT_EQ(stacks_.counts().unsure, 1U);
  EXPECT_EQ(deepest("worker").depth, 8U);
}

TEST_F(FaultStacks, ARegistryThatIsGoneOrMadIsNoTrouble) {
  fake_.use(0, 1, 0);
  write(0, 5000, code + 1);
  const fault_sample fault = touch(0, 5000);
  fake_.slab(0).stride = 0;
  stacks_.add({{fault}});
  fake_.slab(0).stride = 256 << 10;
  fake_.slab(0).slots = 8;
  stacks_.add({{fault}});
  fake_.header().magic = 0;
  stacks_.add({{fault}});
  EXPECT_EQ(stacks_.counts().seen, 3U);
  EXPECT_EQ(stacks_.counts().on_stacks, 1U);
  EXPECT_EQ(stacks_.counts().unsure, 1U);
}

}  // namespace
}  // namespace bast_stacks
