// SPDX-License-Identifier: Apache-2.0
//
// Expectations about an exploration.
//
//   expect_exhausted(explore({}, correct));
//   expect_failure(explore(quietly, broken), "a data race on");
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "interleave/explore.hpp"

namespace bast::interleave {

/// For expected failures.
inline const options quietly = {.quiet = true};

inline const options every_order = {.bound = unbounded};
/// If all schedules would take seconds: three departures, and most bugs need two.
inline const options bound_3 = {.bound = 3};

/// Every schedule was run, and none failed.
inline void expect_exhausted(const result& r) {
  EXPECT_EQ(r.failure, "") << "replay = \"" << r.choices << "\"\n" << r.trace;
  EXPECT_TRUE(r.exhausted) << r.schedules << " schedules were not all";
}

/// A schedule failed for the reason in the words.
inline void expect_failure(const result& r, const char* words) {
  EXPECT_NE(r.failure.find(words), std::string::npos) << r.failure << "\n" << r.trace;
  EXPECT_FALSE(r.exhausted);
}

}  // namespace bast::interleave
