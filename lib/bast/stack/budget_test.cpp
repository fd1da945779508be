// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/budget.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace bast {
namespace {

TEST(StackBudget, ChargesAllOrNothing) {
  stack_budget budget(100_B);
  EXPECT_TRUE(budget.charge(60));
  EXPECT_FALSE(budget.charge(41));
  EXPECT_EQ(budget.open(), 60_B);
  EXPECT_TRUE(budget.charge(40));
  EXPECT_FALSE(budget.charge(1));
  EXPECT_TRUE(budget.charge(0));
  budget.refund(100);
  EXPECT_EQ(budget.open(), 0_B);
}

TEST(StackBudget, HugeChargeDoesNotWrap) {
  stack_budget budget(100_B);
  EXPECT_TRUE(budget.charge(1));
  EXPECT_FALSE(budget.charge(unlimited_bytes.count));
  EXPECT_EQ(budget.open(), 1_B);
}

TEST(StackBudget, LoweringTheLimitTakesNothingAwayAndRefusesTheNext) {
  stack_budget budget(100_B);
  EXPECT_TRUE(budget.charge(80));
  budget.set_limit(50_B);
  EXPECT_EQ(budget.open(), 80_B);
  EXPECT_FALSE(budget.charge(1));
  budget.refund(40);
  EXPECT_TRUE(budget.charge(10));
  EXPECT_FALSE(budget.charge(1));
}

TEST(StackBudget, ProcessBudgetIsOneAndUnlimited) {
  EXPECT_EQ(&process_stack_budget(), &process_stack_budget());
  EXPECT_EQ(process_stack_budget().limit(), unlimited_bytes);
}

TEST(StackBudget, NeverOverTheLimitWithManyThreads) {
  constexpr int threads = 4;
  constexpr int rounds = 2000;
  stack_budget budget(bytes{threads - 1});
  std::atomic<int> holders{0};
  std::atomic<int> most{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        if (!budget.charge(1)) continue;
        const int now = ++holders;
        for (int seen = most.load(); now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --holders;
        budget.refund(1);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_LT(most.load(), threads);
  EXPECT_GE(most.load(), 1);
  EXPECT_EQ(budget.open(), 0_B);
}

}  // namespace
}  // namespace bast
