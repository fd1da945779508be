// SPDX-License-Identifier: Apache-2.0
//
// Expectations about an exploration.
//
//   expect_exhausted(explore({}, correct));
//   expect_failure(explore(quietly, broken), "a data race on");
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

#include "interleave/explore.hpp"

namespace bast::interleave {

/// For expected failures.
inline const options quietly = {.quiet = true};

inline const options every_order = {.bound = unbounded};
/// If all schedules would take seconds: three departures, and most bugs need two.
inline const options bound_3 = {.bound = 3};

/// With BAST_INTERLEAVE_LONG in the environment, by `ci/run interleavings`: wider searches.
inline bool is_long() { return std::getenv("BAST_INTERLEAVE_LONG") != nullptr; }

/// Every schedule was run, and none failed.
inline void expect_exhausted(const result& r) {
  EXPECT_EQ(r.failure, "") << "replay = \"" << r.choices << "\"\n" << r.trace;
  EXPECT_TRUE(r.exhausted) << r.schedules << " schedules were not all";
}

/// No order of a lock-free structure fails: all within two departures; in the long job within
/// three, and a million random ones of each strategy.
inline void expect_all_orders(const std::function<void(world&)>& test) {
  expect_exhausted(
      explore({.bound = is_long() ? 3U : 2U, .schedules = UINT64_MAX, .seconds = 3600}, test));
  if (!is_long()) return;
  for (const strategy by : {strategy::pct, strategy::random_walk}) {
    const result r = explore({.strategy = by, .seconds = 3600}, test);
    EXPECT_EQ(r.failure, "") << "replay = \"" << r.choices << "\"\n" << r.trace;
    EXPECT_EQ(r.schedules, 1'000'000U);
  }
}

/// A schedule failed for the reason in the words.
inline void expect_failure(const result& r, const char* words) {
  EXPECT_NE(r.failure.find(words), std::string::npos) << r.failure << "\n" << r.trace;
  EXPECT_FALSE(r.exhausted);
}

}  // namespace bast::interleave
