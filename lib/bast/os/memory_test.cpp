// SPDX-License-Identifier: Apache-2.0
#include "bast/os/memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "bast/os/descriptor.hpp"
#include "bast/os/fault_injection.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/expect_mappings.hpp"
#include "bast/testing/fault.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using bast::test::mappings;

/// A mapping for one test, released at its end.
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

/// For the child of a death test: without a sanitizer's handler, an access kills by signal.
void touch_and_die(std::byte* where) {
  test::start_from_default_action();
  touch(where);
}

/// True if guard markers exist and work: the kernel itself must refuse to write through one.
/// Checked without the library, or a library that never installs one would pass for an old kernel.
bool guard_markers_work() {
  const mapped_pages memory(1);
  constexpr int madv_guard_install = 102;
  return ::madvise(memory.base(), memory.size(), madv_guard_install) == 0 &&
         !kernel_can_write(memory.base());
}

TEST(Memory, APageIsAPowerOfTwoOfAtLeast4096Bytes) {
  EXPECT_TRUE(bast::internal::is_power_of_two(page_bytes()));
  EXPECT_GE(page_bytes(), 4096U);
  EXPECT_EQ(page_bytes(), static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

TEST(Memory, AReservationIsAlignedInaccessibleAndLeavesNothingBesideIt) {
  for (const std::size_t pages : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    for (std::size_t alignment = page_bytes(); alignment <= (std::size_t{64} << 20);
         alignment *= 4) {
      const std::size_t size = pages * page_bytes();
      const mappings before = mappings::now();
      const auto reserved = reserve(size, alignment);
      ASSERT_TRUE(reserved) << reserved.error().message();
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*reserved) % alignment, 0U);
      test::expect_grown_by(before, size);  // The ends were released.
      EXPECT_FALSE(kernel_can_write(*reserved));
      EXPECT_FALSE(kernel_can_write(*reserved + size - 16));
      release(*reserved, size);
      EXPECT_EQ(mappings::now(), before);
    }
  }
}

TEST(Memory, MoreThanTheAddressSpaceIsAnErrorThatNamesTheCall) {
  if (test::under_valgrind)
    GTEST_SKIP() << "valgrind fails with EINVAL where the kernel fails with ENOMEM";
  const mappings before = mappings::now();
  const std::size_t all =
      bast::internal::round_down(std::numeric_limits<std::size_t>::max(), page_bytes());
  for (const std::size_t about : {all, all / 2, std::size_t{1} << 60}) {
    const std::size_t size = bast::internal::round_down(about, page_bytes());
    // With the slack for the alignment the sum would wrap to a small number.
    for (const std::size_t alignment : {page_bytes(), std::size_t{1} << 30}) {
      const auto reserved = reserve(size, alignment);
      ASSERT_FALSE(reserved);
      EXPECT_EQ(reserved.error().kind(), errc::no_memory);
      const bool sum_wraps =
          size > std::numeric_limits<std::size_t>::max() - (alignment - page_bytes());
      const auto expected =
          sum_wraps ? error(errc::no_memory, "os.reserve", "more bytes than there are addresses")
                    : error::from_errno(ENOMEM, "os.reserve", "mmap refused this many bytes",
                                        static_cast<std::int64_t>(size + alignment - page_bytes()));
      EXPECT_EQ(reserved.error().message(), expected.message());
    }
  }
  EXPECT_FALSE(map(std::size_t{1} << 60));
  EXPECT_EQ(mappings::now(), before);
}

