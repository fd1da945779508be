// SPDX-License-Identifier: Apache-2.0
#include "bast/os/memory.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <limits>
#include <vector>

#include "bast/os/door.hpp"
#include "bast/testing/expect_mappings.hpp"
#include "bast/testing/fault.hpp"

namespace bast::os {
namespace {

using bast::test::mappings;

/// A mapping for one test, given back at its end.
class mapped_pages {
 public:
  explicit mapped_pages(std::size_t count) : size_(count * page_bytes()) {
    const auto mapped = map(size_);
    EXPECT_TRUE(mapped) << mapped.error().message();
    base_ = *mapped;
    avoid_huge_pages(base_, size_);
  }
  ~mapped_pages() { release(base_, size_); }
  mapped_pages(const mapped_pages&) = delete;
  mapped_pages& operator=(const mapped_pages&) = delete;

  std::byte* page(std::size_t index) const { return base_ + index * page_bytes(); }
  std::byte* base() const { return base_; }
  std::size_t size() const { return size_; }

  /// A letter for each page: R resident, - not.
  std::string resident() const {
    std::vector<unsigned char> flags(size_ / page_bytes());
    EXPECT_TRUE(residency(base_, flags));
    std::string letters;
    for (const unsigned char flag : flags) letters += (flag & 1) != 0 ? 'R' : '-';
    return letters;
  }

