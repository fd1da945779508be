// SPDX-License-Identifier: Apache-2.0
//
// Depths of stacks whose every page is scripted: the requests, the steps of reading, and the
// numbers derived for one stack.
#include <gtest/gtest.h>

#include <functional>

#include "model/test_record_text.hpp"
#include "read/depths.hpp"
#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using testing::scripted_memory;

using ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

constexpr std::uint64_t scan_home = 0x1000'0000;

live_stack stack_at(std::uint64_t low, std::uint64_t top) {
  live_stack made;
  made.low = made.open_low = low;
  made.top = top;
  return made;
}

std::string scanned_text(const live_stack& s) {
  return fmt::format("{} {}..{} resident={}", s.scanned, s.depth, s.depth_at_most, s.resident);
}

std::string losses_text(const depth_losses& lost) {
  return fmt::format("unknown={} unreadable={} swapped={}", lost.unknown, lost.unreadable,
                     lost.swapped_pages);
}

depth_losses scan(scripted_memory& target, std::vector<live_stack>& stacks, bool poisoned = false) {
  std::vector<slot_place> places(stacks.size());
  for (slot_place& each : places) each.poisoned = poisoned;
  return scan_depths(target, stacks, places);
}

/// One stack of 1 MiB whose pages from `deep` up are present, and whose deepest byte is at `used`;
/// both are below its top.
std::string one_stack(std::uint64_t deep, std::uint64_t used, ranges* reads = nullptr,
                      std::byte value = std::byte{1}) {
  const std::uint64_t top = scan_home + (1 << 20);
  scripted_memory target;
  target.zeros_elsewhere = true;
  target.pages = {{.where = {.low = top - deep, .high = top}}};
  if (used != 0) target.put(top - used, value);
  std::vector<live_stack> stacks{stack_at(scan_home, top)};
  const depth_losses lost = scan(target, stacks);
  if (reads != nullptr) *reads = target.reads;
  EXPECT_EQ(target.questions, (ranges{{scan_home, 1 << 20}}));
  EXPECT_EQ(losses_text(lost), "unknown=0 unreadable=0 swapped=0");
  return scanned_text(stacks[0]);
}

TEST(DepthScan, EveryByteCounts) {
  for (const std::uint64_t used : {1U, 2U, 7U, 8U, 9U, 63U, 64U, 65U, 127U, 128U, 4095U, 4096U})
    EXPECT_EQ(one_stack(4096, used), fmt::format("true {}..4096 resident=4096", used));
  EXPECT_EQ(one_stack(4096, 0), "true 0..4096 resident=4096");
  EXPECT_EQ(one_stack(0, 0), "true 0..0 resident=0");
  EXPECT_EQ(one_stack(4096, 77, nullptr, std::byte{0xfb}), "true 77..4096 resident=4096");
}

TEST(DepthScan, AStackMayBeginWhereMemoryDoes) {
  scripted_memory target;
  target.zeros_elsewhere = true;
  target.pages = {{.where = {.low = 0, .high = 0x1000}}};
  target.put(0x1000 - 9, std::byte{1});
  std::vector<live_stack> stacks{stack_at(0, 0x1000)};
  EXPECT_EQ(losses_text(scan(target, stacks)), "unknown=0 unreadable=0 swapped=0");
  EXPECT_EQ(scanned_text(stacks[0]), "true 9..4096 resident=4096");
}

TEST(DepthScan, StepsDoubleUpToTheLargest) {
  ranges reads;
  EXPECT_EQ(one_stack(1 << 20, 1, &reads), "true 1..1048576 resident=1048576");
  const std::uint64_t top = scan_home + (1 << 20);
  ranges expected;
  std::uint64_t at = top - (1 << 20);
  for (std::uint64_t step = 4096; at < top; step = std::min<std::uint64_t>(step * 2, 256 << 10)) {
    expected.emplace_back(at, std::min(step, top - at));
    at += step;
  }
  EXPECT_EQ(reads, expected);
  EXPECT_EQ(one_stack(8192, 8192, &reads), "true 8192..8192 resident=8192");
  EXPECT_EQ(reads, (ranges{{top - 8192, 4096}}));
  EXPECT_EQ(one_stack(8192, 4096, &reads), "true 4096..8192 resident=8192");
  EXPECT_EQ(reads, (ranges{{top - 8192, 4096}, {top - 4096, 4096}}));
}

TEST(DepthScan, TheFirstStepEndsWithItsPage) {
  // A colour: the stack ends within a page, and its open part begins within one.
  const std::uint64_t top = scan_home + (1 << 20) - 192;
  scripted_memory target;
  target.zeros_elsewhere = true;
  target.pages = {{.where = {.low = top - 6000, .high = top + 192}}};
  target.put(top - 100, std::byte{1});
  std::vector<live_stack> stacks{stack_at(scan_home + 64, top)};
  (void)scan(target, stacks);
  EXPECT_EQ(scanned_text(stacks[0]), "true 100..6000 resident=8192");
  const std::uint64_t first = 4096 - (top - 6000) % 4096;
  EXPECT_EQ(target.reads, (ranges{{top - 6000, first}, {top - 6000 + first, 6000 - first}}));
}

