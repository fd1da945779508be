// SPDX-License-Identifier: Apache-2.0
//
// The pool as a state machine, command by command, and the proof that a broken law is found and
// shrunk.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "pool_command.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

RC_GTEST_PROP(PoolState, EveryAnswerIsTheModels, ()) {
  check_commands(*anything<std::uint16_t>(), no_further_law);
}

#if !BAST_WITH_TSAN  // There shrinking takes long and shows nothing else.

/// The number of commands in the latest run that broke it. Five coroutines need an acquire and a
/// start each, and nothing else.
std::size_t commands_until_broken = 0;
std::size_t commands_run = 0;

const char* canary(const pool_model& state) {
  ++commands_run;
  const char* const broken = canary_law(state);
  if (broken != nullptr) commands_until_broken = commands_run;
  return broken;
}

TEST(PoolState, TheCanaryIsFoundAndShrunk) {
  commands_until_broken = 0;
  std::printf("What follows is meant to be falsified.\n");
  std::fflush(stdout);
  const bool held = rc::check("the canary", [] {
    commands_run = 0;
    check_commands(0xffff, canary);
  });
  EXPECT_FALSE(held);
  EXPECT_GE(commands_until_broken, 7U) << "three made, two made and resumed";
  EXPECT_LE(commands_until_broken, 20U);
}

#endif

}  // namespace
}  // namespace bast::model
