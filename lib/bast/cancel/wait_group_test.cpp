// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/wait_group.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/os.hpp"
#include "bast/testing/asleep.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

TEST(WaitGroup, WaitsForEveryTicket) {
  const wait_group workers = wait_group::create().value();
  EXPECT_TRUE(workers.is_idle());
  std::atomic<int> done{0};
  std::vector<test::joined_thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&done, member = workers.begin()] { ++done; });
  }
  // A lambda that holds a ticket lives until its thread is joined or its copy is gone.
  threads.clear();
  EXPECT_TRUE(workers.wait());
  EXPECT_EQ(done, 8);
  EXPECT_TRUE(workers.is_idle());
}

TEST(WaitGroup, TheLastTicketWakesWhoeverWaits) {
  const wait_group members = wait_group::create().value();
  ticket first = members.begin();
  ticket last = members.begin();
  std::atomic<std::uint32_t> waiter{0};
  std::atomic<bool> came_back{false};
  const test::joined_thread waits([&] {
    waiter = os::thread_id();
    EXPECT_TRUE(members.wait());
    came_back = true;
  });
  while (waiter == 0) ::sched_yield();
  test::wait_until_asleep(waiter);
  first.done();
  test::wait_until_asleep(waiter);
  EXPECT_FALSE(came_back);
  last.done();  // otherwise the thread is never joined
}

TEST(WaitGroup, ATicketIsDoneExactlyOnce) {
  const wait_group members = wait_group::create().value();
  ticket a = members.begin();
  ticket b = members.begin();
  EXPECT_EQ(members.active(), 2U);
  a.done();
  a.done();
  EXPECT_EQ(members.active(), 1U);
  const ticket moved = std::move(b);
  b.done();  // NOLINT(bugprone-use-after-move): a moved-from ticket has no member
  EXPECT_EQ(members.active(), 1U);
  a = members.begin();
  a = members.begin();
  EXPECT_EQ(members.active(), 2U);
  EXPECT_FALSE(b.token().can_be_cancelled());
}

TEST(WaitGroup, ATicketThatIsMovedOntoItselfIsNotDone) {
  const wait_group members = wait_group::create().value();
  ticket member = members.begin();
  ticket& same = member;
  member = std::move(same);
  EXPECT_EQ(members.active(), 1U);
  EXPECT_TRUE(member.token().can_be_cancelled());
  EXPECT_TRUE(members.cancel());
  EXPECT_TRUE(member.token().is_cancelled());
  member.done();
  EXPECT_TRUE(members.is_idle());
}

TEST(WaitGroup, CancellingReachesTheMembers) {
  const cancel_source above = cancel_source::create().value();
  const wait_group members = wait_group::create(above).value();
  ticket a = members.begin();
  const cancel_token token = a.token();
  EXPECT_FALSE(token.is_cancelled());
  above.cancel();
  EXPECT_TRUE(token.is_cancelled());
  EXPECT_FALSE(members.cancel());
  const ticket late = members.begin();
  EXPECT_TRUE(late.token().is_cancelled());
}

TEST(WaitGroup, F4_ACoroutineThatNobodyWouldContinueMayNotWait) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  const wait_group members = wait_group::create().value();
  ASSERT_TRUE(c->start([&] {
                 EXPECT_EQ(members.wait().error(), errc::not_in_fiber);
                 const ticket mine = members.begin();
                 ASSERT_TRUE(this_coro::yield());
               }).yielded());
  EXPECT_EQ(members.active(), 1U);
  EXPECT_TRUE(c->resume().finished());
  EXPECT_TRUE(members.wait());
}

TEST(WaitGroup, C18_ACancelEndsTheWaitOfAThread) {
  const cancel_source source = cancel_source::create().value();
  const wait_group members = wait_group::create().value();
  const ticket member = members.begin();
  std::atomic<std::uint32_t> waiter{0};
  std::string why;
  {
    const test::joined_thread waits([&] {
      const cancel_binding bound(source.token());
      waiter = os::thread_id();
      const auto ended = members.wait();
      why = ended ? "done" : ended.error().message();
    });
    while (waiter == 0) ::sched_yield();
    test::wait_until_asleep(waiter);
    source.cancel({.code = cancel_code::shutdown});
  }
  EXPECT_EQ(why, "wait_group.wait: cancelled: shutting down");
  EXPECT_EQ(members.active(), 1U);
}

