// SPDX-License-Identifier: Apache-2.0
//
// BAST_CHECK, and BAST_ASSERT where it is on. check_off_test.cpp: where it is off.
#include "bast/base/check.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace bast {
namespace {

TEST(Check, ACheckThatHoldsDoesNothingAndEvaluatesOnce) {
  int evaluated = 0;
  BAST_CHECK(++evaluated == 1, "the expression is evaluated once");
  BAST_ASSERT_ON(++evaluated == 2);
  EXPECT_EQ(evaluated, 2);
}

TEST(Check, IsOneStatement) {
  bool reached_else = false;
  if (reached_else)
    BAST_CHECK(true, "an `else` after a check belongs to the `if` before it");
  else
    reached_else = true;
  EXPECT_TRUE(reached_else);
}

TEST(CheckDeathTest, X5_TheDiagnosticNamesTheReasonTheExpressionAndTheSite) {
  const int owners = 2;
  EXPECT_EXIT(BAST_CHECK(owners == 1, "a coroutine has one owner"),
              testing::KilledBySignal(SIGABRT),
              "bast: a coroutine has one owner: check failed: owners == 1, "
              "at .*check_test\\.cpp:[0-9]+\n");
}

TEST(CheckDeathTest, AnAssertionSaysThatAnInvariantIsBroken) {
  const bool linked = false;
  EXPECT_EXIT(BAST_ASSERT_ON(linked), testing::KilledBySignal(SIGABRT),
              "bast: an invariant of bast does not hold: check failed: linked, "
              "at .*check_test\\.cpp:[0-9]+\n");
}

void append_name(text& out) noexcept { out << ", in coroutine 'walker'"; }

TEST(CheckDeathTest, TheDiagnosticNamesWhoRuns) {
  EXPECT_EXIT(
      {
        internal::set_check_context(append_name);
        BAST_CHECK(false, "why");
      },
      testing::KilledBySignal(SIGABRT), "check_test\\.cpp:[0-9]+, in coroutine 'walker'\n");
}

TEST(Check, TheContextIsEmptyUntilALayerSetsIt) {
  text line;
  internal::append_check_context(line);
  EXPECT_EQ(line.view(), "");
  internal::set_check_context(append_name);
  internal::append_check_context(line);
  internal::set_check_context(nullptr);
  EXPECT_EQ(line.view(), ", in coroutine 'walker'");
}

void leave_with_7(const char* diagnostic) noexcept {
  const bool told = std::strstr(diagnostic, "check failed: false") != nullptr;
  _exit(told ? 7 : 8);
}

void log_and_return(const char* diagnostic) noexcept {
  static constexpr char said[] = "the handler saw: ";
  (void)!write(STDERR_FILENO, said, sizeof said - 1);
  (void)!write(STDERR_FILENO, diagnostic, std::strlen(diagnostic));
}

TEST(CheckDeathTest, X5_TheViolationHandlerGetsTheDiagnostic) {
  EXPECT_EXIT(
      {
        set_violation_handler(leave_with_7);
        BAST_CHECK(false, "why");
      },
      testing::ExitedWithCode(7), "");
}

TEST(CheckDeathTest, X5_TheProcessAbortsWhenTheHandlerReturns) {
  const auto fail_with_handler = [] {
    set_violation_handler(log_and_return);
    BAST_CHECK(false, "why");
  };
  EXPECT_EXIT(fail_with_handler(), testing::KilledBySignal(SIGABRT),
              "the handler saw: bast: why: check failed");
}

TEST(Check, InstallingAHandlerReturnsTheOneBefore) {
  EXPECT_EQ(set_violation_handler(leave_with_7), nullptr);
  EXPECT_EQ(set_violation_handler(log_and_return), &leave_with_7);
  EXPECT_EQ(set_violation_handler(nullptr), &log_and_return);
  EXPECT_EQ(set_violation_handler(nullptr), nullptr);
}

TEST(CheckDeathTest, ACheckMayFailWhereStandardErrorIsClosed) {
  const auto fail_silently = [] {
    close(STDERR_FILENO);
    BAST_CHECK(false, "no output is possible");
  };
  EXPECT_EXIT(fail_silently(), testing::KilledBySignal(SIGABRT), "");
}

TEST(CheckDeathTest, ADiagnosticTooLongIsCutAndStillEndsTheProcess) {
  static char why[2 * text::capacity] = {};
  std::memset(why, 'w', sizeof why - 1);
  EXPECT_EXIT(BAST_CHECK(false, why), testing::KilledBySignal(SIGABRT), "bast: www.*w\\.\\.\\.");
}

}  // namespace
}  // namespace bast
