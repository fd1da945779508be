// SPDX-License-Identifier: Apache-2.0
//
// Registration, unregistration and cancellation on two threads at once. stress/ does the same a
// million times, and stress/interleave in every order.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

TEST(CancelThreads, C7_ARegistrationThatRacesRunsExactlyOnce) {
  for (int round = 0; round < 2000; ++round) {
    const cancel_source source = test::root_source();
    std::latch ready(2);
    std::atomic<int> ran{0};
    std::thread canceller([&] {
      ready.arrive_and_wait();
      source.cancel();
    });
    ready.arrive_and_wait();
    const auto count = [&]() noexcept { ++ran; };
    const cancel_callback callback(source.token(), count);
    canceller.join();
    EXPECT_EQ(ran, 1);
  }
}

TEST(CancelThreads, C8_UnregisteringWaitsForACallbackElsewhere) {
  const cancel_source source = test::root_source();
  std::latch started(1);
  std::latch may_end(1);
  std::atomic<bool> ended{false};
  struct slow {
    std::latch& started;
    std::latch& may_end;
    std::atomic<bool>& ended;
    void operator()() noexcept {
      started.count_down();
      may_end.wait();
      ended = true;
    }
  };
  auto callback =
      std::make_unique<cancel_callback<slow>>(source.token(), slow{started, may_end, ended});
  std::thread canceller([&] { source.cancel(); });
  started.wait();
  // C-8: others do not wait for it.
  {
    const cancel_callback other(source.token(), []() noexcept {});
  }
  std::thread unregisters([&] {
    callback.reset();
    EXPECT_TRUE(ended);
  });
  may_end.count_down();
  unregisters.join();
  canceller.join();
}

TEST(CancelThreads, C2_OneOfManyCancelsWins) {
  for (int round = 0; round < 200; ++round) {
    const cancel_source source = test::root_source();
    std::latch ready(4);
    std::atomic<int> winners{0};
    std::vector<test::joined_thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        ready.arrive_and_wait();
        winners += source.cancel() ? 1 : 0;
      });
    }
    threads.clear();
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(source.refused(), 3U);
  }
}

/// `count` sources below `top`: one child, and below each two.
std::vector<cancel_source> descendants_of(const cancel_source& top, std::size_t count) {
  std::vector<cancel_source> nodes;
  nodes.push_back(top.child().value());
  for (std::size_t i = 1; i < count; ++i) nodes.push_back(nodes[i / 2].child().value());
  return nodes;
}

/// Cancelled by a callback that is registered during the sweep, or that it runs.
TEST(CancelThreads, C4_WhoeverIsToldSeesTheDescendantsCancelled) {
  for (int round = 0; round < 500; ++round) {
    const cancel_source top = test::root_source();
    const std::vector<cancel_source> nodes = descendants_of(top, 30);
    std::latch ready(2);
    std::atomic<int> told{0};
    std::optional<test::joined_thread> canceller;
    canceller.emplace([&] {
      ready.arrive_and_wait();
      top.cancel();
    });
    ready.arrive_and_wait();
    const auto look = [&]() noexcept {
      ++told;
      for (const cancel_source& node : nodes) EXPECT_TRUE(node.is_cancelled());
    };
    const cancel_callback first(top.token(), look);
    if (nodes.back().is_cancelled()) {
      EXPECT_TRUE(top.is_cancelled()) << "parents are marked first";
    }
    const cancel_callback second(top.token(), look);
    canceller.reset();
    EXPECT_EQ(told, 2);
  }
}

/// Each returns with everything below marked, whichever thread marked it.
TEST(CancelThreads, C4_TwoCancelsThatOverlapLeaveNobodyOut) {
  for (int round = 0; round < 500; ++round) {
    const cancel_source top = test::root_source();
    const std::vector<cancel_source> nodes = descendants_of(top, 40);
    std::latch ready(2);
    const auto cancel = [&](const cancel_source& source) {
      ready.arrive_and_wait();
      if (!source.cancel()) return;
      for (const cancel_source& node : nodes) ASSERT_TRUE(node.is_cancelled());
    };
    test::joined_thread other([&] { cancel(nodes[0]); });
    cancel(top);
  }
}

TEST(CancelThreads, SourcesComeAndGoWhileTheirParentIsCancelled) {
  for (int round = 0; round < 300; ++round) {
    const cancel_source top = test::root_source();
    std::latch ready(3);
    const auto churn = [&] {
      ready.arrive_and_wait();
      for (int i = 0; i < 50; ++i) {
        const cancel_source child = top.child().value();
        int ran = 0;
        {
          const cancel_callback callback(child.token(), [&]() noexcept { ++ran; });
        }
        ASSERT_LE(ran, 1);
        if (ran == 1) {
          ASSERT_TRUE(child.is_cancelled());
        }
      }
    };
    test::joined_thread one(churn);
    test::joined_thread two(churn);
    ready.arrive_and_wait();
    top.cancel();
  }
}

/// Threads number their sources in blocks: this uses more than one block each.
TEST(CancelThreads, C3_IdsOfSourcesAreUniqueWhoeverMakesThem) {
  constexpr std::size_t each = 2500;
  std::vector<std::uint64_t> ids(3 * each);
  const auto number = [&](std::size_t thread) {
    for (std::size_t i = 0; i < each; ++i) ids[thread * each + i] = test::root_source().id();
  };
  {
    test::joined_thread one([&] { number(1); });
    test::joined_thread two([&] { number(2); });
    number(0);
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_NE(ids.front(), 0U);
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

TEST(CancelThreads, C19_TwoInputsFireAtOnce) {
  for (int round = 0; round < 1000; ++round) {
    const cancel_source a = test::root_source();
    const cancel_source b = test::root_source();
    std::latch ready(3);
    test::joined_thread first([&] {
      ready.arrive_and_wait();
      a.cancel({.text = "a"});
    });
    test::joined_thread second([&] {
      ready.arrive_and_wait();
      b.cancel({.text = "b"});
    });
    ready.arrive_and_wait();
    // Constructed while they fire, and destroyed while they may still run.
    const cancel_token joined = cancel_token::any_of(a.token(), b.token()).value();
    if (joined.is_cancelled()) {
      EXPECT_NE(joined.reason()->text, nullptr);
    }
  }
}

}  // namespace
}  // namespace bast