TEST(Memory, MappedMemoryIsZeroAndWritable) {
  const mapped_pages memory(3);
  for (std::size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(memory.base()[i], std::byte{0});
  std::memset(memory.base(), 0xff, memory.size());
  EXPECT_TRUE(kernel_can_write(memory.base()));
}

TEST(MemoryDeathTest, ProtectNoneEndsAccessAndReadWriteRestoresItWithTheContents) {
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

TEST(Memory, APartOfAReservationCanBeOpened) {
  const std::size_t size = 8 * page_bytes();
  const auto reserved = reserve(size, page_bytes());
  ASSERT_TRUE(reserved);
  ASSERT_TRUE(protect(*reserved + size - page_bytes(), page_bytes(), access::read_write));
  touch(*reserved + size - 1);
  EXPECT_FALSE(kernel_can_write(*reserved + size - page_bytes() - 16));
  release(*reserved, size);
}

TEST(Memory, AProtectionOfUnmappedMemoryIsRefused) {
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

TEST(MemoryDeathTest, D2_AGuardMarkerStopsTheKernelAndTheProgramUntilRemoved) {
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
  EXPECT_EQ(*memory.page(3), std::byte{0x11}) << "the neighbour keeps its content";

  ASSERT_TRUE(remove_guard(memory.page(1), 2 * page_bytes()));
  EXPECT_EQ(*memory.page(1), std::byte{0}) << "installing discarded the page";
  touch(memory.page(2));
  ASSERT_TRUE(remove_guard(memory.page(0), memory.size())) << "removing nothing is no error";
  EXPECT_EQ(*memory.page(3), std::byte{0x11}) << "removing keeps resident pages";
}

TEST(Memory, D2_GuardMarkersSurviveADiscard) {
  if (!guard_markers_work()) GTEST_SKIP() << "this kernel or emulator has no guard markers";
  const mapped_pages memory(3);
  std::memset(memory.base(), 0x22, memory.size());
  ASSERT_TRUE(install_guard(memory.page(0), page_bytes()));
  ASSERT_TRUE(discard(memory.base(), memory.size()));
  EXPECT_FALSE(kernel_can_write(memory.page(0)));
  EXPECT_EQ(*memory.page(1), std::byte{0});
}

TEST(Memory, DiscardedPagesReadAsZeroAndAreNotResident) {
  const mapped_pages memory(4);
  std::memset(memory.base(), 0x33, memory.size());
  ASSERT_TRUE(discard(memory.page(1), 2 * page_bytes()));
  EXPECT_EQ(memory.resident(), "R--R");
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const bool inside = i / page_bytes() == 1 || i / page_bytes() == 2;
    ASSERT_EQ(memory.base()[i], inside ? std::byte{0} : std::byte{0x33}) << i;
  }
}

TEST(Memory, ResidencyTellsTouchedPagesAndMakesNoneResident) {
  const mapped_pages memory(8);
  EXPECT_EQ(memory.resident(), "--------");
  touch(memory.page(3));
  touch(memory.page(7));
  EXPECT_EQ(memory.resident(), "---R---R");
  EXPECT_EQ(memory.resident(), "---R---R") << "reading residency loads no page";
}

TEST(Memory, ALargeTouchedMappingStaysSmallWithoutHugePages) {
  const mapped_pages memory((std::size_t{4} << 20) / page_bytes());
  touch(memory.page(memory.size() / page_bytes() / 2));
  const std::string letters = memory.resident();
  EXPECT_EQ(std::count(letters.begin(), letters.end(), 'R'), 1);
}

TEST(Memory, TheKernelWriteProbeWritesAtMostSixteenBytes) {
  const mapped_pages memory(1);
  std::memset(memory.base(), 0x44, page_bytes());
  EXPECT_TRUE(kernel_can_write(memory.base() + 64));
  for (std::size_t i = 0; i < page_bytes(); ++i) {
    if (i < 64 || i >= 80) {
      ASSERT_EQ(memory.base()[i], std::byte{0x44}) << i;
    }
  }
}

/// The VmFlags in /proc/self/smaps of the mapping that begins at `base`.
std::string flags_of(const std::byte* base) {
  text start;
  start.hex(reinterpret_cast<std::uintptr_t>(base));
  const std::string digits = std::string(start.view().substr(2)) + '-';
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.starts_with(digits)) inside = true;
    if (inside && line.starts_with("VmFlags:")) return line + ' ';
  }
  return "";
}

bool kernel_overcommits() {
  char mode = '2';
  std::ifstream("/proc/sys/vm/overcommit_memory") >> mode;
  return mode != '2';
}

TEST(Memory, WhatIsMappedCountsForNothingUntilItIsUsed) {
  if (test::emulated || test::under_valgrind) GTEST_SKIP() << "not the kernel's own mappings";
  if (!kernel_overcommits()) GTEST_SKIP() << "vm.overcommit_memory is 2: all memory is accounted";
  const std::size_t size = 4 * page_bytes();
  std::byte* const reserved = reserve(size, page_bytes()).value();
  ASSERT_TRUE(protect(reserved + page_bytes(), page_bytes(), access::read_write));
  EXPECT_NE(flags_of(reserved + page_bytes()).find(" nr "), std::string::npos);
  // Different from its neighbours, so that it is a mapping of its own.
  std::byte* const mapped = map(size).value();
  ASSERT_TRUE(protect(mapped, page_bytes(), access::none));
  EXPECT_NE(flags_of(mapped + page_bytes()).find(" nr "), std::string::npos);
  avoid_huge_pages(mapped + page_bytes(), size - page_bytes());
  const std::string flags = flags_of(mapped + page_bytes());
  if (::access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0) {
    EXPECT_NE(flags.find(" nh "), std::string::npos) << flags;
  }
  const descriptor file(::memfd_create("bast-test", MFD_CLOEXEC));
  std::byte* const shared = map_memory_file(file.get(), "bast-test", 0, size).value();
  EXPECT_NE(flags_of(shared).find(" nr "), std::string::npos);
  map_copy_over(shared, size, file.get(), 0);
  EXPECT_NE(flags_of(shared).find(" nr "), std::string::npos);
  release(shared, size);
  release(mapped, size);
  release(reserved, size);
}

}  // namespace
}  // namespace bast::inline BAST_ABI::os