TEST(DepthScan, PagesThatAreNotThereAreNeverRead) {
  const std::uint64_t top = scan_home + (1 << 20);
  scripted_memory target;
  target.zeros_elsewhere = true;
  target.pages = {{.where = {.low = scan_home - 8192, .high = scan_home}},  // another's
                  {.where = {.low = top - 40'960, .high = top - 36'864}},
                  {.where = {.low = top - 20'480, .high = top - 12'288}, .swapped = true},
                  {.where = {.low = top - 4096, .high = top}},
                  {.where = {.low = top, .high = top + 4096}}};  // another's
  target.put(top - 50, std::byte{1});
  std::vector<live_stack> stacks{stack_at(scan_home, top)};
  EXPECT_EQ(losses_text(scan(target, stacks)), "unknown=0 unreadable=0 swapped=2");
  EXPECT_EQ(scanned_text(stacks[0]), "true 50..40960 resident=8192");
  EXPECT_EQ(target.reads, (ranges{{top - 40'960, 4096}, {top - 20'480, 8192}, {top - 4096, 4096}}));
}

TEST(DepthScan, AStackIsAsDeepAsItsStackPointerAtLeast) {
  const auto with_sp = [](std::uint64_t below, std::uint64_t used) {
    const std::uint64_t top = scan_home + (1 << 20);
    scripted_memory target;
    target.zeros_elsewhere = true;
    target.pages = {{.where = {.low = top - 8192, .high = top}}};
    target.put(top - used, std::byte{1});
    std::vector<live_stack> stacks{stack_at(scan_home, top)};
    stacks[0].sp = below == 0 ? 0 : top - below;
    (void)scan(target, stacks);
    return stacks[0].depth;
  };
  EXPECT_EQ(with_sp(0, 100), 100U);
  EXPECT_EQ(with_sp(99, 100), 100U);
  EXPECT_EQ(with_sp(101, 100), 101U);
  EXPECT_EQ(with_sp(8192, 100), 8192U);
}

/// As gdb's gcore leaves out a mapping with an unreadable page.
TEST(DepthScan, OfASuspendedStackWhoseMemoryIsMissingTheStackPointerIsKnown) {
  const std::uint64_t top = scan_home + (1 << 20);
  const auto seen = [&](std::uint64_t in_use, bool a_page) {
    scripted_memory target;
    target.zeros_elsewhere = true;
    if (a_page) target.pages = {{.where = {.low = top - 8192, .high = top}}};
    target.put(top - 100, std::byte{1});
    std::vector<live_stack> stacks{stack_at(scan_home, top)};
    stacks[0].sp = in_use == 0 ? 0 : top - in_use;
    const depth_losses lost = scan(target, stacks);
    return scanned_text(stacks[0]) + fmt::format(" missing={}", lost.missing);
  };
  EXPECT_EQ(seen(8192, true), "true 8192..8192 resident=8192 missing=0");
  EXPECT_EQ(seen(8193, true), "false 8193..8192 resident=8192 missing=1");
  EXPECT_EQ(seen(5000, false), "false 5000..0 resident=0 missing=1");
  EXPECT_EQ(seen(0, false), "true 0..0 resident=0 missing=0") << "running, or never used";
}

TEST(DepthScan, NeighboursAreAskedForTogether) {
  constexpr std::uint64_t gap = 1 << 20;
  const auto questions = [](const std::vector<live_stack>& all) {
    scripted_memory target;
    std::vector<live_stack> stacks = all;
    (void)scan(target, stacks);
    return target.questions;
  };
  const live_stack first = stack_at(scan_home, scan_home + 4096);
  const auto next = [&](std::uint64_t distance) {
    return stack_at(first.top + distance, first.top + distance + 4096);
  };
  EXPECT_EQ(questions({}), ranges{});
  EXPECT_EQ(questions({first}), (ranges{{scan_home, 4096}}));
  EXPECT_EQ(questions({first, next(0)}), (ranges{{scan_home, 8192}}));
  EXPECT_EQ(questions({next(gap), first}), (ranges{{scan_home, gap + 8192}}));
  EXPECT_EQ(questions({first, next(gap + 1)}),
            (ranges{{scan_home, 4096}, {first.top + gap + 1, 4096}}));
  constexpr std::uint64_t most = 256 << 20;
  const live_stack large = stack_at(scan_home, scan_home + most - 4096);
  const live_stack behind = stack_at(large.top, large.top + 4096);
  EXPECT_EQ(questions({large, behind}), (ranges{{scan_home, most}}));
  const live_stack beyond = stack_at(large.top, large.top + 4097);
  EXPECT_EQ(questions({large, beyond}), (ranges{{scan_home, most - 4096}, {large.top, 4097}}));
}

