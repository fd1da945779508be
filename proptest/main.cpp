// SPDX-License-Identifier: Apache-2.0
//
// The number of programs of each property, and their seed: the same in every run, so that a failure
// repeats. BAST_PROPERTY_RUNS sets the number, BAST_SEED the seed; RC_PARAMS, rapidcheck's own
// variable, overrides both. The line that repeats a test is printed when it starts.
#include <gtest/gtest.h>
#include <bast/config.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::string environment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// Under a sanitizer a program takes ten times as long, and is checked more closely.
constexpr const char* runs = BAST_WITH_ASAN || BAST_WITH_TSAN ? "100" : "300";

/// The parameters for rapidcheck: the user's, with ours as defaults.
std::string parameters() {
  std::string all = environment("RC_PARAMS", "");
  const auto add = [&](const char* key, const std::string& value) {
    if (all.find(key) != std::string::npos) return;
    all += (all.empty() ? "" : " ") + std::string(key) + "=" + value;
  };
  add("seed", std::to_string(std::strtoull(environment("BAST_SEED", "0xba57").c_str(), {}, 0)));
  add("max_success", environment("BAST_PROPERTY_RUNS", runs));
  return all;
}

class announcer : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo& test) override {
    std::printf("reproduce with: RC_PARAMS=\"%s\" --gtest_filter=%s.%s\n", std::getenv("RC_PARAMS"),
                test.test_suite_name(), test.name());
    std::fflush(stdout);
  }
};

}  // namespace

int main(int count, char** values) {
  ::testing::InitGoogleTest(&count, values);
  // Before the first property: rapidcheck reads it once.
  ::setenv("RC_PARAMS", parameters().c_str(), 1);
  // GoogleTest owns and deletes it.
  ::testing::UnitTest::GetInstance()->listeners().Append(new announcer);
  return RUN_ALL_TESTS();
}
