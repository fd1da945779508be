// SPDX-License-Identifier: Apache-2.0
//
// The random numbers of tests: a small generator (splitmix64) with the same seed in every run, so
// that a failure repeats. BAST_SEED=<number> in the environment explores another run. The generator
// prints the line that reproduces the run.
#pragma once

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace bast::test {

class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) : state_(seed) {}

  /// The generator of the running test; prints how to repeat it.
  static random_numbers of_this_test() {
    const char* const chosen = std::getenv("BAST_SEED");
    const std::uint64_t seed = chosen == nullptr ? 0xba57 : std::strtoull(chosen, nullptr, 0);
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::printf("reproduce with: BAST_SEED=%" PRIu64 " --gtest_filter=%s.%s\n", seed,
                info->test_suite_name(), info->name());
    return random_numbers(seed);
  }

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// From 0 to `limit` - 1.
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

}  // namespace bast::test
