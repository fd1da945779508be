// SPDX-License-Identifier: Apache-2.0
//
// The random numbers of tests: a small generator with the same seed in every run, so
// that a failure repeats. BAST_SEED=<number> in the environment explores another run. The generator
// prints the line that reproduces the run.
#pragma once

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "bast/testing/split_mix.hpp"

namespace bast::test {

class random_numbers : public split_mix {
 public:
  using split_mix::split_mix;

  /// The generator of the running test; prints how to repeat it.
  static random_numbers of_this_test() {
    const char* const chosen = std::getenv("BAST_SEED");
    const std::uint64_t seed = chosen == nullptr ? 0xba57 : std::strtoull(chosen, nullptr, 0);
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::printf("reproduce with: BAST_SEED=%" PRIu64 " --gtest_filter=%s.%s\n", seed,
                info->test_suite_name(), info->name());
    return random_numbers(seed);
  }
};

}  // namespace bast::test
