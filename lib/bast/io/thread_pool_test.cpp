// SPDX-License-Identifier: Apache-2.0
#include "bast/io/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

/// Holds tasks until the test opens it.
class task_gate {
 public:
  void pass() {
    ++arrived_;
    arrived_.notify_all();
    open_.wait(false);
  }
  void wait_for(int count) {
    for (int seen = arrived_; seen < count; seen = arrived_) arrived_.wait(seen);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }

 private:
  std::atomic<int> arrived_{0};
  std::atomic<bool> open_{false};
};

TEST(ThreadPool, RunsEachTaskOnceAndThreadsStartWhenNoneIsFree) {
  task_gate gate;
  std::atomic<int> runs{0};
  auto pool = thread_pool::create({.threads_max = 3}).value();
  EXPECT_EQ(pool.stats().threads, 0U);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(pool.submit([&] {
      gate.pass();
      ++runs;
    }));
    EXPECT_EQ(pool.stats().threads, static_cast<std::size_t>(std::min(i + 1, 3)));
  }
  gate.wait_for(3);
  EXPECT_EQ(pool.stats().running, 3U);
  EXPECT_EQ(pool.stats().queued, 2U);
  gate.open();
  gate.wait_for(5);
  EXPECT_EQ(pool.shut_down()->size(), 0U);
  EXPECT_EQ(runs, 5);
  EXPECT_EQ(pool.stats().running, 0U);
}

TEST(ThreadPool, IO10_TasksRunInTheOrderOfTheirSubmissionOnAFreeThread) {
  std::vector<int> order;  // Of the one thread.
  task_gate last;
  auto pool = thread_pool::create({.threads_max = 1}).value();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(pool.submit([&, i] { order.push_back(i); }));
  EXPECT_TRUE(pool.submit([&] { last.pass(); }));
  last.wait_for(1);
  last.open();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(pool.stats().threads, 1U);
}

TEST(ThreadPool, AFullQueueIsALimitThatIsNamed) {
  task_gate gate;
  auto pool = thread_pool::create({.threads_max = 1, .queue_max = 2}).value();
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  gate.wait_for(1);
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_TRUE(pool.submit([] {}));
  const auto held = std::make_shared<int>(1);
  const auto refused = pool.submit([held] {});
  EXPECT_EQ(refused.error().message(),
            "thread_pool.submit: limit reached: queue_max tasks wait for a thread of the pool (2)");
  EXPECT_EQ(held.use_count(), 1) << "the function of a refused task is destroyed";
  gate.open();
}

TEST(ThreadPool, ItsEndHandsBackWhatDidNotBeginAndRefusesMore) {
  task_gate gate;
  std::vector<int> ran;
  auto pool = thread_pool::create({.threads_max = 1}).value();
  const auto held = std::make_shared<int>(1);
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  gate.wait_for(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.submit([&, i, held] { ran.push_back(i); }));
  std::optional<unfinished_tasks> rest;
  {
    const test::joined_thread ends([&] { rest.emplace(*pool.shut_down()); });
    while (pool.submit([] {})) std::this_thread::yield();  // Handed back, too.
    gate.open();
  }
  EXPECT_EQ(pool.submit([] {}).error(), errc::closed);
  auto nothing = *pool.shut_down();
  EXPECT_EQ(nothing.size(), 0U);
  EXPECT_FALSE(nothing.run_next());
  EXPECT_TRUE(ran.empty());
  EXPECT_GE(rest->size(), 3U);
  EXPECT_TRUE(rest->run_next());
  EXPECT_EQ(ran, std::vector<int>{0});
  EXPECT_EQ(held.use_count(), 3);
  rest.reset();
  EXPECT_EQ(held.use_count(), 1) << "dropped";
}

TEST(ThreadPool, WhatIsHandedBackRunsInItsOrderUntilNothingIsLeft) {
  task_gate gate;
  std::vector<int> ran;
  auto pool = thread_pool::create({.threads_max = 1}).value();
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  gate.wait_for(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.submit([&, i] { ran.push_back(i); }));
  std::optional<unfinished_tasks> rest;
  {
    // It waits for the one that runs, and refuses more once it holds the others.
    const test::joined_thread ends([&] { rest.emplace(*pool.shut_down()); });
    const auto closes = [&] { return pool.stats().queued == 0; };
    while (!closes()) std::this_thread::yield();
    gate.open();
  }
  for (std::size_t left = 3; left != 0; --left) {
    EXPECT_EQ(rest->size(), left);
    EXPECT_TRUE(rest->run_next());
  }
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(rest->size(), 0U);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(rest->run_next());
  EXPECT_EQ(ran.size(), 3U);
}

