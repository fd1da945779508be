// SPDX-License-Identifier: Apache-2.0
//
// Shared by several tests of the readers.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "model/snapshot.hpp"
#include "read/open.hpp"

namespace bast_stacks::testing {

/// A snapshot of the test's own process.
inline snapshot look() {
  auto seen = open_process(::getpid(), {});
  EXPECT_TRUE(seen) << (seen ? "" : seen.error().what);
  return seen ? std::move(*seen) : snapshot{};
}

inline const site* find_site(const snapshot& in, std::string_view where) {
  const auto found = std::ranges::find(in.sites, where, &site::where);
  return found == in.sites.end() ? nullptr : &*found;
}

}  // namespace bast_stacks::testing
