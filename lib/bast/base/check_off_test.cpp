// SPDX-License-Identifier: Apache-2.0
//
// BAST_ASSERT where it is off (check_test.cpp: where it is on), and which form this build has.
#include "bast/base/check.hpp"

#include <gtest/gtest.h>

namespace bast {
namespace {

constexpr int evaluations_of_an_assertion() {
  int evaluated = 0;
  BAST_ASSERT_OFF(++evaluated == 1);
  return evaluated;
}

TEST(CheckOff, AnAssertionThatIsOffIsNotEvaluated) {
  static_assert(evaluations_of_an_assertion() == 0);
}

TEST(CheckOff, AnAssertionThatIsOffUsesItsVariables) {
  // If the macro dropped the name, this variable would be unused, which -Werror rejects.
  const bool only_asserted = false;
  BAST_ASSERT_OFF(only_asserted);
}

TEST(CheckOff, TheBuildDecidesWhetherAnAssertionIsEvaluated) {
  int evaluated = 0;
  BAST_ASSERT(++evaluated == 1);
  EXPECT_EQ(evaluated, BAST_ASSERTIONS);
}

TEST(CheckOffDeathTest, ACheckStaysOn) {
  EXPECT_DEATH(BAST_CHECK(1 + 1 == 3, "arithmetic"),
               "bast: arithmetic: check failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace bast
