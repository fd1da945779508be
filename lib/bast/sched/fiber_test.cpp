// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/sched.hpp"

namespace bast {
namespace {

TEST(Run, ReturnsWhatMainReturns) {
  EXPECT_EQ(run([] { return 42; }).value(), 42);
  EXPECT_TRUE(run([] {}).has_value());
  EXPECT_EQ(run([] { return result<std::string>("text"); }).value(), "text");
}

TEST(Fiber, JoinTakesTheValue) {
  const auto sum = run([] {
    std::vector<fiber<int>> all;
    for (int i = 0; i < 100; ++i) all.push_back(spawn([i] { return i; }).value());
    int total = 0;
    for (auto& each : all) total += each.join().value();
    return total;
  });
  EXPECT_EQ(sum.value(), 4950);
}

TEST(Fiber, ManyWorkers) {
  for (std::size_t workers : {1U, 2U, 4U}) {
    const auto sum = run(
        [] {
          std::vector<fiber<std::size_t>> all;
          for (std::size_t i = 0; i < 10'000; ++i) {
            all.push_back(spawn([i] {
                            auto inner = spawn([i] { return i; }).value();
                            (void)yield_now();
                            return inner.join().value();
                          }).value());
          }
          std::size_t total = 0;
          for (auto& each : all) total += each.join().value();
          return total;
        },
        {.workers = workers});
    EXPECT_EQ(sum.value(), 49'995'000U);
  }
}

TEST(Fiber, F5_APinnedFiberStartsOnItsParentsWorker) {
  const auto strays = run(
      [] {
        std::size_t elsewhere = 0;
        const auto here = std::this_thread::get_id();
        std::vector<fiber<std::thread::id>> pinned;
        for (int i = 0; i < 100; ++i) {
          pinned.push_back(
              spawn([] { return std::this_thread::get_id(); }, {.pinned = true}).value());
        }
        for (auto& each : pinned) elsewhere += each.join().value() != here ? 1U : 0U;
        return elsewhere;
      },
      {.workers = 4});
  EXPECT_EQ(strays.value(), 0U);
}

TEST(Fiber, PinnedAndAPoolExcludeEachOther) {
  const pool_options pool{.name = "other", .workers = 1};
  const auto refused = run([] { return spawn([] {}, {.pool = "other", .pinned = true}).error(); },
                           {.workers = 1, .pools = {&pool, 1}});
  EXPECT_EQ(refused.value(), errc::invalid);
}

}  // namespace
}  // namespace bast
