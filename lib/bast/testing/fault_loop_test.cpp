// SPDX-License-Identifier: Apache-2.0
//
// `for_each_failing_call`: the runs that it makes, and that it reports what each leaves. A loop
// that runs nothing, or reports nothing, would make a hundred tests pass.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bast/os/fault_injection.hpp"
#include "bast/testing/baseline.hpp"

namespace bast::test {
namespace {

/// Three calls without effect; for each '.' on success, or the first letter of the errno's kind.
std::string three_calls() {
  std::string answers;
  for (const os::call kind : {os::call::map, os::call::open, os::call::map}) {
    errno = 0;
    const int status = os::internal::system_call(kind, -1, [] { return 0; });
    answers += status == 0 ? '.' : errno == ENOMEM ? 'M' : errno == EINVAL ? 'V' : 'P';
  }
  return answers;
}

TEST(FaultLoop, FailsEachCallAloneAndWithAllLaterOnesWithEachErrno) {
  std::vector<std::string> runs;
  const auto loop = for_each_failing_call([&](injection&) {
    runs.push_back(three_calls());
    return std::string();
  });
  const std::vector<std::string> expected = {
      "...", "...",                // warm-up, count
      "M..", "MMM", "V..", "VVV",  // the first fails
      ".M.", ".MM", ".V.", ".VV",  // the second fails
      "..M", "..M", "..V", "..V",  // the third, the last, fails
  };
  EXPECT_EQ(runs, expected);
  EXPECT_EQ(loop.calls, 3U);
  EXPECT_EQ(loop.runs, 12U);
  EXPECT_EQ(loop.injected, 2U * (4 + 3 + 2));
  EXPECT_EQ(loop.complaints, "");
  EXPECT_EQ(loop.summary(), "18 faults injected in 12 runs of 3 calls");
}

TEST(FaultLoop, TakesTheErrnosThatItIsGiven) {
  std::vector<std::string> runs;
  constexpr int only[] = {EPERM};
  const auto loop = for_each_failing_call(
      [&](injection&) {
        runs.push_back(three_calls());
        return std::string();
      },
      only);
  const std::vector<std::string> expected = {"...", "...", "P..", "PPP",
                                             ".P.", ".PP", "..P", "..P"};
  EXPECT_EQ(runs, expected);
  EXPECT_EQ(loop.summary(), "9 faults injected in 6 runs of 3 calls");
}

TEST(FaultLoop, AScenarioWithoutCallsRunsTwice) {
  int runs = 0;
  testing::internal::CaptureStdout();
  const auto loop = for_each_failing_call([&](injection&) {
    ++runs;
    return std::string();
  });
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "[ faults   ] 0 faults injected in 0 runs of 0 calls\n");
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(loop.summary(), "0 faults injected in 0 runs of 0 calls");
}

TEST(FaultLoop, TellsWhatTheScenarioSaysAndWithWhichFault) {
  int runs = 0;
  const auto loop = for_each_failing_call([&](injection&) {
    ++runs;
    (void)os::internal::system_call(os::call::map, -1, [] { return 0; });
    return runs == 1 ? std::string("not reported: the warm-up") : "run " + std::to_string(runs);
  });
  EXPECT_EQ(loop.complaints,
            "nothing failing: run 2\n"
            "call 1 failing with ENOMEM (12): run 3\n"
            "call 1 and all later failing with ENOMEM (12): run 4\n"
            "call 1 failing with EINVAL (22): run 5\n"
            "call 1 and all later failing with EINVAL (22): run 6\n");
}

TEST(FaultLoop, TellsWhatARunLeft) {
  std::vector<os::descriptor> left;
  const std::size_t before = process_counts::now().fds;
  const auto loop = for_each_failing_call([&](injection& faults) {
    const bool failed = os::internal::system_call(os::call::map, -1, [] { return 0; }) != 0;
    faults.end();
    if (failed && left.empty()) left.push_back(os::open_file("/dev/null", O_RDONLY).value());
    return std::string();
  });
  EXPECT_EQ(loop.complaints,
            "call 1 failing with ENOMEM (12): descriptors: " + std::to_string(before) +
                " before, " + std::to_string(before + 1) + " now\n\n")
      << "reported once: it is in the next run's baseline";
}

TEST(FaultLoop, StopsTellingWhenThereIsEnough) {
  const std::string long_one(1000, 'x');
  const auto loop = for_each_failing_call([&](injection&) {
    (void)three_calls();
    return long_one;
  });
  // One line leaves room for a second; after that, more would add nothing new.
  EXPECT_EQ(std::count(loop.complaints.begin(), loop.complaints.end(), '\n'), 2);
  EXPECT_EQ(loop.runs, 12U) << "but all runs are made";
}

TEST(Injection, EndsOnceAndKeepsItsCounts) {
  injection faults({.kind = os::call::map, .nth = 2, .persistent = true});
  EXPECT_EQ(faults.seen(), 0U);
  EXPECT_EQ(faults.injected(), 0U);
  (void)three_calls();
  (void)three_calls();
  EXPECT_FALSE(faults.ended());
  EXPECT_EQ(faults.seen(), 4U);
  EXPECT_EQ(faults.injected(), 3U);
  for (int round = 0; round < 2; ++round) {
    faults.end();
    EXPECT_TRUE(faults.ended());
    EXPECT_EQ(three_calls(), "...");
    EXPECT_EQ(faults.seen(), 4U);
    EXPECT_EQ(faults.injected(), 3U);
  }
}

TEST(Injection, OneThatEndsBeforeAnyCallCountedNone) {
  injection faults({.kind = os::call::map, .nth = 1});
  faults.end();
  EXPECT_EQ(faults.seen(), 0U);
  EXPECT_EQ(faults.injected(), 0U);
}

}  // namespace
}  // namespace bast::test