 private:
  std::size_t size_;
  std::byte* base_;
};

void touch(std::byte* where) { *static_cast<volatile std::byte*>(where) = std::byte{0x5a}; }

/// For the child of a death test: without the handler of a sanitizer, an access kills by signal.
void touch_and_die(std::byte* where) {
  test::start_from_default_action();
  touch(where);
}

/// True where guard markers exist and work: the kernel itself must refuse to write through one.
bool guard_markers_work() {
  const mapped_pages memory(1);
  return install_guard(memory.base(), memory.size()) && !kernel_can_write(memory.base());
}

TEST(memory, a_page_is_a_power_of_two_of_at_least_4096_bytes) {
  EXPECT_TRUE(bast::internal::is_power_of_two(page_bytes()));
  EXPECT_GE(page_bytes(), 4096U);
  EXPECT_EQ(page_bytes(), static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

TEST(memory, a_reservation_is_aligned_inaccessible_and_leaves_nothing_beside_it) {
  for (const std::size_t pages : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    for (std::size_t alignment = page_bytes(); alignment <= (std::size_t{64} << 20);
         alignment *= 4) {
      const std::size_t size = pages * page_bytes();
      const mappings before = mappings::now();
      const auto reserved = reserve(size, alignment);
      ASSERT_TRUE(reserved) << reserved.error().message();
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*reserved) % alignment, 0U);
      test::expect_grown_by(before, size);  // The ends were given back.
      EXPECT_FALSE(kernel_can_write(*reserved));
      EXPECT_FALSE(kernel_can_write(*reserved + size - 16));
      release(*reserved, size);
      EXPECT_EQ(mappings::now(), before);
    }
  }
}

TEST(memory, more_than_the_address_space_is_an_error_that_names_the_call) {
  const mappings before = mappings::now();
  const std::size_t all =
      bast::internal::round_down(std::numeric_limits<std::size_t>::max(), page_bytes());
  for (const std::size_t size : {all, all / 2, std::size_t{1} << 60}) {
    // With a slack for the alignment the sum would wrap to a small number.
    for (const std::size_t alignment : {page_bytes(), std::size_t{1} << 30}) {
      const auto reserved = reserve(bast::internal::round_down(size, page_bytes()), alignment);
      ASSERT_FALSE(reserved);
      EXPECT_EQ(reserved.error().kind(), errc::no_memory);
      EXPECT_STREQ(reserved.error().operation(), "os.reserve");
    }
  }
  EXPECT_FALSE(map(std::size_t{1} << 60));
  EXPECT_EQ(mappings::now(), before);
}

TEST(memory, mapped_memory_is_zero_and_writable) {
  const mapped_pages memory(3);
  for (std::size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory.base()[i], std::byte{0});
  std::memset(memory.base(), 0xff, memory.size());
  EXPECT_TRUE(kernel_can_write(memory.base()));
}

TEST(memory_death, protect_none_ends_access_and_read_write_restores_it_with_the_contents) {
  const mapped_pages memory(3);
  touch(memory.page(1));
  ASSERT_TRUE(protect(memory.page(1), page_bytes(), access::none));
  EXPECT_EXIT(touch_and_die(memory.page(1)), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_FALSE(kernel_can_write(memory.page(1)));
  touch(memory.page(0));  // The neighbours stay as they were.
  touch(memory.page(2));
  ASSERT_TRUE(protect(memory.page(1), page_bytes(), access::read_write));
  EXPECT_EQ(*memory.page(1), std::byte{0x5a});
  touch(memory.page(1));
}

TEST(memory, a_part_of_a_reservation_can_be_opened) {
  const std::size_t size = 8 * page_bytes();
  const auto reserved = reserve(size, page_bytes());
  ASSERT_TRUE(reserved);
  ASSERT_TRUE(protect(*reserved + size - page_bytes(), page_bytes(), access::read_write));
  touch(*reserved + size - 1);
  EXPECT_FALSE(kernel_can_write(*reserved + size - page_bytes() - 16));
  release(*reserved, size);
}

TEST(memory, a_protection_of_unmapped_memory_is_refused) {
  const auto gone = map(page_bytes());
  ASSERT_TRUE(gone);
  release(*gone, page_bytes());
  const auto refused = protect(*gone, page_bytes(), access::none);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), errc::no_memory);
  EXPECT_EQ(refused.error().error_number(), ENOMEM);
  std::vector<unsigned char> flags(1);
  const auto unseen = residency(*gone, flags);
  ASSERT_FALSE(unseen);
  EXPECT_EQ(unseen.error().kind(), errc::no_memory);
}

TEST(memory_death, D2_a_guard_marker_stops_the_kernel_and_the_program_until_removed) {
  if (!guard_markers_work()) GTEST_SKIP() << "this kernel or emulator has no guard markers";
  const mapped_pages memory(4);
  std::memset(memory.base(), 0x11, memory.size());
  const mappings before = mappings::now();
  ASSERT_TRUE(install_guard(memory.page(1), 2 * page_bytes()));
  EXPECT_EQ(mappings::now(), before) << "a marker splits no mapping";
  EXPECT_FALSE(kernel_can_write(memory.page(1)));
  EXPECT_FALSE(kernel_can_write(memory.page(2)));
  EXPECT_EXIT(touch_and_die(memory.page(2)), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_TRUE(kernel_can_write(memory.page(0)));
  EXPECT_EQ(*memory.page(3), std::byte{0x11}) << "the neighbour keeps its contents";

  ASSERT_TRUE(remove_guard(memory.page(1), 2 * page_bytes()));
  EXPECT_EQ(*memory.page(1), std::byte{0}) << "installing discarded what the page held";
  touch(memory.page(2));
  ASSERT_TRUE(remove_guard(memory.page(0), memory.size())) << "removing nothing is no error";
  EXPECT_EQ(*memory.page(3), std::byte{0x11}) << "removing never damages what is resident";
}

TEST(memory, D2_guard_markers_survive_a_discard) {
  if (!guard_markers_work()) GTEST_SKIP() << "this kernel or emulator has no guard markers";
  const mapped_pages memory(3);
  std::memset(memory.base(), 0x22, memory.size());
  ASSERT_TRUE(install_guard(memory.page(0), page_bytes()));
  ASSERT_TRUE(discard(memory.base(), memory.size()));
  EXPECT_FALSE(kernel_can_write(memory.page(0)));
  EXPECT_EQ(*memory.page(1), std::byte{0});
}

TEST(memory, discarded_pages_read_as_zero_and_are_not_resident) {
  const mapped_pages memory(4);
  std::memset(memory.base(), 0x33, memory.size());
  ASSERT_TRUE(discard(memory.page(1), 2 * page_bytes()));
  EXPECT_EQ(memory.resident(), "R--R");
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const bool inside = i / page_bytes() == 1 || i / page_bytes() == 2;
    ASSERT_EQ(memory.base()[i], inside ? std::byte{0} : std::byte{0x33}) << i;
  }
}

TEST(memory, residency_tells_touched_pages_and_makes_none_resident) {
  const mapped_pages memory(8);
  EXPECT_EQ(memory.resident(), "--------");
  touch(memory.page(3));
  touch(memory.page(7));
  EXPECT_EQ(memory.resident(), "---R---R");
  EXPECT_EQ(memory.resident(), "---R---R") << "looking brought nothing in";
}

TEST(memory, a_large_touched_mapping_stays_small_without_huge_pages) {
  const mapped_pages memory((std::size_t{4} << 20) / page_bytes());
  touch(memory.page(memory.size() / page_bytes() / 2));
  const std::string letters = memory.resident();
  EXPECT_EQ(std::count(letters.begin(), letters.end(), 'R'), 1);
}

TEST(memory, the_kernel_write_probe_writes_at_most_sixteen_bytes) {
  const mapped_pages memory(1);
  std::memset(memory.base(), 0x44, page_bytes());
  EXPECT_TRUE(kernel_can_write(memory.base() + 64));
  for (std::size_t i = 0; i < page_bytes(); ++i) {
    if (i < 64 || i >= 80) {
      ASSERT_EQ(memory.base()[i], std::byte{0x44}) << i;
    }
  }
}

}  // namespace
}  // namespace bast::os
