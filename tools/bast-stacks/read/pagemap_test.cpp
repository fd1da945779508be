// SPDX-License-Identifier: Apache-2.0
//
// Present pages, on a scripted kernel: the requests and the use of the results. Also pages that are
// swapped out, which no test can cause.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "model/test_record_text.hpp"
#include "read/process_memory.hpp"
#include "read/testing/faulty_calls.hpp"

namespace bast_stacks {
namespace {

using testing::answered_call;
using testing::called;
using ::testing::ElementsAre;

constexpr std::uint64_t at_page = 4096;
constexpr std::uint64_t is_present = 1 << 3;
constexpr std::uint64_t is_swapped = 1 << 4;
constexpr std::uint64_t is_zero = 1 << 5;

std::string extents_text(const std::vector<resident_extent>& found) {
  std::string text;
  for (const resident_extent& each : found)
    text += fmt::format("{:#x}-{:#x}{} ", each.where.low, each.where.high, each.swapped ? "s" : "");
  return text;
}

/// The ioctl of Linux 6.7, with a list of replies.
struct fake_scan {
  struct region {
    std::uint64_t start, end, categories;
  };
  struct reply {
    int error = 0;
    std::uint64_t walk_end = 0;
    std::vector<region> regions;
  };
  using argument = std::array<std::uint64_t, 12>;
  std::vector<reply> replies;
  std::vector<argument> asked;
  std::size_t next = 0;

  answered_call ioctl{called::ioctl, [this](const auto& given) -> std::optional<long> {
                        auto* const words = reinterpret_cast<std::uint64_t*>(given[2]);
                        argument all;
                        std::copy_n(words, all.size(), all.begin());
                        asked.push_back(all);
                        if (next == replies.size()) return -ENOTTY;
                        const reply& said = replies[next++];
                        if (said.error != 0) return -said.error;
                        auto* const into = reinterpret_cast<region*>(words[5]);
                        std::ranges::copy(said.regions, into);
                        // The previous content of the buffer is not a result.
                        into[said.regions.size()] = {0x8'0000, 0x9'0000, is_present};
                        words[4] = said.walk_end;
                        return static_cast<long>(said.regions.size());
                      }};

