// SPDX-License-Identifier: Apache-2.0
#include "read/depths.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "read/open.hpp"
#include "read/process_memory.hpp"
#include "read/testing/fake_registry.hpp"
#include "read/testing/reading.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_state;
using testing::fake_registry;
using testing::find_site;
using testing::look;

TEST(Depths, DepthsAreExactToTheByte) {
  const std::uint64_t depths[] = {1,
                                  8,
                                  100,
                                  4095,
                                  4096,
                                  4097,
                                  6000,
                                  32 << 10,
                                  (32 << 10) + 1,
                                  100'000,
                                  1 << 20,
                                  (1 << 20) + 63,
                                  4 << 20,
                                  (4 << 20) + 65};
  fake_registry fake({.slots = std::size(depths), .stride = 8 << 20});
  for (std::size_t i = 0; i < std::size(depths); ++i) fake.use(i, 1, depths[i]);
  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), std::size(depths));
  for (std::size_t i = 0; i < std::size(depths); ++i) {
    const live_stack& stack = seen.stacks[i];
    EXPECT_TRUE(stack.scanned);
    EXPECT_EQ(stack.depth, depths[i]);
    EXPECT_EQ(stack.depth_at_most, (depths[i] + 4095) / 4096 * 4096);
    EXPECT_EQ(stack.top, reinterpret_cast<std::uint64_t>(fake.top(i)));
  }
  EXPECT_EQ(find_site(seen, "worker")->max, depths[std::size(depths) - 1]);
}

TEST(Depths, PagesOfZerosAreBetweenTheTwoNumbers) {
  fake_registry fake;
  fake.use(0, 1, 100);
  // Written, but with zeros: three pages further down, and one without any neighbour.
  for (const std::uint64_t down : {4097U, 8193U, 12289U, 28000U})
    *const_cast<volatile std::byte*>(fake.top(0) - down) = std::byte{0};
  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), 1U);
  EXPECT_EQ(seen.stacks[0].depth, 100U);
  EXPECT_EQ(seen.stacks[0].depth_at_most, 28'672U);
  EXPECT_EQ(seen.stacks[0].resident, 5U * 4096);
}

TEST(Depths, MakesNoPageResident) {
  fake_registry fake({.slots = 64});
  for (std::size_t i = 0; i < 64; ++i) fake.use(i, 1, 64 * i);
  std::vector<unsigned char> before(64 * 64);
  std::vector<unsigned char> after(64 * 64);
  ASSERT_EQ(::mincore(fake.stacks(), before.size() * 4096, before.data()), 0);
  const snapshot seen = look();
  ASSERT_EQ(::mincore(fake.stacks(), after.size() * 4096, after.data()), 0);
  EXPECT_EQ(seen.stacks.size(), 64U);
  EXPECT_EQ(before, after);
}

TEST(Depths, APageThatWasOnlyReadIsNotUsed) {
  fake_registry fake;
  fake.use(0, 1, 0);
  volatile std::byte zero = *(fake.top(0) - 20'000);
  (void)zero;
  process_memory own(::getpid());
  std::vector<resident_extent> found;
  const auto top = reinterpret_cast<std::uint64_t>(fake.top(0));
  ASSERT_TRUE(own.residency({.low = top - 32'768, .high = top}, found));
  EXPECT_TRUE(found.empty());
}

TEST(Depths, PoisonIsNoUse) {
  fake_registry fake;
  fake.pool(0).scrub = 2;
  std::memset(fake.top(0) - 8192, 0xfb, 8192);
  fake.use(0, 1, 300);
  const snapshot seen = look();
  EXPECT_EQ(seen.stacks.at(0).depth, 300U);
  EXPECT_EQ(seen.stacks.at(0).depth_at_most, 8192U);
}

TEST(Depths, AHundredThousandStacksAreRead) {
  constexpr std::uint32_t stacks = 100'000;
  fake_registry fake({.slots = stacks});
  for (std::size_t i = 0; i < stacks; ++i) {
    fake.use(i, 1, 200 + i % 3000, "one of many");
    fake.run(i, coro_state::suspended).sp = reinterpret_cast<std::uint64_t>(fake.top(i)) - 128;
  }
  const snapshot seen = look();
  ASSERT_EQ(seen.stacks.size(), stacks);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < stacks; ++i)
    wrong += seen.stacks[i].depth != 200 + i % 3000 || seen.stacks[i].name != "one of many";
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(find_site(seen, "worker")->live, stacks);
  RecordProperty("overhead_ns", std::to_string(seen.overhead_ns));
}

TEST(Depths, BothWaysToAskForPagesAgree) {
  fake_registry fake({.slots = 300});
  for (std::size_t i = 0; i < 300; i += 1 + i % 5) fake.use(i, 1, 1 + i * 311);
  const auto low = reinterpret_cast<std::uint64_t>(fake.stacks());
  const extent where{.low = low + 100, .high = low + 300 * (std::uint64_t{256} << 10) - 100};
  const int pagemap = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(pagemap, 0);
  std::vector<resident_extent> scanned;
  std::vector<resident_extent> read;
  EXPECT_TRUE(scan_pagemap(pagemap, where, scanned));
  EXPECT_TRUE(read_pagemap(pagemap, where, read));
  ::close(pagemap);
  EXPECT_GT(read.size(), 100U);
  const auto edges = [](const resident_extent& each) {
    return std::pair(each.where.low, each.where.high);
  };
  EXPECT_TRUE(std::ranges::equal(scanned, read, {}, edges, edges));
}

}  // namespace
}  // namespace bast_stacks