TEST(DepthScan, EachStackOfAGroupHasItsOwnPages) {
  scripted_memory target;
  target.zeros_elsewhere = true;
  std::vector<live_stack> stacks;
  for (std::uint64_t i : {2U, 0U, 1U, 3U})
    stacks.push_back(stack_at(scan_home + i * 0x10'000, scan_home + (i + 1) * 0x10'000));
  // One extent over the end of stack 0 and the start of stack 1; none of stack 2; all of stack 3.
  target.pages = {{.where = {.low = scan_home + 0xe000, .high = scan_home + 0x13'000}},
                  {.where = {.low = scan_home + 0x30'000, .high = scan_home + 0x40'000}}};
  target.put(scan_home + 0x0'f000, std::byte{1});
  target.put(scan_home + 0x1'2fff, std::byte{1});
  target.put(scan_home + 0x3'8000, std::byte{1});
  EXPECT_EQ(losses_text(scan(target, stacks)), "unknown=0 unreadable=0 swapped=0");
  EXPECT_EQ(scanned_text(stacks[1]), "true 4096..8192 resident=8192");
  EXPECT_EQ(scanned_text(stacks[2]), "true 53249..65536 resident=12288");
  EXPECT_EQ(scanned_text(stacks[0]), "true 0..0 resident=0");
  EXPECT_EQ(scanned_text(stacks[3]), "true 32768..65536 resident=65536");
}

TEST(DepthScan, MoreStacksThanABufferHoldsAreReadInTurns) {
  // 1024 first steps of a page fill the buffer of 4 MiB; this is more.
  constexpr std::size_t count = 1024 + 7;
  scripted_memory target;
  target.zeros_elsewhere = true;
  std::vector<live_stack> stacks;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t top = scan_home + (i + 1) * 0x4000;
    stacks.push_back(stack_at(top - 0x4000, top));
    target.put(top - 1 - i % 5000, std::byte{1});
  }
  target.pages = {{.where = {.low = scan_home, .high = scan_home + count * 0x4000}}};
  (void)scan(target, stacks);
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(stacks[i].depth, 1 + i % 5000) << i;
}

TEST(DepthScan, SaysOfWhichItKnowsNothing) {
  const std::uint64_t top = scan_home + 0x10'000;
  std::vector<live_stack> stacks{stack_at(scan_home, top), stack_at(top, top + 0x10'000)};
  scripted_memory target;
  target.knows_pages = false;
  EXPECT_EQ(losses_text(scan(target, stacks)), "unknown=2 unreadable=0 swapped=0");
  EXPECT_EQ(scanned_text(stacks[0]), "false 0..0 resident=0");
  // Pages reported as present that cannot be read; those of the other stack can.
  target.knows_pages = true;
  target.pages = {{.where = {.low = top - 4096, .high = top + 4096}}};
  const std::vector<std::byte> page(4096);
  target.put_bytes(top, page);
  EXPECT_EQ(losses_text(scan(target, stacks)), "unknown=0 unreadable=1 swapped=0");
  EXPECT_EQ(scanned_text(stacks[0]), "false 0..4096 resident=4096");
  EXPECT_EQ(scanned_text(stacks[1]), "true 0..65536 resident=4096");
  // Two that overlap by one byte: the one with the higher top is skipped.
  std::vector<live_stack> overlapping{stack_at(top - 1, top + 0x1000), stack_at(scan_home, top)};
  target.questions.clear();
  EXPECT_EQ(losses_text(scan(target, overlapping)), "unknown=1 unreadable=1 swapped=0");
  EXPECT_EQ(target.questions, (ranges{{scan_home, 0x10'000}}));
}

TEST(DepthScan, OnlyWherePoisonIsUsedItIsNoUse) {
  const std::uint64_t top = scan_home + 0x10'000;
  const auto depth = [&](bool poisoned) {
    scripted_memory target;
    target.zeros_elsewhere = true;
    target.pages = {{.where = {.low = top - 8192, .high = top}}};
    std::vector<std::byte> bytes(300, std::byte{0xfb});
    bytes[170] = std::byte{0xfa};
    target.put_bytes(top - 300, bytes);
    std::vector<live_stack> stacks{stack_at(scan_home, top)};
    (void)scan(target, stacks, poisoned);
    return stacks[0].depth;
  };
  EXPECT_EQ(depth(false), 300U);
  EXPECT_EQ(depth(true), 130U);
}

TEST(DepthScan, ATargetThatEndsIsNotAskedAgain) {
  constexpr std::uint64_t apart = 2 << 20;
  std::vector<live_stack> stacks;
  for (std::uint64_t i = 0; i < 3; ++i)
    stacks.push_back(stack_at(scan_home + i * apart, scan_home + i * apart + 0x4000));
  scripted_memory target;
  target.zeros_elsewhere = true;
  target.pages = {{.where = {.low = scan_home, .high = scan_home + 3 * apart}}};
  target.before_each = [&](std::uint64_t, std::size_t) { target.end("it has ended"); };
  (void)scan(target, stacks);
  EXPECT_EQ(target.questions.size(), 1U);
  EXPECT_EQ(target.reads.size(), 1U);
}

}  // namespace
}  // namespace bast_stacks
