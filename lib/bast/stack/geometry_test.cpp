// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/geometry.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "bast/os.hpp"

namespace bast {
namespace {

void expect_refused(const stack_options& options, const std::string& words) {
  const auto made = stack_geometry::make(options);
  ASSERT_FALSE(made.has_value()) << words;
  EXPECT_EQ(made.error().kind(), errc::invalid);
  EXPECT_NE(made.error().message().find(words), std::string::npos) << made.error().message();
  EXPECT_NE(made.error().message().find("stack_options"), std::string::npos);
}

void expect_invariants(const stack_geometry& g) {
  EXPECT_EQ(g.guard + g.limit(), g.stride);  // I1
  EXPECT_LE(g.window, g.retain);
  EXPECT_LE(g.retain, g.limit());
  for (const std::size_t size : {g.stride, g.guard, g.window, g.retain}) {
    EXPECT_EQ(size % g.page, 0U);
    EXPECT_GT(size, 0U);
  }
  EXPECT_LE(g.pages(), std::numeric_limits<std::uint16_t>::max());  // I2
  EXPECT_GE(g.guard, std::size_t{64} << 10);
}

TEST(StackGeometry, EveryInvalidOptionIsRefusedByName) {
  expect_refused({.limit = 0_B}, "limit must be at least 16 KiB");
  expect_refused({.limit = bytes{(16 << 10) - 1}}, "limit must be at least 16 KiB");
  expect_refused({.limit = bytes{(64 << 20) + 1}}, "limit must be at most 64 MiB");
  expect_refused({.limit = unlimited_bytes}, "limit must be at most 64 MiB");
  expect_refused({.guard = 0_B}, "guard must be at least 64 KiB");
  expect_refused({.guard = bytes{(64 << 10) - 1}}, "guard must be at least 64 KiB");
  expect_refused({.guard = bytes{(64 << 20) + 1}}, "guard must be at most 64 MiB");
  expect_refused({.guard = unlimited_bytes}, "guard must be at most 64 MiB");
  expect_refused({.window = 0_B}, "window must be at least one byte");
}

TEST(StackGeometry, RefusalNamesTheNumberThatWasWrong) {
  const auto made = stack_geometry::make({.limit = bytes{12345}});
  ASSERT_FALSE(made.has_value());
  EXPECT_NE(made.error().message().find("12345"), std::string::npos) << made.error().message();
}

TEST(StackGeometry, BoundsThemselvesAreAccepted) {
  for (const bytes limit : {16_KiB, 64_MiB}) {
    for (const bytes guard : {64_KiB, 64_MiB}) {
      const auto made = stack_geometry::make({.limit = limit, .guard = guard});
      ASSERT_TRUE(made.has_value());
      expect_invariants(*made);
      EXPECT_GE(made->limit(), limit.count);
      EXPECT_GE(made->guard, guard.count);
    }
  }
}

TEST(StackGeometry, SizesAreRoundedUpToPages) {
  const std::size_t page = os::page_bytes();
  const auto made = stack_geometry::make({.limit = bytes{(192 << 10) + 1},
                                          .guard = bytes{(64 << 10) + 1},
                                          .window = 1_B,
                                          .retain = bytes{page + 1}});
  ASSERT_TRUE(made.has_value());
  expect_invariants(*made);
  EXPECT_EQ(made->page, page);
  EXPECT_EQ(made->limit(), internal::round_up((192 << 10) + 1, page));
  EXPECT_EQ(made->guard, internal::round_up((64 << 10) + 1, page));
  EXPECT_EQ(made->window, page);
  EXPECT_EQ(made->retain, 2 * page);
}

TEST(StackGeometry, I1_WindowAndRetainAreBroughtIntoOrder) {
  // What does not fit is cut to the limit, never an error: the limit is what the user insists on.
  const auto wide =
      stack_geometry::make({.limit = 64_KiB, .window = unlimited_bytes, .retain = unlimited_bytes});
  ASSERT_TRUE(wide.has_value());
  expect_invariants(*wide);
  EXPECT_EQ(wide->window, wide->limit());
  EXPECT_EQ(wide->retain, wide->limit());

  const auto thrifty = stack_geometry::make({.window = 32_KiB, .retain = 0_B});
  ASSERT_TRUE(thrifty.has_value());
  expect_invariants(*thrifty);
  EXPECT_EQ(thrifty->retain, thrifty->window);
}

TEST(StackGeometry, I1_I2_HoldForManyOptions) {
  for (std::size_t limit = 16 << 10; limit <= std::size_t{64} << 20; limit = limit * 3 / 2 + 1) {
    for (std::size_t window = 1; window <= 2 * limit; window = window * 7 + 13) {
      for (std::size_t retain = 0; retain <= 2 * limit; retain = retain * 11 + 4097) {
        const auto made = stack_geometry::make(
            {.limit = bytes{limit}, .window = bytes{window}, .retain = bytes{retain}});
        ASSERT_TRUE(made.has_value());
        expect_invariants(*made);
      }
    }
  }
}

TEST(StackGeometry, DemandGrowthOpensEverythingAboveTheGuard) {
  const auto made =
      stack_geometry::make({.limit = 1_MiB, .window = 4_KiB, .growth = stack_growth::demand});
  ASSERT_TRUE(made.has_value());
  expect_invariants(*made);
  EXPECT_EQ(made->window, made->limit());
  EXPECT_EQ(made->retain, made->limit());
}

TEST(StackGeometry, ColoursAreCacheLinesAndRepeat) {
  const auto made = stack_geometry::make({.colour = true});
  ASSERT_TRUE(made.has_value());
  for (std::size_t i = 0; i < 3 * stack_geometry::colours; ++i) {
    EXPECT_EQ(made->colour_of(i), i % stack_geometry::colours * stack_geometry::cache_line);
    EXPECT_LE(made->colour_of(i), 960U);
  }
  const auto plain = stack_geometry::make({.colour = false});
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->colour_of(7), 0U);
}

}  // namespace
}  // namespace bast
