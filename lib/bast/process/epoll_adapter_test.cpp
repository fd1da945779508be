// SPDX-License-Identifier: Apache-2.0
//
// The epoll loop: its errors, the work of a turn, and what is left afterwards.
#include "bast/process/epoll_adapter.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <memory>

#include <optional>
#include <string>

#include "bast/testing/baseline.hpp"
#include "bast/testing/emulation.hpp"
#include "bast/testing/follow.hpp"
#include "bast/testing/real_child.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

bool is_readable(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 1;
}

class EpollAdapter : public testing::Test {
 protected:
  void SetUp() override {
    if (test::emulated) GTEST_SKIP() << "qemu-user has no pidfd that epoll could wait for";
  }
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_TRUE(loop_.shut_down());
  }

  process_start start_of(const std::vector<std::string>& steps) {
    child_ = test::start_real_child(BAST_TEST_CHILD, steps);
    process_start out;
    out.pid = child_.pid;
    out.pidfd = child_.pidfd;
    out.output_pipe = child_.output;
    out.errors_pipe = child_.errors;
    out.own_group = true;
    out.context = this;
    out.finished = [](void* context, process_id, process_result&& ended) noexcept {
      static_cast<EpollAdapter*>(context)->result_.emplace(std::move(ended));
    };
    return out;
  }
  void await(int fd) const {
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 60'000), 1);
  }
  void run() {
    while (!loop_.idle()) ASSERT_TRUE(loop_.turn(1h));
  }

  std::unique_ptr<epoll_adapter> owner_ = epoll_adapter::create({.processes_max = 4}).value();
  epoll_adapter& loop_ = *owner_;
  test::real_child child_;
  std::optional<process_result> result_;
};

TEST(EpollAdapterCreate, X6_WhatFailsLeavesNothing) {
  const test::leak_baseline before;
  for (const auto kind : {os::call::epoll, os::call::event}) {
    const os::fault_scope fault({.kind = kind, .nth = 1, .error_number = EMFILE});
    EXPECT_EQ(epoll_adapter::create().error(), errc::limit);
    EXPECT_EQ(fault.injected(), 1U);
    EXPECT_EQ(before.differences(), "");
  }
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    EXPECT_EQ(epoll_adapter::create().error(), errc::no_memory) << nth;
    EXPECT_EQ(fault.injected(), 1U);
    EXPECT_EQ(before.differences(), "");
    EXPECT_EQ(process_driver::of_this_thread(), nullptr);
  }
  EXPECT_EQ(epoll_adapter::create({.processes_max = 0}).error(), errc::invalid);
  EXPECT_EQ(epoll_adapter::create({.processes_max = 65535}).error(), errc::invalid);
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
  {
    const auto loop = epoll_adapter::create();
    ASSERT_TRUE(loop);
    EXPECT_GE((*loop)->fd(), 0);
    EXPECT_EQ(process_driver::of_this_thread(), loop->get());
    EXPECT_TRUE((*loop)->idle());
    EXPECT_EQ((*loop)->next_deadline(), never);
  }
  EXPECT_EQ(process_driver::of_this_thread(), nullptr);
  EXPECT_EQ(before.differences(), "");
}

/// An invented child, for tests that need many.
process_start invented() {
  process_start out;
  out.pid = 1 << 30;
  out.pidfd = 1 << 20;
  return out;
}