  std::string scan(extent where) {
    std::vector<resident_extent> found;
    next = 0;
    asked.clear();
    const bool known = scan_pagemap(-1, where, found);
    return (known ? "" : "not known ") + extents_text(found);
  }
  std::vector<std::uint64_t> starts() const {
    std::vector<std::uint64_t> all;
    for (const argument& each : asked) all.push_back(each[2]);
    return all;
  }
};

TEST(PagemapScan, AsksForWhatIsPresentOrSwappedInWholePages) {
  fake_scan kernel;
  kernel.replies = {{.walk_end = 0x5000, .regions = {}}};
  EXPECT_EQ(kernel.scan({.low = 0x2fff, .high = 0x4001}), "");
  ASSERT_EQ(kernel.asked.size(), 1U);
  fake_scan::argument expected = {96,
                                  0,
                                  0x2000,
                                  0x5000,
                                  0,
                                  kernel.asked[0][5],
                                  2048,
                                  0,
                                  0,
                                  0,
                                  is_present | is_swapped,
                                  is_present | is_swapped | is_zero};
  EXPECT_EQ(kernel.asked[0], expected);
  EXPECT_EQ(kernel.scan({.low = 0x2000, .high = 0x5000}), "");
  EXPECT_EQ(kernel.asked[0][2], 0x2000U);
  EXPECT_EQ(kernel.asked[0][3], 0x5000U);
  EXPECT_EQ(kernel.scan({.low = 0x2000, .high = 0x2000}), "");
  EXPECT_TRUE(kernel.asked.empty());
}

TEST(PagemapScan, NeighboursOfOneKindAreOne) {
  fake_scan kernel;
  kernel.replies = {{.walk_end = 0x20'000,
                     .regions = {{0x1000, 0x3000, is_present},
                                 {0x3000, 0x4000, is_present},
                                 {0x4000, 0x5000, is_swapped},
                                 {0x5000, 0x6000, is_swapped},
                                 {0x6000, 0x7000, is_present},
                                 {0x7000, 0x8000, is_present | is_zero},
                                 {0x8000, 0x9000, is_present | is_swapped},
                                 {0xa000, 0xb000, is_present}}}};
  EXPECT_EQ(kernel.scan({.low = 0x1000, .high = 0x20'000}),
            "0x1000-0x4000 0x4000-0x6000s 0x6000-0x7000 0x8000-0x9000 0xa000-0xb000 ");
  // Cut to the request, at both ends.
  EXPECT_EQ(kernel.scan({.low = 0x1010, .high = 0xaff0}),
            "0x1010-0x4000 0x4000-0x6000s 0x6000-0x7000 0x8000-0x9000 0xa000-0xaff0 ");
  // Earlier results are neither cut nor continued.
  std::vector<resident_extent> found{{.where = {.low = 0, .high = 0x1000}}};
  kernel.next = 0;
  EXPECT_TRUE(scan_pagemap(-1, {.low = 0x1000, .high = 0x20'000}, found));
  EXPECT_EQ(extents_text(found).substr(0, 28), "0x0-0x1000 0x1000-0x4000 0x4");
}

TEST(PagemapScan, GoesOnWhereTheKernelCame) {
  fake_scan kernel;
  // Continues from walk_end, from the end of the last region if that is further, and again after an
  // interrupt.
  kernel.replies = {
      {.walk_end = 0x4000, .regions = {{0x1000, 0x2000, is_present}}},
      {.error = EINTR, .walk_end = 0, .regions = {}},
      {.error = EINTR, .walk_end = 0, .regions = {}},
      {.walk_end = 0x5000, .regions = {{0x4000, 0x5000, is_present}, {0x6000, 0x7000, is_present}}},
      {.walk_end = 0x9000, .regions = {}},
      {.walk_end = 0x10'000, .regions = {{0x9000, 0xa000, is_swapped}}}};
  EXPECT_EQ(kernel.scan({.low = 0x1000, .high = 0x10'000}),
            "0x1000-0x2000 0x4000-0x5000 0x6000-0x7000 0x9000-0xa000s ");
  EXPECT_THAT(kernel.starts(), ElementsAre(0x1000, 0x4000, 0x4000, 0x4000, 0x7000, 0x9000));
  // Ends without progress.
  for (const std::uint64_t walk_end : {0U, 0x2000U, 0x3000U}) {
    kernel.replies = {{.walk_end = 0x3000, .regions = {{0x1000, 0x2000, is_present}}},
                      {.walk_end = walk_end, .regions = {}}};
    EXPECT_EQ(kernel.scan({.low = 0x1000, .high = 0x10'000}), "0x1000-0x2000 ");
    EXPECT_THAT(kernel.starts(), ElementsAre(0x1000, 0x3000));
  }
}

/// The file's words, for some pages: bit 63 for present, 62 for swapped.
struct fake_words {
  static constexpr std::uint64_t present = std::uint64_t{1} << 63;
  static constexpr std::uint64_t swapped = std::uint64_t{1} << 62;
  std::vector<std::uint64_t> words;  // of page 0x100 on
  std::vector<std::pair<long, long>> asked;
  answered_call pread{called::pread, [this](const auto& given) -> std::optional<long> {
                        asked.emplace_back(given[2], given[3]);
                        const std::size_t first = static_cast<std::size_t>(given[3]) / 8 - 0x100;
                        const std::size_t count =
                            std::min(static_cast<std::size_t>(given[2]) / 8, words.size() - first);
                        std::memcpy(reinterpret_cast<void*>(given[1]), words.data() + first,
                                    count * 8);
                        return static_cast<long>(count * 8);
                      }};
};

TEST(PagemapWords, AreReadWhereTheScanIsRefused) {
  fake_words file;
  const std::uint64_t p = fake_words::present, s = fake_words::swapped;
  file.words = {p, p, s, s, p, 0, p | s, 1, ~(p | s), p};
  fake_scan kernel;
  // Also in the middle of a scan: the words replace the scan's results.
  kernel.replies = {{.walk_end = 0x103'000, .regions = {{0x100'000, 0x103'000, is_present}}},
                    {.error = EINVAL, .walk_end = 0, .regions = {}}};
  const std::string expected =
      "0x100000-0x102000 0x102000-0x104000s 0x104000-0x105000 0x106000-0x107000 "
      "0x109000-0x10a000 ";
  EXPECT_EQ(kernel.scan({.low = 0x100'000, .high = 0x10a'000}), expected);
  EXPECT_THAT(file.asked, ElementsAre(std::pair(80L, 0x800L)));
  std::vector<resident_extent> found;
  EXPECT_TRUE(read_pagemap(-1, {.low = 0x101'800, .high = 0x102'800}, found));
  EXPECT_EQ(extents_text(found), "0x101800-0x102000 0x102000-0x102800s ");
  EXPECT_EQ(file.asked.back(), std::pair(16L, 0x808L));
  // Ends at the end of the file.
  found.clear();
  EXPECT_TRUE(read_pagemap(-1, {.low = 0x109'000, .high = 0x10c'000}, found));
  EXPECT_EQ(extents_text(found), "0x109000-0x10a000 ");
  EXPECT_EQ(file.asked.size(), 3U);
}

TEST(PagemapWords, AFullBufferIsFollowedByTheNext) {
  fake_words file;
  file.words.assign(4096 + 3, fake_words::present);
  file.words[4095] = fake_words::swapped;
  std::vector<resident_extent> found;
  EXPECT_TRUE(read_pagemap(-1, {.low = 0x100'000, .high = 0x100'000 + 4099 * at_page}, found));
  EXPECT_EQ(extents_text(found), "0x100000-0x10ff000 0x10ff000-0x1100000s 0x1100000-0x1103000 ");
  EXPECT_THAT(file.asked,
              ElementsAre(std::pair(4096L * 8, 0x800L), std::pair(3L * 8, 0x800L + 4096 * 8)));
}

}  // namespace
}  // namespace bast_stacks
