// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that wait for something other than a process, under the loops that supervise
// processes.
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "bast/process.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/run_child.hpp"

#if BAST_TEST_URING
#include <liburing.h>
#endif

namespace bast {
namespace {

using namespace std::chrono_literals;
using test::child;

bool has_news(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 1;
}

/// A coroutine that waits for a member and records its return.
class waiting {
 public:
  waiting(coro_pool& pool, std::string& says, char name) : coroutine_(pool.acquire().value()) {
    EXPECT_TRUE(coroutine_
                    .start([this, &says, name] {
                      EXPECT_TRUE(group_.wait());
                      says += name;
                    })
                    .parked());
  }
  void done() { member_.done(); }

 private:
  wait_group group_ = wait_group::create().value();
  ticket member_ = group_.begin();
  coro<> coroutine_;
};

/// A member that ends on another thread, once this one sleeps.
test::joined_thread ends_when_asleep(waiting& who) {
  return test::joined_thread([&who, here = os::thread_id()] {
    test::wait_until_asleep(here);
    who.done();
  });
}

class WaitingUnderEpoll : public testing::Test {
 protected:
  /// As at the top of epoll_adapter.hpp; the member ends while the loop sleeps.
  void bring_home(waiting& who) {
    EXPECT_FALSE(loop_->idle());
    const auto member = ends_when_asleep(who);
    while (!loop_->idle()) ASSERT_TRUE(loop_->turn(1h));
  }

  std::unique_ptr<epoll_adapter> loop_ = epoll_adapter::create().value();
  coro_pool pool_ = coro_pool::create().value();
  std::string says_;
};

TEST_F(WaitingUnderEpoll, IO9_ALoopWhoseCoroutineWaitsIsNotIdleAndIsWoken) {
  EXPECT_TRUE(loop_->idle());
  waiting a(pool_, says_, 'a');
  bring_home(a);
  EXPECT_EQ(says_, "a");
}

TEST_F(WaitingUnderEpoll, IO9_AfterTheShutDownTheRestIsBroughtHome) {
  waiting a(pool_, says_, 'a');
  ASSERT_TRUE(loop_->shut_down()) << "it waits only for processes";
  EXPECT_EQ(says_, "");
  bring_home(a);
  EXPECT_EQ(says_, "a");
}

TEST_F(WaitingUnderEpoll, P14_TheShutDownContinuesWhoCanGoOn) {
  waiting a(pool_, says_, 'a');
  a.done();
  ASSERT_TRUE(loop_->shut_down());
  EXPECT_EQ(says_, "a");
  EXPECT_TRUE(loop_->idle());
}

TEST_F(WaitingUnderEpoll, IO9_AWakeThatCouldNotBeWatchedIsWatchedLater) {
  loop_.reset();
  {
    const os::fault_scope refused(
        {.kind = os::call::epoll, .nth = 2, .persistent = true, .error_number = ENOSPC});
    loop_ = epoll_adapter::create().value();
    ASSERT_GT(refused.injected(), 0U);
  }
  waiting a(pool_, says_, 'a');
  bring_home(a);
  EXPECT_EQ(says_, "a");
}

TEST_F(WaitingUnderEpoll, P21_ItsDescriptorAndItsDeadlineTellOfWhatCanGoOn) {
  waiting last(pool_, says_, 'b');
  // One that makes the other ready while it runs itself.
  wait_group group = wait_group::create().value();
  ticket member = group.begin();
  auto first = pool_.acquire().value();
  ASSERT_TRUE(first
                  .start([&] {
                    EXPECT_TRUE(group.wait());
                    says_ += 'a';
                    last.done();
                  })
                  .parked());
  while (has_news(loop_->fd())) ASSERT_TRUE(loop_->turn(0ns));
  EXPECT_EQ(loop_->next_deadline(), never);
  member.done();
  EXPECT_TRUE(has_news(loop_->fd()));
  EXPECT_EQ(loop_->next_deadline(), time_point());
  for (int turns = 0; says_ != "ab"; ++turns) {
    ASSERT_LT(turns, 10);
    ASSERT_TRUE(has_news(loop_->fd())) << says_;
    ASSERT_TRUE(loop_->turn(0ns));
  }
  EXPECT_TRUE(loop_->idle());
}

TEST(WaitingUnderEpollDeathTest, X5_WhatItsLoopContinuesMayNotEndIt) {
  EXPECT_DEATH(
      {
        auto loop = epoll_adapter::create().value();
        coro_pool pool = coro_pool::create().value();
        wait_group group = wait_group::create().value();
        ticket member = group.begin();
        auto c = pool.acquire().value();
        (void)c.start([&] {
          (void)group.wait();
          loop.reset();
        });
        member.done();
        (void)loop->turn(0ns);
      },
      "a process driver is destroyed by code that its own loop called");
}

#if BAST_TEST_URING

TEST(WaitingUnderUringDeathTest, X5_WhatItsLoopContinuesMayNotEndIt) {
  io_uring ring;
  if (io_uring_queue_init(8, &ring, 0) != 0) GTEST_SKIP() << "io_uring is refused";
  EXPECT_DEATH(
      {
        auto adapter = uring_adapter::create(ring).value();
        coro_pool pool = coro_pool::create().value();
        std::string says;
        waiting last(pool, says, 'a');
        wait_group group = wait_group::create().value();
        ticket member = group.begin();
        auto c = pool.acquire().value();
        (void)c.start([&] {
          (void)group.wait();
          adapter.reset();
        });
        member.done();
        (void)adapter->prepare();
      },
      "a process driver is destroyed by code that its own loop called");
  io_uring_queue_exit(&ring);
}

/// The loop of docs/your-own-loop.md.
TEST(WaitingUnderUring, IO9_AfterTheShutDownTheRestIsBroughtHome) {
  io_uring ring;
  if (io_uring_queue_init(64, &ring, 0) != 0) GTEST_SKIP() << "io_uring is refused";
  {
    const std::unique_ptr<uring_adapter> adapter_owner = uring_adapter::create(ring).value();
    uring_adapter& adapter = *adapter_owner;
    coro_pool pool = coro_pool::create().value();
    std::string says;
    std::optional<waiting> near(std::in_place, pool, says, 'b');
    waiting far(pool, says, 'c');
    auto job = pool.acquire().value();
    ASSERT_TRUE(job.start([&] {
                     auto runs = child({"exit", "0"});
                     EXPECT_TRUE(runs.run());
                     says += 'a';
                     near->done();
                   })
                    .parked());
    const auto fill = [&] {
      while (!adapter.prepare()) io_uring_submit(&ring);
    };
    const auto wait = [&] {
      io_uring_submit_and_wait(&ring, 1);
      io_uring_cqe* completion = nullptr;
      while (io_uring_peek_cqe(&ring, &completion) == 0) {
        const io_uring_cqe copy = *completion;
        io_uring_cqe_seen(&ring, completion);
        EXPECT_TRUE(adapter.handle(copy));
      }
    };
    fill();
    wait();
    ASSERT_TRUE(adapter.shut_down());
    std::optional<test::joined_thread> member;
    for (fill(); !adapter.idle(); fill()) {
      // The last one, when the loop waits only for it.
      if (says == "ab" && !member) member.emplace(ends_when_asleep(far));
      wait();
    }
    EXPECT_EQ(says, "abc");
  }
  io_uring_queue_exit(&ring);
}

#endif

}  // namespace
}  // namespace bast
