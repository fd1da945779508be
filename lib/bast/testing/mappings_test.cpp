// SPDX-License-Identifier: Apache-2.0
#include "bast/testing/expect_mappings.hpp"

#include <sys/mman.h>

namespace bast::test {
namespace {

TEST(mappings, looking_twice_sees_the_same) {
  if (!mappings::counted) GTEST_SKIP() << "the sanitizer's own mappings come and go";
  (void)mappings::now();
  const mappings before = mappings::now();
  EXPECT_GT(before.count, 3U);
  EXPECT_EQ(mappings::now(), before);
}

TEST(mappings, a_leak_of_one_page_is_seen) {
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

}  // namespace
}  // namespace bast::test