/// Ends invented children: none of their operations reaches the kernel.
void end_invented(process_machine& machine) {
  for (std::int64_t now = 0; machine.stats().live != 0;) {
    machine.tick(internal::time_of(os::monotonic_ns() + (now += 1'000'000'000)));
    while (const machine_operation* const wanted = machine.next()) {
      const machine_operation op = *wanted;
      machine.sent();
      const bool looks = op.kind == operation_kind::observe;
      machine.complete(op.user_data, looks ? -ECHILD : op.kind == operation_kind::poll ? 1 : 0);
    }
  }
}

TEST(EpollAdapterCreate, D11_TwoHundredAndFiftySixAreTheDefault) {
  const std::unique_ptr<epoll_adapter> loop_owner = epoll_adapter::create().value();
  epoll_adapter& loop = *loop_owner;
  for (int i = 0; i < 256; ++i) ASSERT_TRUE(loop.machine().start(invented())) << i;
  EXPECT_EQ(loop.machine().start(invented()).error(), errc::limit);
  EXPECT_FALSE(loop.idle());
  end_invented(loop.machine());
  EXPECT_TRUE(loop.idle());
}

TEST(EpollAdapterCreate, P22_AFlushIsAtMost256OperationsAndTheRestIsDueAtOnce) {
  const std::unique_ptr<epoll_adapter> loop_owner =
      epoll_adapter::create({.processes_max = 600}).value();
  epoll_adapter& loop = *loop_owner;
  for (int i = 0; i < 299; ++i) ASSERT_TRUE(loop.machine().start(invented()));
  const os::fault_scope counted({.kind = os::call::epoll});
  ASSERT_TRUE(test::follow(loop, invented()));
  EXPECT_EQ(counted.seen(), 256U) << "one failed watch for each";
  EXPECT_EQ(loop.next_deadline(), time_point());
  ASSERT_TRUE(loop.turn(1h));
  EXPECT_EQ(counted.seen(), 301U) << "the other 44, and one wait";
  // A turn may be due at once on a slow machine, but it sends nothing more.
  EXPECT_LT(loop.next_deadline(), never);
  ASSERT_TRUE(loop.turn(0ns));
  EXPECT_EQ(counted.seen(), 302U);
  end_invented(loop.machine());
}

TEST_F(EpollAdapter, P21_AnEmptyLoopWaitsForNothingAndTellsNothing) {
  EXPECT_FALSE(is_readable(loop_.fd()));
  ASSERT_TRUE(loop_.turn(0ns));
  EXPECT_TRUE(loop_.idle());
  EXPECT_EQ(loop_.next_deadline(), never);
}

TEST_F(EpollAdapter, P21_ItsDescriptorIsReadableWhenATurnHasSomethingToDo) {
  const process_start start = start_of({"cat", "exit", "3"});
  ASSERT_TRUE(test::follow(loop_, start));
  await(loop_.fd());
  while (!result_) {
    await(loop_.fd());
    do {
      ASSERT_TRUE(loop_.turn(0ns));
    } while (loop_.next_deadline() == time_point());
  }
  EXPECT_EQ(result_->status, (exit_status{.how = exit_status::kind::exited, .code = 3}));
  EXPECT_FALSE(is_readable(loop_.fd()));
}

TEST_F(EpollAdapter, P14_TheDeadlineIsTheTimeout) {
  process_start start = start_of({"hang"});
  start.timeout = 1h;
  start.grace = 0ns;
  const std::int64_t before = os::monotonic_ns();
  const process_id id = *test::follow(loop_, start);
  const std::int64_t hour = 3'600'000'000'000;
  EXPECT_GE(internal::nanoseconds_of(loop_.next_deadline()), before + hour);
  EXPECT_LE(internal::nanoseconds_of(loop_.next_deadline()), os::monotonic_ns() + hour);
  ASSERT_TRUE(loop_.cancel(id));
  run();
  EXPECT_EQ(result_->ended_by, process_ending::cancelled);
  EXPECT_EQ(result_->status.code, SIGKILL);
}

TEST_F(EpollAdapter, P21_AFailedWaitIsToldAndLosesNothing) {
  ASSERT_TRUE(test::follow(loop_, start_of({"say", "x", "exit", "3"})));
  await(child_.pidfd);
  for (const int error_number : {EBADF, EINVAL, ENOMEM}) {
    const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = error_number});
    const auto turned = loop_.turn(0ns);
    ASSERT_FALSE(turned);
    EXPECT_EQ(turned.error().error_number(), error_number);
  }
  {
    const os::fault_scope fault({.kind = os::call::epoll, .nth = 1, .error_number = EINTR});
    EXPECT_TRUE(loop_.turn(0ns)) << "a signal is not an error";
    EXPECT_EQ(fault.injected(), 1U);
  }
  EXPECT_FALSE(result_);
  run();
  EXPECT_EQ(result_->status.code, 3);
  EXPECT_EQ(result_->output.bytes.text(), "x\n");
  EXPECT_EQ(loop_.machine().stats().ignored_stale, 0U);
}

TEST_F(EpollAdapter, P21_WhatCannotBeWatchedIsTriedAgain) {
  const process_start start = start_of({"say", "x", "exit", "3"});
  {
    // Neither a pipe nor the pidfd.
    const os::fault_scope fault(
        {.kind = os::call::epoll, .nth = 1, .persistent = true, .error_number = ENOSPC});
    ASSERT_TRUE(test::follow(loop_, start));
    EXPECT_EQ(fault.injected(), 3U);
  }
  EXPECT_LT(loop_.next_deadline(), never);
  run();
  EXPECT_EQ(result_->status.code, 3);
  EXPECT_EQ(result_->output.bytes.text(), "x\n");
  EXPECT_EQ(result_->output.truncated, truncation::none);
}

TEST_F(EpollAdapter, I2_WhatIsClosedIsNotWatchedEvenThroughAnotherDescriptor) {
  process_start start = start_of({"grandchild", "exit", "0"});
  start.drain_grace = 0ns;
  // While these are open, closing the loop's own copies ends nothing in the kernel.
  const int kept[] = {::dup(child_.output), ::dup(child_.errors), ::dup(child_.pidfd)};
  ASSERT_TRUE(test::follow(loop_, start));
  run();
  EXPECT_EQ(result_->output.truncated, truncation::grandchild);
  EXPECT_EQ(::kill(-child_.pid, SIGKILL), 0);  // The pipes end.
  for (const int fd : {kept[0], kept[1]}) {
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    for (char byte[64]; ::poll(&wait, 1, 60'000) == 1 && ::read(fd, byte, sizeof byte) > 0;) {
    }
  }
  EXPECT_FALSE(is_readable(loop_.fd()));
  for (const int fd : kept) ::close(fd);
}

TEST_F(EpollAdapter, IO9_AfterShutDownNobodyIsWoken) {
  EXPECT_TRUE(loop_.shut_down());
  EXPECT_TRUE(loop_.machine().idle());
  loop_.cancel_from_anywhere({.slot = 0, .generation = 1});
  EXPECT_FALSE(is_readable(loop_.fd()));
  EXPECT_EQ(test::follow(loop_, invented()).error(), errc::shutdown);
}

TEST_F(EpollAdapter, P16_AByteAtATime) {
  process_start start = start_of({"out", "100000", "hang"});
  start.output = {.limit = bytes{1}, .policy = on_limit::backpressure};
  const process_id id = *test::follow(loop_, start);
  await(child_.output);
  std::byte one[1];
  std::size_t taken = 0;
  while (taken < 100) {
    ASSERT_TRUE(loop_.turn(1h));
    const auto count = loop_.machine().take(id, output_stream::output, one);
    ASSERT_TRUE(count);
    if (*count == 1) {
      EXPECT_EQ(static_cast<char>(one[0]), static_cast<char>('a' + taken % 26));
      ++taken;
    }
  }
  ASSERT_TRUE(loop_.cancel(id));
  run();
  EXPECT_EQ(result_->ended_by, process_ending::cancelled);
}

TEST(EpollAdapterCreate, IO3_TheEndOfAnIdleLoopTakesBackTheWake) {
  const test::leak_baseline before;
  for (int i = 0; i < 3; ++i) {
    const std::unique_ptr<epoll_adapter> loop_owner =
        epoll_adapter::create({.processes_max = 1}).value();
    epoll_adapter& loop = *loop_owner;
    EXPECT_EQ(loop.machine().stats().in_flight, 1U);
  }
  EXPECT_EQ(before.differences(), "");
}

}  // namespace
}  // namespace bast
