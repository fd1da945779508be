// SPDX-License-Identifier: Apache-2.0
//
// Shared helpers of this layer's tests.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/scope.hpp"

namespace bast::test {

using namespace std::chrono_literals;

/// Runs `main` on so many workers; it must end with a value.
template <class F>
void in_fibers(F main, std::size_t workers = 1) {
  const auto ended = run(std::move(main), {.workers = workers});
  EXPECT_TRUE(ended) << ended.error().message();
}

/// Waits until it is cancelled, and returns that.
[[nodiscard]] inline result<void> wait_long() { return perform(sleep_for(1h)); }

/// Waits until it is cancelled, but for no more than a second, so that a test fails instead of
/// hanging.
[[nodiscard]] inline result<void> wait_for_cancel() { return perform(sleep_for(1s)); }

/// The messages of the primary and of the suppressed ones.
inline std::vector<std::string> messages_of(const failures& all) {
  std::vector<std::string> each{all.primary.message()};
  for (std::size_t i = 0; i < all.suppressed_count; ++i) {
    each.push_back(all.suppressed[i].message());
  }
  return each;
}

[[nodiscard]] inline result<void> broken(const char* what) {
  return fail(errc::invalid, "test", static_string::promise(what));
}

}  // namespace bast::test
