// SPDX-License-Identifier: Apache-2.0
//
// C-19 for joined tokens that join joined tokens: at any depth, and by several paths.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bast/cancel.hpp"
#include "bast/cancel/source_test.hpp"

namespace bast {
namespace {

using namespace std::chrono_literals;

cancel_token joined(const cancel_token& a, const cancel_token& b) {
  return cancel_token::any_of(a, b).value();
}

/// A chain of `count` joined tokens, each of the previous one and a separate source.
struct chain {
  explicit chain(std::size_t links) {
    last = first.token();
    for (std::size_t i = 0; i < links; ++i) {
      others.push_back(test::root_source());
      last = joined(last, others.back().token());
    }
  }
  cancel_source first = test::root_source();
  std::vector<cancel_source> others;
  cancel_token last;
};

/// On a stack with room for a hundred frames, but not for these.
constexpr std::size_t many_links = 20'000;

template <class Body>
void on_a_small_stack(Body body) {
  coro_pool pool = *coro_pool::create({.stack = {.limit = bytes{std::size_t{64} << 10}}});
  auto c = pool.acquire();
  ASSERT_TRUE(c->start([&] { body(); }).finished());
}

TEST(Chain, C19_CancellingALongOneNeedsNoStack) {
  on_a_small_stack([] {
    chain links(many_links);
    int ran = 0;
    const cancel_callback callback(links.last, [&]() noexcept { ++ran; });
    EXPECT_TRUE(links.first.cancel({.code = cancel_code::shutdown}));
    EXPECT_EQ(links.last.reason()->code, cancel_code::shutdown);
    EXPECT_EQ(links.last.reason()->origin, links.first.id());
    EXPECT_EQ(ran, 1);
    for (const cancel_source& other : links.others) other.cancel();
    EXPECT_EQ(links.last.reason()->code, cancel_code::shutdown);
    EXPECT_EQ(ran, 1);
  });
}

TEST(Chain, C19_EndingALongOneNeedsNoStack) {
  on_a_small_stack([] {
    chain links(many_links);
    links.last = {};
    links.first.cancel();
  });
  on_a_small_stack([] {
    chain links(many_links);
    {
      // Its last holder is a callback, and it is freed with that.
      const cancel_callback holds(links.last, []() noexcept {});
      links.last = {};
    }
    links.first.cancel();
  });
}

TEST(Chain, C14_TheDeadlineIsTheEarliestOfAllThatAreJoined) {
  on_a_small_stack([] {
    chain links(many_links);
    EXPECT_EQ(links.last.deadline(), never);
    links.first.set_deadline(time_point(3s));
    EXPECT_EQ(links.last.deadline(), time_point(3s));
    links.others[100].set_deadline(time_point(2s));
    EXPECT_EQ(links.last.deadline(), time_point(2s));
    links.others[100].set_deadline(time_point(4s));
    EXPECT_EQ(links.last.deadline(), time_point(3s)) << "later than before";
    links.first.set_deadline(never);
    EXPECT_EQ(links.last.deadline(), time_point(4s));
    const cancel_source below = links.others[7].child({.deadline = time_point(1s)}).value();
    EXPECT_EQ(joined(links.last, below.token()).deadline(), time_point(1s));
    EXPECT_EQ(joined(below.token(), links.last).deadline(), time_point(1s));
  });
}

/// Each joins the previous one twice: 2 to the power of 60 paths.
TEST(Chain, C19_ByManyWays) {
  const cancel_source a = test::root_source();
  const cancel_source b = test::root_source();
  cancel_token diamond = joined(a.token(), b.token());
  for (int i = 0; i < 60; ++i) diamond = joined(diamond, diamond);
  b.set_deadline(time_point(5s));
  EXPECT_EQ(diamond.deadline(), time_point(5s));
  int ran = 0;
  const cancel_callback callback(diamond, [&]() noexcept { ++ran; });
  EXPECT_TRUE(b.cancel());
  EXPECT_TRUE(diamond.is_cancelled());
  EXPECT_EQ(diamond.reason()->origin, b.id());
  EXPECT_EQ(ran, 1);
}

/// Callbacks on a joined token run where that was registered, not after everything else.
TEST(Chain, C5_CallbacksRunInTheOrderOfACall) {
  const cancel_source a = test::root_source();
  const cancel_source b = test::root_source();
  std::string order;
  const auto writes = [&order](char letter) {
    return [&order, letter]() noexcept { order += letter; };
  };
  const cancel_callback first(a.token(), writes('a'));
  const cancel_token one = joined(a.token(), b.token());
  const cancel_callback second(a.token(), writes('b'));
  const cancel_callback on_one(one, writes('c'));
  const cancel_token two = joined(one, b.token());
  const cancel_callback on_one_too(one, writes('d'));
  const cancel_callback on_two(two, writes('e'));
  const cancel_callback third(a.token(), writes('f'));
  EXPECT_TRUE(a.cancel());
  EXPECT_EQ(order, "fbdeca");
}

/// Callbacks in the middle of a chain end earlier and later parts of it.
TEST(Chain, C9_CallbacksMayEndTheChain) {
  for (const bool all : {false, true}) {
    chain links(50);
    const cancel_token middle = joined(links.last, links.first.token());
    links.last = joined(middle, links.others[0].token());
    int ran = 0;
    const cancel_callback last(links.last, [&]() noexcept { ++ran; });
    const cancel_callback ends(middle, [&]() noexcept {
      links.last = {};
      if (all) links.others.clear();
    });
    links.first.cancel();
    EXPECT_EQ(ran, 1);
  }
}

TEST(Chain, C8_UnregisteringWaitsAlsoAtTheEndOfAChain) {
  chain links(10);
  std::atomic<bool> runs = false;
  std::atomic<bool> over = false;
  const auto wait = [&]() noexcept {
    runs = true;
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    over = true;
  };
  std::optional<cancel_callback<decltype(wait)>> callback;
  callback.emplace(links.last, wait);
  std::thread cancels([&] { links.first.cancel(); });
  while (!runs) std::this_thread::yield();
  callback.reset();
  EXPECT_TRUE(over);
  cancels.join();
}

}  // namespace
}  // namespace bast
