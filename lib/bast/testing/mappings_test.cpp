// SPDX-License-Identifier: Apache-2.0
#include "bast/testing/expect_mappings.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <sstream>

namespace bast::test {
namespace {

TEST(Mappings, LookingTwiceSeesTheSame) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  (void)mappings::now();
  const mappings before = mappings::now();
  EXPECT_GT(before.count, 3U);
  EXPECT_EQ(mappings::now(), before);
}

TEST(Mappings, ALeakOfOnePageIsSeen) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  (void)mappings::now();
  const mappings before = mappings::now();
  void* const leaked = mmap(nullptr, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(leaked, MAP_FAILED);
  EXPECT_EQ(mappings::now().byte_count, before.byte_count + page);
  EXPECT_NE(mappings::now(), before);
  munmap(leaked, page);
  EXPECT_EQ(mappings::now(), before);
}

/// The same counts by another parser, line by line.
mappings counted_by_stdio() {
  mappings seen;
  std::FILE* const maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return seen;
  static char line[8192];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long low = 0;
    unsigned long high = 0;
    if (std::sscanf(line, "%lx-%lx", &low, &high) == 2) {
      ++seen.count;
      seen.byte_count += high - low;
    }
  }
  std::fclose(maps);
  return seen;
}

TEST(Mappings, AreAllLinesHoweverManyReadsTheyTake) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  (void)counted_by_stdio();  // stdio allocates on first use.
  EXPECT_EQ(mappings::now(), counted_by_stdio());
  // More lines than one read returns: neighbours of different access do not share one.
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  constexpr std::size_t pages = 400;
  void* const base = mmap(nullptr, pages * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(base, MAP_FAILED);
  const mappings before = mappings::now();
  for (std::size_t i = 1; i < pages; i += 2) {
    ASSERT_EQ(mprotect(static_cast<char*>(base) + i * page, page, PROT_NONE), 0);
  }
  const mappings now = mappings::now();
  EXPECT_GE(now.count, before.count + pages - 2);
  EXPECT_EQ(now.byte_count, before.byte_count);
  EXPECT_EQ(now, counted_by_stdio());
  munmap(base, pages * page);
}

TEST(Mappings, AreToldInWords) {
  std::ostringstream out;
  out << mappings{.count = 3, .byte_count = 4096};
  EXPECT_EQ(out.str(), "3 mappings of 4096 bytes");
}

}  // namespace
}  // namespace bast::test
