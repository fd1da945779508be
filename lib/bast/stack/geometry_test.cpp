// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/geometry.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>
#include <string>

#include "bast/os.hpp"
#include "bast/stack.hpp"
#include "bast/stack/directory.hpp"
#include "bast/testing/emulation.hpp"

namespace bast {
namespace {

void expect_refused(const stack_options& options, const std::string& words, std::uint64_t given) {
  const auto made = stack_geometry::make(options);
  ASSERT_FALSE(made.has_value()) << words;
  EXPECT_EQ(made.error().kind(), errc::invalid);
  EXPECT_STREQ(made.error().operation(), "stack_options");
  EXPECT_EQ(made.error().detail(), words);
  EXPECT_NE(made.error().message().find(std::to_string(static_cast<std::int64_t>(given))),
            std::string::npos)
      << made.error().message();
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

TEST(StackGeometry, EveryInvalidOptionIsRefusedByNameAndNumber) {
  constexpr std::uint64_t mib = 1 << 20;
  const auto limit = [](std::uint64_t size, const std::string& words) {
    expect_refused({.limit = bytes{size}}, words, size);
  };
  limit(0, "limit must be at least 16 KiB");
  limit((16 << 10) - 1, "limit must be at least 16 KiB");
  limit(64 * mib + 1, "limit must be at most 64 MiB");
  limit(unlimited_bytes.count, "limit must be at most 64 MiB");
  const auto guard = [](std::uint64_t size, const std::string& words) {
    expect_refused({.guard = bytes{size}}, words, size);
  };
  guard(0, "guard must be at least 64 KiB");
  guard((64 << 10) - 1, "guard must be at least 64 KiB");
  guard(64 * mib + 1, "guard must be at most 64 MiB");
  guard(unlimited_bytes.count, "guard must be at most 64 MiB");
  expect_refused({.window = 0_B}, "window must be at least one byte", 0);
}

TEST(StackGeometry, DefaultsAreTheDocumentedOnes) {
  const auto made = stack_geometry::make({});
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->limit(), (192_KiB).count);
  EXPECT_EQ(made->guard, (64_KiB).count);
  if (os::page_bytes() <= 32 << 10 && !test::under_valgrind) {
    EXPECT_EQ(made->window, (32_KiB).count);
  }
  if (!test::under_valgrind) {
    EXPECT_EQ(made->retain, (64_KiB).count);
  }
  EXPECT_TRUE(made->colour);
  const stack_options defaults;
  EXPECT_EQ(defaults.budget, unlimited_bytes);
  EXPECT_EQ(defaults.tier, stack_tier::automatic);
  EXPECT_EQ(defaults.growth, stack_growth::fault);
  EXPECT_TRUE(defaults.measure);
  // docs/stacks.md states these numbers.
  EXPECT_EQ(samples_in_full, 16U);
  EXPECT_EQ(distance_min, 64U);
  EXPECT_EQ(distance_max, 16384U);
  EXPECT_EQ(site_table::sites_max, 4096U);
  EXPECT_EQ(directory_granule, (2_MiB).count);
  EXPECT_EQ(probe_distance, (64_KiB).count);
  EXPECT_EQ(stack_geometry::cache_line * stack_geometry::colours, (1_KiB).count);
}

TEST(StackGeometry, EachSizeIsItsOwn) {
  const auto made = stack_geometry::make(
      {.limit = 512_KiB, .guard = 128_KiB, .window = 64_KiB, .retain = 256_KiB, .colour = false});
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->stride, (640_KiB).count);
  EXPECT_EQ(made->guard, (128_KiB).count);
  EXPECT_EQ(made->limit(), (512_KiB).count);
  if (!test::under_valgrind) {
    EXPECT_EQ(made->window, (64_KiB).count);
    EXPECT_EQ(made->retain, (256_KiB).count);
  }
  EXPECT_EQ(made->pages(), (640_KiB).count / made->page);
  EXPECT_EQ(made->guard_pages(), (128_KiB).count / made->page);
  EXPECT_FALSE(made->colour);
}

using StackGeometryDeathTest = ::testing::Test;
TEST_F(StackGeometryDeathTest, WatchedForTheDeepestEveryPageIsAGrowth) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // The environment is read once.
  if (test::emulated) GTEST_SKIP() << "the emulator cannot start the program again";
  const auto child = [] {
    ::setenv("BAST_WATCH", "deepest", 1);
    if (!watch::open_registry()) ::_exit(1);
    const auto made = stack_geometry::make({});
    if (!made || made->window != made->page || made->retain != made->page) ::_exit(2);
    const auto demand = stack_geometry::make({.growth = stack_growth::demand});
    if (!demand || demand->window != demand->limit()) ::_exit(3);
    // A growth then opens only what is needed.
    stack_pool pool;
    if (!pool.init({}, 1)) ::_exit(4);
    slot& s = **pool.acquire(site_key::labelled("paged"));
    for (std::size_t pages = 2; pages <= 5; ++pages) {
      if (!ensure_open(s, slab::of(s).open_low(s) - 1)) ::_exit(5);
      if (slab::of(s).open_bytes(s) != pages * made->page) ::_exit(6);
    }
    ::_exit(0);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
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
  // A window or retain above the limit is cut to the limit, never an error: the limit has priority.
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
