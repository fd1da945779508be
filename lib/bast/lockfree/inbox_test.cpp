// SPDX-License-Identifier: Apache-2.0
#include "bast/lockfree/inbox.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bast/lockfree.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast::inline BAST_ABI {
namespace {

struct block {
  block* next = nullptr;
  int number = 0;
};
using block_inbox = inbox<block>;
using block_remote_free = remote_free<block>;

/// "3 2 1", in the order of the chain.
std::string numbers_of(const block* chain) {
  std::string all;
  for (; chain != nullptr; chain = chain->next) {
    if (!all.empty()) all += ' ';
    all += std::to_string(chain->number);
  }
  return all;
}

std::vector<block> numbered(int count) {
  std::vector<block> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) all[static_cast<std::size_t>(i)].number = i + 1;
  return all;
}

TEST(Inbox, GivesAllOfItTheNewestFirstAndSaysWhenItWasEmpty) {
  block_inbox in;
  auto all = numbered(5);
  for (int life = 0; life < 2; ++life) {
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(in.take(), nullptr);
    EXPECT_TRUE(in.push(all[0]));
    EXPECT_FALSE(in.empty());
    all[1].next = &all[2];
    EXPECT_FALSE(in.push(all[1], all[2]));
    EXPECT_FALSE(in.push(all[3]));
    EXPECT_EQ(numbers_of(in.take()), "4 2 3 1");
  }
  EXPECT_TRUE(in.push(all[4])) << "a taken node may be pushed again";
  EXPECT_EQ(numbers_of(in.take()), "5");
}

TEST(RemoteFree, WhatIsFreedArrivesInBatches) {
  block_inbox home;
  block_remote_free worker;
  const int most = static_cast<int>(block_remote_free::batch_max);
  auto all = numbered(2 * most + 1);
  int next = 0;
  for (int batch = 0; batch < 2; ++batch) {
    for (; next < most * (batch + 1); ++next) {
      worker.free(home, all[static_cast<std::size_t>(next)]);
      ASSERT_TRUE(home.empty()) << next;
    }
    worker.free(home, all[static_cast<std::size_t>(next++)]);
    int arrived = 0;
    for (const block* at = home.take(); at != nullptr; at = at->next) ++arrived;
    EXPECT_EQ(arrived, most);
    EXPECT_TRUE(home.empty());
  }
  worker.flush();
  EXPECT_EQ(numbers_of(home.take()), std::to_string(2 * most + 1));
  worker.flush();
  EXPECT_TRUE(home.empty()) << "there was nothing";
}

TEST(RemoteFree, EachArrivesAtItsOwnersAndNothingIsKeptBack) {
  block_inbox homes[2];
  auto all = numbered(6);
  {
    std::optional<block_remote_free> worker(std::in_place);
    for (std::size_t i = 0; i < 3; ++i) worker->free(homes[0], all[i]);
    worker->free(homes[1], all[3]);
    EXPECT_EQ(numbers_of(homes[0].take()), "3 2 1");
    EXPECT_TRUE(homes[1].empty());
    worker->free(homes[0], all[4]);
    EXPECT_EQ(numbers_of(homes[1].take()), "4");
    worker->free(homes[0], all[5]);
  }
  EXPECT_EQ(numbers_of(homes[0].take()), "6 5");
  EXPECT_TRUE(homes[1].empty());
}

TEST(RemoteFree, ManyWorkersFreeForOneAndNothingIsLost) {
  constexpr int workers = 3;
  constexpr int each = 10'000;
  block_inbox home;
  std::vector<std::vector<block>> all(workers);
  for (auto& of : all) of = numbered(each);
  std::vector<int> seen(each + 1, 0);
  int arrived = 0;
  {
    std::vector<test::joined_thread> threads;
    for (auto& of : all) {
      threads.emplace_back([&] {
        block_remote_free worker;
        for (block& b : of) worker.free(home, b);
      });
    }
    while (arrived < workers * each) {
      for (const block* at = home.take(); at != nullptr; at = at->next) {
        ++seen[static_cast<std::size_t>(at->number)];
        ++arrived;
      }
      std::this_thread::yield();
    }
  }
  for (int i = 1; i <= each; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], workers) << i;
  EXPECT_TRUE(home.empty());
}

}  // namespace
}  // namespace bast::inline BAST_ABI
