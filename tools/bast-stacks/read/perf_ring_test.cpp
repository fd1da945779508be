// SPDX-License-Identifier: Apache-2.0
#include "read/perf_ring.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "read/testing/ring_writer.hpp"

namespace bast_stacks {
namespace {

using ::testing::ElementsAre;
using testing::example_sample;
using ::testing::HasSubstr;
using testing::ring_writer;

constexpr const sampled_registers& x86 = sampled_registers_of[0];
constexpr const sampled_registers& arm = sampled_registers_of[1];

fault_records parsed(const ring_writer& from, const sampled_registers& registers = x86) {
  fault_records found;
  const auto result = parse_ring(from.part(), registers, found);
  EXPECT_TRUE(result) << result.error().what;
  return found;
}

std::string refused(const ring_part& part) {
  fault_records found;
  const auto result = parse_ring(part, x86, found);
  return result ? "" : result.error().what;
}

TEST(PerfRing, ReadsAFaultWithItsRegistersAndStack) {
  ring_writer ring(4096);
  ring.add(example_sample(72), 128);
  const auto found = parsed(ring);
  ASSERT_EQ(found.faults.size(), 1U);
  const fault_sample& seen = found.faults[0];
  EXPECT_EQ(seen.pid, 7U);
  EXPECT_EQ(seen.thread, 8U);
  EXPECT_EQ(seen.address, 0x7000'0ff8U);
  EXPECT_EQ(seen.fp, 0x7000'2000U);
  EXPECT_EQ(seen.sp, 0x7000'1000U);
  EXPECT_EQ(seen.pc, 0x40'1234U);
  EXPECT_EQ(seen.stack, example_sample(72).stack);
  EXPECT_EQ(found.lost, 0U);
}

TEST(PerfRing, KnowsTheLinkRegisterOfArm) {
  fault_sample made = example_sample(16);
  made.link = 0x40'5678;
  ring_writer ring(4096, arm);
  ring.add(made, 16);
  const auto found = parsed(ring, arm);
  ASSERT_EQ(found.faults.size(), 1U);
  EXPECT_EQ(found.faults[0].link, 0x40'5678U);
  EXPECT_EQ(found.faults[0].pc, 0x40'1234U);
}

TEST(PerfRing, ARecordGoesOnAtTheStartOfTheRing) {
  // Wraps at every position, including the middle of the header.
  for (std::uint64_t start = 0; start < 512; start += 8) {
    ring_writer ring(512, x86, start + 512 * 1000);
    ring.add(example_sample(200), 256);
    const auto found = parsed(ring);
    ASSERT_EQ(found.faults.size(), 1U) << start;
    EXPECT_EQ(found.faults[0].stack, example_sample(200).stack) << start;
  }
}

TEST(PerfRing, CountersMayWrapAroundToo) {
  ring_writer ring(512, x86, UINT64_MAX - 127);
  ring.add(example_sample(64), 64);
  EXPECT_EQ(parsed(ring).faults.size(), 1U);
}

TEST(PerfRing, CountsWhatWasLost) {
  ring_writer ring(4096);
  ring.add_lost(5);
  ring.add(example_sample(8), 8);
  ring.add_lost(37);
  const auto found = parsed(ring);
  EXPECT_EQ(found.lost, 42U);
  EXPECT_EQ(found.faults.size(), 1U);
}

TEST(PerfRing, TheNumberOfThoseLostDoesNotWrapAround) {
  ring_writer ring(4096);
  ring.add_lost(UINT64_MAX);
  ring.add_lost(2);
  EXPECT_EQ(parsed(ring).lost, UINT64_MAX);
}

TEST(PerfRing, LeavesOutWhatIsNoFaultOfA64BitThread) {
  ring_writer ring(4096);
  ring.add_record(5, std::vector<std::uint64_t>{1, 2, 3});  // throttled
  ring.add_record(9, std::vector<std::uint64_t>{7, 0x1000, 0, 0});
  ring.add_record(9, std::vector<std::uint64_t>{7, 0x1000, 1, 1, 2, 3, 0});
  EXPECT_TRUE(parsed(ring).faults.empty());
}

TEST(PerfRing, AFaultMayComeWithoutItsStack) {
  ring_writer ring(4096);
  ring.add_record(9, std::vector<std::uint64_t>{7, 0x1000, 2, 1, 2, 3, 0});
  const auto found = parsed(ring);
  ASSERT_EQ(found.faults.size(), 1U);
  EXPECT_EQ(found.faults[0].sp, 2U);
  EXPECT_TRUE(found.faults[0].stack.empty());
}

TEST(PerfRing, OnlyTheSizeOfItsRingIsTooMuch) {
  // A ring that is full to the last byte, and the records before a damaged one.
  ring_writer full(256);
  for (int i = 0; i < 4; ++i) full.add(example_sample(0), 0);
  EXPECT_EQ(full.part().head, 256U);
  EXPECT_EQ(parsed(full).faults.size(), 4U);
  ring_writer broken(4096);
  broken.add(example_sample(8), 8);
  broken.add_record(9, std::vector<std::uint64_t>{1});
  fault_records found;
  const auto result = parse_ring(broken.part(), x86, found);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what,
            "the kernel's ring of page faults is damaged at 80: 16 bytes are no record of type 9");
  EXPECT_EQ(found.faults.size(), 1U);
}

TEST(PerfRing, ThoseLostAreCountedOfBothKinds) {
  ring_writer ring(4096);
  ring.add_record(2, std::vector<std::uint64_t>{100, 5});  // an id, and a number
  ring.add_record(13, std::vector<std::uint64_t>{37});     // a number
  ring.add_record(3, std::vector<std::uint64_t>{1000, 1000});
  EXPECT_EQ(parsed(ring).lost, 42U);
  for (const std::uint32_t type : {2U, 13U}) {
    ring_writer empty(4096);
    empty.add_record(type, {});
    EXPECT_EQ(refused(empty.part()),
              fmt::format("the kernel's ring of page faults is damaged at 0: 8 bytes are no record "
                          "of type {}",
                          type));
  }
}

TEST(PerfRing, AnEmptyRingIsNoError) {
  const ring_writer ring(64);
  EXPECT_TRUE(parsed(ring).faults.empty());
}

TEST(PerfRing, RefusesSizesThatCannotBe) {
  ring_writer ring(4096);
  ring.add(example_sample(8), 8);
  ring_part part = ring.part();
  const std::string damaged = "the kernel's ring of page faults is damaged at ";
  const std::uint64_t size = part.head;
  part.head = 4096 + 8;
  EXPECT_EQ(refused(part), damaged + "0: 4104 bytes in 4096");
  part = ring.part();
  std::swap(part.head, part.tail);
  EXPECT_EQ(refused(part), damaged + fmt::format("{}: {} bytes in 4096", size, 0 - size));
  part = ring.part();
  part.head -= 8;
  EXPECT_EQ(refused(part),
            damaged + fmt::format("0: a record of {} bytes, {} are left", size, size - 8));
  for (const std::uint64_t more : {1U, 4U, 7U}) {
    part = ring.part();
    part.head += more;
    EXPECT_EQ(refused(part), damaged + fmt::format("{}: {} bytes for a record", size, more));
  }
  part = ring.part();
  part.ring = part.ring.first(4095);
  EXPECT_EQ(refused(part), damaged + "0: a size of 4095 bytes");
  EXPECT_EQ(refused({}), damaged + "0: a size of 0 bytes");
}

TEST(PerfRing, RefusesRecordsThatEndBeforeTheirFields) {
  const std::vector<std::uint64_t> whole = {7, 0x1000, 2, 1, 2, 3, 16, 0xa, 0xb, 9};
  for (std::size_t words = 0; words < whole.size(); ++words) {
    ring_writer ring(4096);
    ring.add_record(9, std::vector(whole.begin(), whole.begin() + static_cast<long>(words)));
    EXPECT_THAT(refused(ring.part()), HasSubstr("no record of type 9")) << words;
  }
  ring_writer good(4096);
  good.add_record(9, whole);
  EXPECT_EQ(parsed(good).faults[0].stack.size(), 9U);
  ring_writer lost(4096);
  lost.add_record(2, std::vector<std::uint64_t>{1});
  EXPECT_THAT(refused(lost.part()), HasSubstr("no record of type 2"));
}

TEST(PerfRing, RefusesAStackThatIsLargerThanItsRecord) {
  for (const std::uint64_t bytes : {std::uint64_t{24}, std::uint64_t{1} << 40, UINT64_MAX}) {
    ring_writer ring(4096);
    ring.add_record(9, std::vector<std::uint64_t>{7, 0x1000, 2, 1, 2, 3, bytes, 0xa, 0xb, 9});
    EXPECT_THAT(refused(ring.part()), HasSubstr("no record")) << bytes;
  }
  ring_writer ring(4096);
  ring.add_record(9, std::vector<std::uint64_t>{7, 0x1000, 2, 1, 2, 3, 16, 0xa, 0xb, 17});
  EXPECT_THAT(refused(ring.part()), HasSubstr("no record"));
}

TEST(PerfRing, RefusesARecordThatNeverEnds) {
  const auto with = [](std::uint16_t size, std::uint64_t head = 64) {
    std::vector<std::byte> ring(64);
    std::memcpy(ring.data() + 6, &size, sizeof size);
    return refused({.ring = ring, .tail = 0, .head = head});
  };
  constexpr std::uint16_t sizes[] = {0, 4, 7, 9, 12, 72, 0xfff8, 0xffff};
  for (const std::uint16_t size : sizes) {
    EXPECT_EQ(with(size), fmt::format("the kernel's ring of page faults is damaged at 0: a record "
                                      "of {} bytes, 64 are left",
                                      size));
  }
  EXPECT_EQ(with(64), "");
  EXPECT_EQ(with(8, 8), "");
  EXPECT_EQ(with(16, 8),
            "the kernel's ring of page faults is damaged at 0: a record of 16 bytes, 8 are left");
}

}  // namespace
}  // namespace bast_stacks
