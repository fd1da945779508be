// SPDX-License-Identifier: Apache-2.0
#include "read/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "read/collect.hpp"
#include "read/shared_registry.hpp"
#include "read/testing/fake_registry.hpp"

namespace bast_stacks {
namespace {

using ::testing::Contains;
using testing::fake_registry;
using ::testing::HasSubstr;

/// The verdict on a registry after a change, or "fine".
std::string verdict(const std::function<void(bast::watch::header&)>& change) {
  fake_registry fake;
  const std::uint64_t address = fake.header().self;
  change(fake.header());
  const auto bytes = fake.memory_image();
  const auto received = open_memory_image(std::make_shared<buffer_source>(bytes));
  EXPECT_TRUE(received);
  const auto all = read_registry(*received->memory, address);
  return all ? "fine" : all.error().what;
}

TEST(Registry, NamesTheNumberThatIsWrong) {
  using bast::watch::header;
  EXPECT_EQ(verdict([](header&) {}), "fine");
  EXPECT_THAT(verdict([](header& h) { h.magic = 1; }), HasSubstr("magic number"));
  EXPECT_THAT(verdict([](header& h) { h.version_major = 2; }), HasSubstr("has version 2.3"));
  EXPECT_EQ(verdict([](header& h) { h.version_minor = 9; }), "fine");
  EXPECT_THAT(verdict([](header& h) { h.header_bytes = 8; }), HasSubstr("header_bytes is 8"));
  EXPECT_THAT(verdict([](header& h) { h.pointer_bytes = 4; }), HasSubstr("pointer_bytes is 4"));
  EXPECT_THAT(verdict([](header& h) { h.page_bytes = 5000; }), HasSubstr("page_bytes is 5000"));
  EXPECT_THAT(verdict([](header& h) { h.bytes = UINT64_MAX; }), HasSubstr("bytes is"));
  EXPECT_THAT(verdict([](header& h) { h.pools.record_bytes = 1; }),
              HasSubstr("pools.record_bytes is 1"));
  EXPECT_THAT(verdict([](header& h) { h.slabs.used = 1000; }), HasSubstr("slabs.used is 1000"));
  EXPECT_THAT(verdict([](header& h) { h.sites.offset = UINT64_MAX - 5; }),
              HasSubstr("sites.offset is"));
  EXPECT_THAT(verdict([](header& h) { h.sites.capacity = UINT32_MAX; }),
              HasSubstr("sites.offset is"));
  EXPECT_THAT(verdict([](header& h) { h.slots.record_bytes = 0; }),
              HasSubstr("slots.record_bytes is 0"));
  EXPECT_THAT(verdict([](header& h) { h.slots.state = 32; }),
              HasSubstr("an offset in slots is 32"));
  EXPECT_THAT(verdict([](header& h) { h.blocks.stack = 60; }),
              HasSubstr("an offset in blocks is 60"));
}

TEST(Registry, BeforeTheFirstPoolNobodyHasDescribedTheSlots) {
  EXPECT_EQ(verdict([](bast::watch::header& h) {
              h.slabs.used = 0;
              h.slots = {};
            }),
            "fine");
}

TEST(Registry, ASlabWithImpossibleNumbersIsLeftOut) {
  fake_registry fake;
  fake.use(0, 1, 100);
  fake.slab(0).stride = 12'345;
  const auto bytes = fake.memory_image(true);
  const auto received = open_memory_image(std::make_shared<buffer_source>(bytes));
  snapshot seen;
  ASSERT_TRUE(collect(*received->memory, {fake.header().self}, {}, seen));
  EXPECT_TRUE(seen.stacks.empty());
  EXPECT_THAT(seen.not_seen, Contains(HasSubstr("impossible numbers")));
}

TEST(Registry, StacksThatOverlapAreNotScanned) {
  fake_registry fake;
  fake.use(0, 1, 100);
  fake.use(1, 1, 100);
  fake.slab(1) = fake.slab(0);  // The same stacks twice.
  fake.header().slabs.used = 2;
  const auto bytes = fake.memory_image(true);
  const auto received = open_memory_image(std::make_shared<buffer_source>(bytes));
  snapshot seen;
  ASSERT_TRUE(collect(*received->memory, {fake.header().self}, {}, seen));
  ASSERT_EQ(seen.stacks.size(), 4U);
  EXPECT_EQ(std::ranges::count(seen.stacks, true, &live_stack::scanned), 2);
  EXPECT_THAT(seen.not_seen, Contains(HasSubstr("Live stacks of unknown depth: 2")));
}

TEST(Registry, SlotsOfSitesThatHadNoRoomAreOther) {
  fake_registry fake;
  fake.use(0, 77, 100);
  fake.header().sites.lost = 1;
  const auto bytes = fake.memory_image(true);
  const auto received = open_memory_image(std::make_shared<buffer_source>(bytes));
  snapshot seen;
  ASSERT_TRUE(collect(*received->memory, {fake.header().self}, {}, seen));
  ASSERT_EQ(seen.stacks.size(), 1U);
  EXPECT_EQ(seen.sites.at(seen.stacks[0].site).where, "(other)");
  EXPECT_THAT(seen.not_seen, Contains("Sites that had no room in the registry: 1."));
}

TEST(Registry, TheMappingsBehindItTellTheModules) {
  fake_registry fake;
  const auto all =
      std::span(reinterpret_cast<const std::byte*>(&fake.header()), fake_registry::bytes);
  std::vector<std::byte> bytes(all.begin(), all.end());
  const auto maps = read_proc("/proc/self/maps", 1 << 20);
  ASSERT_TRUE(maps);
  const auto text = std::as_bytes(std::span(*maps));
  bytes.insert(bytes.end(), text.begin(), text.end());
  const auto seen = open_shared_registry(std::make_shared<buffer_source>(bytes), "a program");
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_FALSE(seen->modules.empty());
  EXPECT_THAT(seen->modules[0].path, HasSubstr("bast_stacks_read_test"));
  EXPECT_FALSE(seen->modules[0].build_id.empty());
}

TEST(Registry, InAFileItNeedsNoSlots) {
  fake_registry fake;
  fake.site(1).uses = 9;
  const auto all =
      std::span(reinterpret_cast<const std::byte*>(&fake.header()), fake_registry::bytes);
  const auto seen = open_shared_registry(std::make_shared<buffer_source>(all), "a program");
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->from, source_kind::shared_registry);
  EXPECT_EQ(seen->sites.size(), 1U);
  EXPECT_THAT(seen->not_seen, Contains(HasSubstr("Pools that were still there at the end: 1")));
  const auto empty =
      open_shared_registry(std::make_shared<buffer_source>(all.first(3)), "a program");
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().what, "a program made no pool of bast");
}

}  // namespace
}  // namespace bast_stacks
