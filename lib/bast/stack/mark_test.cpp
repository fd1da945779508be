// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/mark.hpp"

#include <gtest/gtest.h>

#include "bast/os.hpp"
#include "bast/testing/stack_probe.hpp"

namespace bast {
namespace {

constexpr std::size_t pages = 3;

struct StackMark : ::testing::Test {
  void SetUp() override {
    page = os::page_bytes();
    low = os::map(pages * page).value();
    high = low + pages * page;
  }
  void TearDown() override { os::release(low, pages * page); }
  std::size_t page = 0;
  std::byte* low = nullptr;
  std::byte* high = nullptr;
};

TEST_F(StackMark, FirstNonzeroFindsEveryBytePosition) {
  EXPECT_EQ(first_nonzero(low, high), high);
  for (std::byte* place = low; place < high; ++place) {
    *place = std::byte{1};
    ASSERT_EQ(first_nonzero(low, high), place) << place - low;
    *place = std::byte{0};
  }
  EXPECT_EQ(first_nonzero(low, high), high);
}

TEST_F(StackMark, FirstNonzeroFindsTheLowestOfMany) {
  for (std::byte* place = high; place-- > low;) {
    *place = std::byte{0x80};  // the other end of the byte
    if ((place - low) % 61 == 0) {
      ASSERT_EQ(first_nonzero(low, high), place);
    }
  }
}

TEST_F(StackMark, FirstNonzeroLooksAtItsRangeOnly) {
  low[63] = std::byte{1};
  low[128] = std::byte{1};
  EXPECT_EQ(first_nonzero(low + 64, low + 128), low + 128);
  EXPECT_EQ(first_nonzero(low + 64, low + 64), low + 64);
}

TEST_F(StackMark, FirstResidentFindsThePageAndMakesNothingResident) {
  ASSERT_EQ(test::resident_pages(low, high), 0U);
  EXPECT_EQ(first_resident(low, high), high);
  EXPECT_EQ(test::resident_pages(low, high), 0U);
  for (std::size_t i = pages; i-- > 0;) {
    low[i * page + page / 2] = std::byte{1};
    EXPECT_EQ(first_resident(low, high), low + i * page);
    EXPECT_EQ(test::resident_pages(low, high), pages - i);
  }
}

TEST_F(StackMark, FirstResidentCountsAPageOfZerosAsTouched) {
  static_cast<volatile std::byte&>(low[page]) = std::byte{0};
  EXPECT_EQ(first_resident(low, high), low + page);
}

TEST_F(StackMark, FirstResidentOfAnEndInsideAPage) {
  low[2 * page] = std::byte{1};
  EXPECT_EQ(first_resident(low, high - 960), low + 2 * page) << "a coloured top";
  EXPECT_EQ(first_resident(low, low + 2 * page), low + 2 * page) << "its end";
  EXPECT_EQ(first_resident(low, low), low);
}

TEST_F(StackMark, FirstResidentGoesBeyondOneBatch) {
  // mincore is called for 256 pages at a time.
  constexpr std::size_t many = 1000;
  std::byte* const wide = os::map(many * page).value();
  EXPECT_GE(first_resident(wide, wide + many * page), wide + many * page);
  for (const std::size_t at : {many - 1, std::size_t{512}, std::size_t{256}, std::size_t{255}}) {
    wide[at * page] = std::byte{1};
    EXPECT_EQ(first_resident(wide, wide + many * page), wide + at * page);
  }
  os::release(wide, many * page);
}

TEST_F(StackMark, X6_WhenTheKernelDoesNotSayEverythingIsRead) {
  low[2 * page] = std::byte{1};
  const os::fault_scope fault({.kind = os::call::residency, .nth = 1});
  EXPECT_EQ(first_resident(low, high), low);
  EXPECT_EQ(fault.injected(), 1U);
  EXPECT_EQ(first_resident(low, high), low + 2 * page) << "the second call succeeds";
}

}  // namespace
}  // namespace bast
