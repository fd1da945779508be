// SPDX-License-Identifier: Apache-2.0
//
// What layer io offers, in fibers: time, threads that block, descriptors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "bast/os.hpp"
#include "bast/sched.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

TEST(FiberWaits, IO5_SleepersWakeInTheOrderOfTheirDeadlines) {
  const auto order = run(
      [] {
        std::vector<int> woken;
        std::vector<fiber<void>> all;
        const auto now = std::chrono::steady_clock::now();
        for (const int i : {3, 1, 2, 1}) {
          all.push_back(spawn([&woken, now, i] {
                          ASSERT_TRUE(perform(sleep_until(now + i * 1ms)));
                          EXPECT_GE(std::chrono::steady_clock::now(), now + i * 1ms);
                          woken.push_back(i);
                        }).value());
        }
        for (auto& each : all) EXPECT_TRUE(each.join());
        return woken;
      },
      {.workers = 1});
  EXPECT_EQ(order.value(), (std::vector<int>{1, 1, 2, 3}));
}

TEST(FiberWaits, O14_ATimeLimitLeavesTheFiberJoinable) {
  ASSERT_TRUE(run([] {
                auto slow = spawn([] {
                              while (yield_now()) continue;
                              return 7;
                            }).value();
                EXPECT_EQ(perform(timeout(slow.joined(), 1ms)).error(), errc::timed_out);
                EXPECT_TRUE(slow);
                runtime_handle::current().value().cancel();
                const cancel_binding shielded{cancel_token()};
                EXPECT_EQ(slow.join().value(), 7);
              }).has_value());
}

TEST(FiberWaits, IO10_BlockingLeavesTheWorkerToOthers) {
  ASSERT_TRUE(run(
                  [] {
                    std::atomic<bool> open = false;
                    const auto worker = std::this_thread::get_id();
                    auto blocked = spawn([&] {
                                     return blocking([&] {
                                       while (!open) std::this_thread::yield();
                                       return std::this_thread::get_id();
                                     });
                                   }).value();
                    auto other = spawn([&] { open = true; }).value();
                    EXPECT_TRUE(other.join());
                    EXPECT_NE(blocked.join().value(), worker);
                  },
                  {.workers = 1})
                  .has_value());
}

TEST(FiberWaits, IO10_TheOptionsOfItsThreadsAreChecked) {
  const auto refused = run([] {}, {.workers = 1, .blocking = {.threads_max = 0}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().primary.why->kind(), errc::invalid);
}

TEST(FiberWaits, ADescriptorThatBecomesReadableEndsTheWait) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const os::descriptor reads(ends[0]);
  const os::descriptor writes(ends[1]);
  const auto got = run(
      [&] {
        auto reader = spawn([&] {
                        EXPECT_TRUE(perform(readable(reads.get())));
                        char byte = 0;
                        EXPECT_EQ(::read(reads.get(), &byte, 1), 1);
                        return byte;
                      }).value();
        EXPECT_TRUE(yield_now());
        EXPECT_FALSE(reader.is_done());
        EXPECT_EQ(::write(writes.get(), "x", 1), 1);
        return reader.join().value();
      },
      {.workers = 2});
  EXPECT_EQ(got.value(), 'x');
}

}  // namespace
}  // namespace bast
