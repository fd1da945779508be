// SPDX-License-Identifier: Apache-2.0
//
// From a page fault in a running program to the name of the function: the reader and the names
// together, as `record --deepest` uses them.
#include "read/page_faults.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bast/config.hpp>

#include "code/symbols.hpp"
#include "read/open.hpp"
#include "read/record.hpp"
#include "read/testing/child.hpp"

namespace bast_stacks {
namespace {

using testing::child;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::test_program;

std::vector<std::string> names(const backtrace& trace) {
  std::vector<std::string> all;
  for (const frame& each : trace.frames) all.push_back(each.function);
  return all;
}

std::uint64_t pages(std::uint64_t bytes) { return (bytes + 4095) / 4096; }

/// Watches a program go deep; empty if perf events are refused.
std::optional<snapshot> seen_going(const std::vector<std::string>& how, std::string& why_not) {
  child program(test_program(how));
  EXPECT_TRUE(program.ready());
  const auto before = open_process(program.pid(), {});
  EXPECT_TRUE(before) << before.error().what;
  auto faults = page_faults::watch(program.pid(), before->machine);
  if (!faults) {
    why_not = faults.error().what;
    return std::nullopt;
  }
  EXPECT_TRUE(program.go_on());
  EXPECT_TRUE(program.ready());
  EXPECT_TRUE(faults->look());
  auto after = open_process(program.pid(), {});
  EXPECT_TRUE(after) << after.error().what;
  faults->add_to(*after);
  name_frames(*after);
  return std::move(*after);
}

void name_the_call(const std::vector<std::string>& how) {
  std::string why_not;
  const auto seen = seen_going(how, why_not);
  if (!seen) GTEST_SKIP() << why_not;
  const auto site = std::ranges::find(seen->sites, "diver", &site::where);
  ASSERT_NE(site, seen->sites.end());
  const backtrace& trace = site->deepest;
  EXPECT_EQ(pages(trace.depth), pages(site->max)) << trace.depth << ' ' << site->max;
  ASSERT_FALSE(trace.frames.empty());
  EXPECT_THAT(trace.frames[0].function, HasSubstr("lowest_call"));
  EXPECT_THAT(names(trace), Contains(HasSubstr("middle_call")));
  EXPECT_THAT(seen->not_seen, Contains(HasSubstr("Deepest stacks by page faults")));
}

TEST(PageFaults, NameTheCallThatWentDeepest) {
  // Within the window, where the library records no growth, and far below it.
  name_the_call({"deep", "20000"});
  name_the_call({"deep", "100000"});
  name_the_call({"deep", "2000000"});
}

TEST(PageFaults, AreSeenOfThreadsThatStartLater) { name_the_call({"deep", "20000", "thread"}); }

TEST(PageFaults, ARecordingWithThemSaysWhatItCouldNotSee) {
  child program(test_program({"depths", "5000"}));
  ASSERT_TRUE(program.ready());
  const auto seen = record({.pid = program.pid(),
                            .duration = std::chrono::milliseconds(20),
                            .every = std::chrono::milliseconds(5),
                            .deepest = true});
  if (!seen) {
    EXPECT_THAT(seen.error().what, HasSubstr("cannot watch the page faults of process"));
    EXPECT_EQ(seen.error().status, 3);
    GTEST_SKIP() << seen.error().what;
  }
  EXPECT_THAT(seen->not_seen, Contains(HasSubstr("0 of them on stacks")));
}

TEST(PageFaults, AProcessWithoutBastIsRefused) {
  const auto watched = page_faults::watch(::getppid(), 62);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().status, 3);
  EXPECT_FALSE(watched.error().what.empty());
}

}  // namespace
}  // namespace bast_stacks