TEST(ThreadPool, ATaskMaySubmitButNotEndThePool) {
  task_gate done;
  std::optional<errc> ended;
  auto pool = thread_pool::create({.threads_max = 1}).value();
  EXPECT_TRUE(pool.submit([&] {
    ended = pool.shut_down().error().kind();
    EXPECT_TRUE(pool.submit([&] { done.pass(); }));
  }));
  done.wait_for(1);
  EXPECT_EQ(ended, errc::deadlock);
  done.open();
}

TEST(ThreadPool, ManyThreadsSubmitWhileOthersEndIt) {
  for (int round = 0; round < 20; ++round) {
    auto pool = thread_pool::create({.threads_max = 2}).value();
    std::atomic<int> accepted{0};
    std::atomic<int> ran{0};
    std::size_t handed_back = 0;
    {
      std::vector<test::joined_thread> submitters;
      for (int t = 0; t < 3; ++t) {
        submitters.emplace_back([&] {
          while (pool.submit([&] { ++ran; })) ++accepted;
        });
      }
      while (accepted < 50) std::this_thread::yield();
      handed_back = pool.shut_down()->size();
    }
    EXPECT_EQ(static_cast<std::size_t>(accepted), static_cast<std::size_t>(ran) + handed_back);
  }
}

TEST(ThreadPool, IsMovable) {
  std::atomic<int> runs{0};
  auto pool = thread_pool::create().value();
  thread_pool moved = std::move(pool);
  EXPECT_TRUE(moved.submit([&] { ++runs; }));
  moved = thread_pool::create().value();  // Ends the first, which drops or has run it.
  EXPECT_LE(runs, 1);
  EXPECT_EQ(moved.stats().threads, 0U);
}

TEST(ThreadPool, EachRefusalIsReported) {
  EXPECT_EQ(thread_pool::create({.threads_max = 0}).error().message(),
            "thread_pool.create: invalid argument: threads_max must be between 1 and 32,768 (0)");
  EXPECT_EQ(thread_pool::create({.threads_max = 40'000}).error(), errc::invalid);
  EXPECT_EQ(thread_pool::create({.queue_max = 0}).error(), errc::invalid);
  for (const std::uint64_t nth : {1U, 2U}) {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = nth});
    EXPECT_EQ(thread_pool::create().error(), errc::no_memory);
  }
  task_gate gate;
  std::atomic<int> runs{0};
  auto pool = thread_pool::create({.threads_max = 2}).value();
  {
    const os::fault_scope fault({.kind = os::call::allocate, .nth = 1});
    EXPECT_EQ(pool.submit([] {}).error(), errc::no_memory);
  }
  {
    const os::fault_scope fault({.kind = os::call::thread, .nth = 1, .error_number = EAGAIN});
    EXPECT_EQ(pool.submit([] {}).error(), errc::limit) << "not even one thread";
    EXPECT_EQ(pool.stats().queued, 0U);
  }
  // With one thread it waits for that.
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  gate.wait_for(1);
  {
    const os::fault_scope fault({.kind = os::call::thread, .nth = 1, .error_number = EAGAIN});
    EXPECT_TRUE(pool.submit([&] {
      ++runs;
      gate.pass();
    }));
    EXPECT_EQ(fault.injected(), 1U);
  }
  EXPECT_EQ(pool.stats().threads, 1U);
  gate.open();
  gate.wait_for(2);
  EXPECT_EQ(runs, 1);
}

TEST(ThreadPool, IO15_AForkedChildHasNoThreads) {
  task_gate gate;
  auto pool = thread_pool::create({.threads_max = 2}).value();
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  gate.wait_for(1);
  EXPECT_EQ(test::in_child([&] {
              if (pool.submit([] {}).error() != errc::forked) return 1;
              if (pool.stats().threads != 0) return 2;
              if (pool.shut_down()->size() != 0) return 3;
              {
                const thread_pool ends = std::move(pool);
              }
              return 0;
            }),
            0);
  gate.open();
}

}  // namespace
}  // namespace bast
