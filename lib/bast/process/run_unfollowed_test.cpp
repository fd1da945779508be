// SPDX-License-Identifier: Apache-2.0
//
// A child that was started and cannot be supervised: nothing of it is left.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <memory>

#include <cerrno>

#include "bast/process.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;

/// Every stream leads to us, and the driver refuses the settings of one of them.
command unfollowable(bool output_is_wrong) {
  const to::capture never_reads{.limit = {0}, .policy = on_limit::backpressure};
  auto c = child({"cat"});
  c.in(from::pipe{});
  if (output_is_wrong) {
    c.err(to::pipe{}).out(never_reads);
  } else {
    c.out(to::pipe{}).err(never_reads);
  }
  return c;
}

TEST(RunUnfollowed, P9_TheChildAndEveryPipeOfItAreGone) {
  const std::unique_ptr<epoll_adapter> loop_owner =
      epoll_adapter::create({.processes_max = 2}).value();
  epoll_adapter& loop = *loop_owner;
  for (const bool output_is_wrong : {false, true}) {
    SCOPED_TRACE(output_is_wrong);
    const test::leak_baseline before;
    for (int i = 0; i < 3; ++i) {
      auto c = unfollowable(output_is_wrong);
      process_pipes pipes;
      const auto id =
          c.start(loop, [](void*, process_id, process_result&&) noexcept {}, nullptr, &pipes);
      ASSERT_FALSE(id);
      EXPECT_EQ(id.error(), errc::invalid);
      EXPECT_STREQ(id.error().detail(), "backpressure with a limit of 0 never reads");
      EXPECT_FALSE(pipes.stdin_pipe);
      EXPECT_FALSE(pipes.stdout_pipe);
      EXPECT_FALSE(pipes.stderr_pipe);
    }
    EXPECT_EQ(before.differences(), "");
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(loop.machine().stats().live, 0U);
  }
}

}  // namespace
}  // namespace bast
