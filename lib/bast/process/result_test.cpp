// SPDX-License-Identifier: Apache-2.0
#include "bast/process/result.hpp"

#include <gtest/gtest.h>

#include <string>

namespace bast {
namespace {

using exit_kind = exit_status::kind;

std::string check_of(process_ending ending, exit_status status) {
  process_result r;
  r.pid = 321;
  r.ended_by = ending;
  r.status = status;
  const auto checked = r.check();
  return checked ? "fine" : checked.error().message();
}

TEST(ProcessResult, P19_WhoEndedItComesFirstAndThenHow) {
  constexpr exit_status all[] = {{.how = exit_kind::exited, .code = 0},
                                 {.how = exit_kind::exited, .code = 7},
                                 {.how = exit_kind::signalled, .code = 9},
                                 {.how = exit_kind::lost, .code = 0}};
  for (const auto& status : all) {
    EXPECT_EQ(check_of(process_ending::timed_out, status),
              "process.check: timed out: the process ran into its timeout (321)");
    EXPECT_EQ(check_of(process_ending::cancelled, status),
              "process.check: cancelled: the process was cancelled (321)");
    EXPECT_EQ(check_of(process_ending::limit, status),
              "process.check: limit reached: the process wrote more than its capture may hold "
              "(321)");
  }
  EXPECT_EQ(check_of(process_ending::exited, all[0]), "fine");
  EXPECT_EQ(check_of(process_ending::exited, all[1]),
            "process.check: the program failed: the exit code is not 0 (7)");
  EXPECT_EQ(check_of(process_ending::exited, all[2]),
            "process.check: the program failed: a signal ended the process (9)");
  EXPECT_EQ(check_of(process_ending::exited, all[3]),
            "process.check: lost: another waiter reaped the process (321)");
}

TEST(ProcessResult, P19_OnlyAnExitWithZeroIsSuccess) {
  EXPECT_TRUE((exit_status{.how = exit_kind::exited, .code = 0}).success());
  EXPECT_FALSE((exit_status{.how = exit_kind::exited, .code = 1}).success());
  EXPECT_FALSE((exit_status{.how = exit_kind::signalled, .code = 0}).success());
  EXPECT_FALSE(exit_status().success()) << "its status is unknown";
}

TEST(ProcessResult, P14_EachEndingHasItsOwnWord) {
  std::string all;
  for (int ending = 0; ending <= 4; ++ending) {
    all += std::string(name_of(static_cast<process_ending>(ending))) + ", ";
  }
  EXPECT_EQ(all, "exited, timed out, cancelled, limit, ?, ");
}

}  // namespace
}  // namespace bast
