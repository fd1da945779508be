// SPDX-License-Identifier: Apache-2.0
//
// A child under epoll, with each kernel call failing once, and from then on.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "bast/process/epoll_adapter.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/follow.hpp"
#include "bast/testing/real_child.hpp"

namespace bast {
namespace {

/// The test cleans up what the machine never had or gave up.
void give_back(const test::real_child& child) {
  for (const int fd : {child.pidfd, child.output, child.errors}) ::close(fd);
  ::kill(child.pid, SIGKILL);
  ::waitpid(child.pid, nullptr, 0);
}

std::string life(test::injection& faults) {
  const test::real_child child =
      test::start_real_child(BAST_TEST_CHILD, {"say", "hello", "exit", "7"});
  const auto created = epoll_adapter::create({.processes_max = 4});
  if (!created) {
    give_back(child);
    return created.error().kind() == errc::io ? "create: " + created.error().message() : "";
  }
  epoll_adapter& loop = **created;
  std::optional<process_result> seen;
  process_start start;
  start.pid = child.pid;
  start.pidfd = child.pidfd;
  start.output_pipe = child.output;
  start.errors_pipe = child.errors;
  start.drain_grace = std::chrono::nanoseconds::max();
  start.context = &seen;
  start.finished = [](void* context, process_id, process_result&& ended) noexcept {
    static_cast<std::optional<process_result>*>(context)->emplace(std::move(ended));
  };
  if (const auto id = test::follow(loop, start); !id) {
    give_back(child);
    return "start must not fail: " + id.error().message();
  }
  // Enough turns for the whole life; a persistent fault fails at once.
  for (int i = 0; i < 20 && !seen; ++i) (void)loop.turn(std::chrono::milliseconds(5));
  faults.end();
  while (!loop.idle()) (void)loop.turn(std::chrono::hours(1));
  if (loop.machine().stats().unreaped != 0) ::waitpid(child.pid, nullptr, 0);
  if (!seen) return "its end was not reported";
  // A stream that could not be captured is closed, and its writer dies.
  const bool closed = seen->output.error_number != 0 && seen->status.code == SIGPIPE;
  const bool lost = seen->status.how == exit_status::kind::lost;
  if (!lost && !closed && seen->status.code != 7) return "a wrong status";
  if (seen->output.error_number == 0 && seen->output.bytes.text() != "hello\n") {
    return "bytes are missing, and no error says so";
  }
  return "";
}

TEST(EpollFaultLoop, X6_AFollowedLifeWithEachCallFailed) {
  if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  const auto loop =
      test::for_each_failing_call([](test::injection& faults) { return life(faults); });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast
