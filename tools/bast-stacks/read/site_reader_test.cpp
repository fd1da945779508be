// SPDX-License-Identifier: Apache-2.0
//
// Sites take a page each and are written all the time: how many one read takes, and the result if
// one changes between the reads.
#include "read/site_reader.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "read/testing/scripted_memory.hpp"

namespace bast_stacks {
namespace {

using bast::watch::deepest_stack;
using bast::watch::site_entry;
using testing::scripted_memory;

constexpr std::uint64_t sites_home = 0x10'0000;
constexpr std::uint32_t site_stride = sizeof(site_entry) + 64;
constexpr std::uint64_t deepest_at = offsetof(site_entry, deepest);

registry with_sites(std::uint32_t used) {
  registry all;
  all.address = sites_home;
  all.header.sites = {
      .offset = 512, .record_bytes = site_stride, .capacity = used + 100, .used = used, .lost = 0};
  return all;
}

std::uint64_t site_at(std::uint32_t i) { return sites_home + 512 + std::uint64_t{i} * site_stride; }

site_entry open_site(std::uint32_t i) {
  site_entry made{};
  made.state = 1 + i % 2;
  made.sequence = 2 * i;
  made.line = 1000 + i;
  made.deepest.sequence = 4 * i;
  made.deepest.depth = 2000 + i;
  return made;
}

/// "lines depths unread torn torn_deepest" of the result.
struct site_reading {
  std::vector<std::uint32_t> lines;
  std::vector<std::uint64_t> depths;
  site_losses lost;
};
site_reading read_all_sites(scripted_memory& target, const registry& all) {
  site_reading got;
  got.lost = read_sites(target, all, [&](const site_entry& each) {
    got.lines.push_back(each.line);
    got.depths.push_back(each.deepest.depth);
  });
  return got;
}

TEST(SiteReader, ATableIsReadWholeWhateverItsLength) {
  for (const std::uint32_t used : {0U, 1U, 2U, 63U, 64U, 65U, 127U, 128U, 130U}) {
    scripted_memory target;
    std::vector<std::uint32_t> lines;
    std::vector<std::uint64_t> depths;
    std::uint64_t absent = 0;
    for (std::uint32_t i = 0; i < used + 1; ++i) {  // one more than is in use
      site_entry made = open_site(i);
      if (i % 5 == 3) made.state = 0;
      if (i % 11 == 7) {
        absent += i < used ? 1 : 0;
        continue;
      }
      target.put(site_at(i), made);
      if (made.state == 0 || i == used) continue;
      lines.push_back(1000 + i);
      depths.push_back(2000 + i);
    }
    const auto got = read_all_sites(target, with_sites(used));
    EXPECT_EQ(got.lines, lines) << used;
    EXPECT_EQ(got.depths, depths) << used;
    EXPECT_EQ(got.lost.unread, absent) << used;
    EXPECT_EQ(got.lost.torn, 0U);
    EXPECT_EQ(got.lost.torn_deepest, 0U);
    EXPECT_EQ(target.reads.size(), 5U * used);  // two words before, the entry, two words after
  }
}

TEST(SiteReader, WordsThatGuardAreReadBeforeAndAfterTheEntry) {
  scripted_memory target;
  target.put(site_at(0), open_site(0));
  (void)read_all_sites(target, with_sites(1));
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> expected{
      {site_at(0), 4},
      {site_at(0) + deepest_at, 4},
      {site_at(0), sizeof(site_entry)},
      {site_at(0), 4},
      {site_at(0) + deepest_at, 4}};
  EXPECT_EQ(target.reads, expected);
}

TEST(SiteReader, OfMoreSitesThanAreLookedAtTheRestIsUnread) {
  for (const std::uint32_t more : {0U, 1U, 7U}) {
    scripted_memory target;
    target.put(site_at(sites_max - 1), open_site(5));
    target.put(site_at(sites_max), open_site(6));
    const auto got = read_all_sites(target, with_sites(sites_max + more));
    EXPECT_EQ(got.lines, std::vector<std::uint32_t>{1005});
    EXPECT_EQ(got.lost.unread, sites_max - 1 + more);
  }
}

/// Writes entry `of` whenever one of its parts is read; how often it changes, and which part.
site_reading while_written(std::uint32_t used, std::uint32_t of, int times, bool numbers,
                           std::uint32_t start = 2, std::uint64_t* reads = nullptr) {
  scripted_memory target;
  for (std::uint32_t i = 0; i < used; ++i) target.put(site_at(i), open_site(i));
  site_entry changing = open_site(of);
  (numbers ? changing.sequence : changing.deepest.sequence) = start;
  target.put(site_at(of), changing);
  target.before_each = [&](std::uint64_t address, std::size_t bytes) {
    if (address != site_at(of) || bytes != sizeof(site_entry) || times-- <= 0) return;
    (numbers ? changing.sequence : changing.deepest.sequence) += 2;
    changing.line += 1;
    changing.deepest.depth += 1;
    target.put(site_at(of), changing);
  };
  auto got = read_all_sites(target, with_sites(used));
  if (reads != nullptr) *reads = target.reads.size();
  return got;
}

TEST(SiteReader, AnEntryThatIsWrittenIsReadAgain) {
  for (const std::uint32_t of : {0U, 1U, 63U, 64U, 66U}) {
    for (const bool numbers : {true, false}) {
      std::uint64_t reads = 0;
      const auto got = while_written(67, of, 3, numbers, 2, &reads);
      ASSERT_EQ(got.lines.size(), 67U);
      for (std::uint32_t i = 0; i < 67; ++i) {
        EXPECT_EQ(got.lines[i], 1000 + i + (i == of ? 3 : 0));
        EXPECT_EQ(got.depths[i], 2000 + i + (i == of ? 3 : 0));
      }
      EXPECT_EQ(got.lost.torn, 0U);
      EXPECT_EQ(got.lost.torn_deepest, 0U);
      EXPECT_EQ(reads, 5U * (67 + 3));
    }
  }
}

TEST(SiteReader, TwentyTimesAndThenItSaysSo) {
  const auto last = while_written(2, 1, 20, true);
  EXPECT_EQ(last.lines[1], 1021U);
  EXPECT_EQ(last.lost.torn, 0U);
  const auto never = while_written(2, 1, 21, true);
  EXPECT_EQ(never.lines[1], 1022U);  // Numbers are kept, and reported as torn.
  EXPECT_EQ(never.depths[1], 2022U);
  EXPECT_EQ(never.lost.torn, 1U);
  EXPECT_EQ(never.lost.torn_deepest, 0U);
  const auto deepest = while_written(2, 1, 21, false);
  EXPECT_EQ(deepest.lines[1], 1022U);
  EXPECT_EQ(deepest.depths[1], 0U);  // A consistent stack or none.
  EXPECT_EQ(deepest.lost.torn, 0U);
  EXPECT_EQ(deepest.lost.torn_deepest, 1U);
  // An odd number means a write in progress, even if it does not change.
  EXPECT_EQ(while_written(2, 1, 0, true, 3).lost.torn, 1U);
  EXPECT_EQ(while_written(2, 1, 0, false, 3).lost.torn_deepest, 1U);
}

TEST(SiteReader, AllSitesTogetherAreWaitedForAThousandTimes) {
  constexpr std::uint32_t used = 60;
  scripted_memory target;
  for (std::uint32_t i = 0; i < used; ++i) {
    site_entry made = open_site(i);
    made.sequence = 1;
    target.put(site_at(i), made);
  }
  const auto got = read_all_sites(target, with_sites(used));
  EXPECT_EQ(got.lost.torn, used);
  EXPECT_EQ(target.reads.size(), 5U * (used + 1000));
}

TEST(SiteReader, ATargetThatEndsIsNotAskedAgain) {
  scripted_memory target;
  for (std::uint32_t i = 0; i < 200; ++i) target.put(site_at(i), open_site(i));
  target.before_each = [&](std::uint64_t address, std::size_t) {
    if (address == site_at(3)) target.end("it has ended");
  };
  const auto got = read_all_sites(target, with_sites(200));
  EXPECT_TRUE(got.lines.empty());
  EXPECT_EQ(got.lost.unread, 64U);
  EXPECT_EQ(target.reads.size(), 64U);  // the first of five reads of a batch
}

}  // namespace
}  // namespace bast_stacks