TEST(WaitGroup, Y1_ThreadsAndCoroutinesWaitForOneGroup) {
  // Members end on threads; each of several threads waits, directly and in a coroutine.
  constexpr int rounds = 50;
  for (int round = 0; round < rounds; ++round) {
    auto members = std::make_unique<wait_group>(wait_group::create().value());
    ticket both[2] = {members->begin(), members->begin()};
    std::atomic<int> released{0};
    std::atomic<int> waiting{0};
    std::vector<test::joined_thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        ++waiting;
        EXPECT_TRUE(members->wait());
        ++released;
      });
      threads.emplace_back([&] {
        std::atomic<bool> told{false};
        ready_queue ready(
            {.wake = [](void* flag) noexcept { *static_cast<std::atomic<bool>*>(flag) = true; },
             .context = &told});
        coro_pool pool = coro_pool::create().value();
        auto c = pool.acquire().value();
        (void)c.start([&] {
          ++waiting;
          EXPECT_TRUE(members->wait());
          ++released;
        });
        while (!c.peek().finished()) {
          while (!told.exchange(false)) ::sched_yield();
          ready.run();
        }
      });
    }
    while (waiting != 4) ::sched_yield();
    for (ticket& each : both) {
      threads.emplace_back([mine = std::move(each)]() mutable { mine.done(); });
    }
    threads.clear();
    EXPECT_EQ(released, 4);
  }
}

TEST(WaitGroup, IsMovable) {
  wait_group a = wait_group::create().value();
  const ticket member = a.begin();
  wait_group b = std::move(a);
  EXPECT_TRUE(a.is_idle());  // NOLINT(bugprone-use-after-move): a moved-from group is empty
  EXPECT_FALSE(a.cancel());
  EXPECT_FALSE(a.token().can_be_cancelled());
  EXPECT_EQ(b.active(), 1U);
  ticket ends = std::move(const_cast<ticket&>(member));
  ends.done();
  b = wait_group::create().value();
  EXPECT_TRUE(b.is_idle());
}

TEST(WaitGroup, IsAssignedWithItsMembersAndItsTokens) {
  const test::leak_baseline before;
  {
    wait_group a = wait_group::create().value();
    wait_group b = wait_group::create().value();
    const cancel_token of_a = a.token();
    const cancel_token of_b = b.token();
    ticket member = b.begin();
    a = std::move(b);
    EXPECT_EQ(a.active(), 1U);
    EXPECT_EQ(b.active(), 0U);  // NOLINT(bugprone-use-after-move): a moved-from group is empty
    EXPECT_FALSE(b.cancel());   // NOLINT(bugprone-use-after-move): tests the moved-from object
    EXPECT_TRUE(a.cancel());
    EXPECT_TRUE(of_b.is_cancelled());
    EXPECT_FALSE(of_a.is_cancelled()) << "the overwritten group is gone";
    wait_group& same = a;
    a = std::move(same);
    EXPECT_EQ(a.active(), 1U);
    member.done();
    EXPECT_TRUE(a.wait());
    b = std::move(a);
    EXPECT_TRUE(b.is_idle());
    EXPECT_TRUE(b.token().is_cancelled());
  }
  EXPECT_EQ(before.differences(), "");
}

TEST(WaitGroup, X6_EveryAllocationMayFail) {
  const auto loop = test::for_each_failing_call([](test::injection& faults) {
    std::string complaint;
    if (auto made = wait_group::create()) {
      const ticket member = made->begin();
    } else if (made.error() != errc::no_memory) {
      complaint = "unclear";
    }
    faults.end();
    return complaint;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_EQ(loop.injected > 0, true);
}

TEST(WaitGroupDeathTest, X5_EndingAGroupBeforeItsMembersEndsTheProcess) {
  EXPECT_DEATH(
      {
        auto members = std::make_unique<wait_group>(wait_group::create().value());
        const ticket member = members->begin();
        members.reset();
      },
      "a wait_group was destroyed with an active member");
}

}  // namespace
}  // namespace bast
