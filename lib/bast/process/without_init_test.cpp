// SPDX-License-Identifier: Apache-2.0
//
// What was not initialised yet, and what was moved from: every operation answers, and nothing ends
// the process.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <utility>

#include "bast/coro.hpp"
#include "bast/process.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/follow.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;

constexpr process_id some_id{.slot = 0, .generation = 1};

process_start some_start() {
  process_start out;
  out.pid = 1;
  out.pidfd = 0;
  return out;
}

/// What every driver without init answers.
void expect_no_init(process_driver& driver) {
  EXPECT_EQ(driver.has_room().error(), errc::bad_state);
  EXPECT_EQ(test::follow(driver, some_start()).error(), errc::bad_state);
  EXPECT_EQ(driver.cancel(some_id).error(), errc::bad_state);
  driver.cancel_from_anywhere(some_id);
  EXPECT_EQ(driver.machine().next(), nullptr);
  EXPECT_NE(process_driver::of_this_thread(), &driver);
  auto c = child({"exit", "0"});
  EXPECT_EQ(c.start(driver, nullptr, nullptr).error(), errc::bad_state);
  EXPECT_FALSE(c.started());
  auto pool = *coro_pool::create();
  auto job = *pool.acquire();
  std::optional<errc> seen;
  ASSERT_TRUE(job.start([&] {
    const auto ended = c.run(driver);
    seen = ended ? errc::io : ended.error().kind();
  }));
  EXPECT_EQ(seen, errc::bad_state);
  EXPECT_TRUE(test::has_no_child());
}

void expect_an_epoll_adapter_to_answer() {
  epoll_adapter loop;
  expect_no_init(loop);
  EXPECT_EQ(loop.turn(1h).error(), errc::bad_state);
  EXPECT_EQ(loop.shut_down().error(), errc::bad_state);
  EXPECT_TRUE(loop.idle());
  EXPECT_EQ(loop.fd(), -1);
  EXPECT_EQ(loop.next_deadline(), never_ns);
  // Nothing of that keeps it from beginning.
  ASSERT_TRUE(loop.init(1));
  EXPECT_TRUE(loop.turn(0ns));
  EXPECT_TRUE(loop.has_room());
}

TEST(WithoutInit, X5_AnEpollAdapterAnswers) {
  expect_an_epoll_adapter_to_answer();  // What is made once for the process is made.
  const test::leak_baseline before;
  expect_an_epoll_adapter_to_answer();
  EXPECT_EQ(before.differences(), "");
}

TEST(WithoutInit, X5_AMachineAnswers) {
  process_machine machine;
  EXPECT_EQ(machine.has_room().error(), errc::bad_state);
  EXPECT_EQ(machine.start(some_start()).error(), errc::bad_state);
  EXPECT_EQ(machine.cancel(some_id).error(), errc::stale_handle);
  EXPECT_FALSE(machine.request_cancel(some_id));
  std::byte some[1];
  EXPECT_EQ(machine.take(some_id, output_stream::output, some).error(), errc::stale_handle);
  EXPECT_FALSE(machine.is_ours(std::uint64_t{0xBA} << 56));
  for (const std::uint64_t name : {std::uint64_t{0}, std::uint64_t{0xBA} << 56, UINT64_MAX}) {
    machine.complete(name, 1);
  }
  machine.tick(1000);
  machine.shut_down();
  EXPECT_EQ(machine.next(), nullptr);
  EXPECT_EQ(machine.next_deadline(), never_ns);
  EXPECT_TRUE(machine.idle());
  machine.check_invariants();
}

TEST(WithoutInit, X5_AMovedFromCommandHasNothingToRun) {
  auto from = command::argv({"/nonexistent", "x"});
  from.cwd("/").env("A", "1").stdin_bytes("x").pass_fd(0, 5);
  EXPECT_FALSE(test::start(from));
  const command to = std::move(from);
  // NOLINTBEGIN(bugprone-use-after-move): that is the test
  EXPECT_EQ(from.verify().error(), errc::invalid);
  EXPECT_EQ(test::start(from).error().kind(), errc::invalid);
  text why;
  from.describe_failure(why);
  from.unset_env("A").stdout_capture().timeout(1s).cancelled_by({});
  EXPECT_EQ(from.verify().error(), errc::invalid);
  EXPECT_FALSE(from.started());
  // It is a command as any other as soon as there is something to run.
  from = child({"exit", "7"});
  EXPECT_TRUE(test::run(from).exited(7));
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(to.verify());
}

TEST(WithoutInit, X5_AMovedFromResultIsEmpty) {
  process_result from;
  ASSERT_TRUE(from.output.bytes.reserve(8));
  from.output.bytes.commit(3);
  const process_result to = std::move(from);
  EXPECT_EQ(to.output.bytes.size(), 3U);
  // NOLINTBEGIN(bugprone-use-after-move): that is the test
  byte_buffer& bytes = from.output.bytes;
  EXPECT_EQ(bytes.text(), "");
  EXPECT_TRUE(bytes.span().empty());
  EXPECT_TRUE(bytes.room().empty());
  std::byte some[1];
  EXPECT_EQ(bytes.take(some), 0U);
  bytes.compact();
  bytes.truncate(0);
  EXPECT_EQ(from.check().error(), errc::lost);
  // NOLINTEND(bugprone-use-after-move)
}

#if BAST_TEST_URING

TEST(WithoutInit, X5_AUringAdapterAnswers) {
  uring_adapter loop;
  expect_no_init(loop);
  EXPECT_EQ(loop.shut_down().error(), errc::bad_state);
  EXPECT_TRUE(loop.prepare());
  EXPECT_TRUE(loop.idle());
}

#endif

}  // namespace
}  // namespace bast
