// SPDX-License-Identifier: Apache-2.0
//
// Performs of coroutines and of OS threads: what commits, what is left, and how a wait ends.
// stress/interleave/op_test.cpp has every order.
#include "bast/op/perform.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bast/op.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast {
namespace {

using test::rendezvous;

/// Coroutines of this thread, and the loop that resumes them.
class Perform : public testing::Test {
 protected:
  /// Runs `body` in a coroutine until it waits or ends.
  coro<> begin(std::function<void()> body) {
    coro<> made = pool.make(std::move(body)).value();
    EXPECT_FALSE(made.resume().failed());
    return made;
  }

  ready_queue loop;
  coro_pool pool = coro_pool::create().value();
  rendezvous<int> a, b;
};

TEST_F(Perform, ACoroutineWaitsForItsPeer) {
  std::vector<std::string> happened;
  for (int life = 0; life < 3; ++life) {
    happened.clear();
    auto receiver = begin([&] {
      happened.push_back("receives");
      happened.push_back("got " + std::to_string(perform(a.receive()).value()));
    });
    EXPECT_EQ(a.waiting(), 1U);
    EXPECT_EQ(loop.waiting(), 1U);
    auto sender = begin([&] {
      int value = 7 + life;
      EXPECT_TRUE(perform(a.send(value)));
      happened.push_back("sent");
    });
    // The sender goes on; the receiver is ready, and runs in the loop.
    EXPECT_EQ(a.waiting(), 0U);
    EXPECT_EQ(loop.run(), 1U);
    EXPECT_EQ(happened,
              (std::vector<std::string>{"receives", "sent", "got " + std::to_string(7 + life)}));
    EXPECT_EQ(loop.waiting(), 0U);
  }
}

TEST_F(Perform, O2_AChoiceCommitsOneArmAndLeavesTheOthers) {
  std::string got;
  const auto tell = [](const char* from) {
    return [from](int n) { return from + std::to_string(n); };
  };
  auto chooser = begin([&] {
    got = perform(choice(wrap(a.receive(), tell("a")), wrap(b.receive(), tell("b")))).value();
  });
  EXPECT_EQ(a.waiting() + b.waiting(), 2U);
  int one = 1;
  EXPECT_TRUE(poll(b.send(one)));
  EXPECT_EQ(b.waiting(), 0U);
  EXPECT_EQ(a.waiting(), 1U);  // Until the chooser has run; it can commit nothing any more.
  int two = 2;
  EXPECT_FALSE(poll(a.send(two)));
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(got, "b1");
  EXPECT_EQ(a.waiting() + b.waiting(), 0U);
}

TEST_F(Perform, O12_ArmsOfOnePerformDoNotMeet) {
  int value = 1;
  const auto either = [&] { return choice(wrap(a.receive(), [](int) {}), a.send(value)); };
  EXPECT_FALSE(poll(either()));
  int done = 0;
  auto one = begin([&] {
    EXPECT_TRUE(perform(either()));
    ++done;
  });
  EXPECT_EQ(a.waiting(), 2U);
  auto other = begin([&] {
    EXPECT_TRUE(perform(either()));
    ++done;
  });
  EXPECT_EQ(done, 1);
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(done, 2);
  EXPECT_EQ(a.waiting(), 0U);
}

TEST_F(Perform, O11_ACancelledSendKeepsItsValueAndACancelledReceiveTakesNone) {
  rendezvous<std::unique_ptr<int>> at;
  auto source = cancel_source::create().value();
  auto mine = std::make_unique<int>(7);
  std::optional<errc> sent;
  std::optional<errc> received;
  auto sender = begin([&] {
    const cancel_binding governed(source.token());
    sent = perform(at.send(mine)).error().kind();
  });
  EXPECT_EQ(at.waiting(), 1U);
  EXPECT_TRUE(source.cancel());
  EXPECT_EQ(loop.run(), 1U);
  EXPECT_EQ(sent, errc::cancelled);
  EXPECT_EQ(*mine, 7);
  EXPECT_EQ(at.waiting(), 0U);
  // A token that has fired: it does not even try (O-3).
  auto ready = begin([&] { EXPECT_TRUE(perform(at.send(mine))); });
  auto receiver = begin([&] {
    const cancel_binding governed(source.token());
    received = perform(at.receive()).error().kind();
  });
  EXPECT_EQ(received, errc::cancelled);
  EXPECT_EQ(at.waiting(), 1U);
  EXPECT_EQ(*poll(at.receive())->value(), 7);
  EXPECT_EQ(loop.run(), 1U);
}

TEST_F(Perform, O14_APollLooksOnceAndLeavesNothing) {
  auto source = cancel_source::create().value();
  source.cancel();
  const cancel_binding governed(source.token());  // Not checked.
  EXPECT_FALSE(poll(a.receive()));
  EXPECT_FALSE(poll(choice(a.receive(), b.receive())));
  EXPECT_EQ(a.waiting() + b.waiting(), 0U);
  EXPECT_EQ(poll(choice(a.receive(), always(3)))->value(), 3);
  EXPECT_EQ(poll(fail_with<int>({errc::closed, "test", "closed"}))->error(), errc::closed);
  EXPECT_EQ(perform(always(3)).error(), errc::cancelled);
}

#if BAST_EXCEPTIONS
TEST_F(Perform, AReleasedCoroutineLeavesNothing) {
  auto waits = begin([&] { (void)perform(choice(a.receive(), b.receive())); });
  EXPECT_EQ(a.waiting() + b.waiting(), 2U);
  EXPECT_TRUE(waits.release());
  EXPECT_EQ(a.waiting() + b.waiting(), 0U);
  EXPECT_EQ(loop.waiting(), 0U);
}
#endif

TEST_F(Perform, F12_AnAbandonedCoroutineLeavesNothing) {
  auto source = cancel_source::create().value();
  const cancel_token token = source.token();
  auto waits = begin([&] {
    const cancel_binding governed(token);
    (void)perform(choice(a.receive(), b.receive()));
  });
  EXPECT_EQ(a.waiting() + b.waiting(), 2U);
  EXPECT_TRUE(waits.release(abandon));
  EXPECT_EQ(a.waiting() + b.waiting(), 0U);
  EXPECT_EQ(loop.waiting(), 0U);
  EXPECT_TRUE(source.cancel());
}

#if BAST_EXCEPTIONS
// A commit is never thrown away: the peer has gone on, and what it sent ends with the stack.
TEST_F(Perform, AReleaseAfterTheCommitEndsWhatWasReceived) {
  rendezvous<std::shared_ptr<int>> at;
  auto sent = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = sent;
  auto waits = begin([&] { (void)perform(at.receive()); });
  EXPECT_TRUE(poll(at.send(sent)));
  EXPECT_EQ(sent, nullptr);
  EXPECT_EQ(watched.use_count(), 1);
  EXPECT_TRUE(waits.release());
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(loop.waiting(), 0U);
}
#endif

TEST_F(Perform, WhereOneMayNotWaitIsAnError) {
  {
    const test::joined_thread without_a_queue([] {
      auto here = coro_pool::create().value();
      auto made = here.make([] {
                        rendezvous<int> at;
                        EXPECT_EQ(perform(at.receive()).error(), errc::not_in_fiber);
                        EXPECT_EQ(perform(always(1)).error(), errc::not_in_fiber);
                      })
                      .value();
      EXPECT_FALSE(made.resume().failed());
    });
  }
  auto source = cancel_source::create().value();
  std::optional<errc> in_callback;
  auto inside = begin([&] {
    const cancel_callback waits(
        source.token(), [&]() noexcept { in_callback = perform(always(1)).error().kind(); });
    source.cancel();
  });
  EXPECT_EQ(in_callback, errc::bad_state);
  std::optional<errc> in_guard;
  auto guarded = begin([&] {
    EXPECT_EQ(perform(guard([&] {
                in_guard = perform(a.receive()).error().kind();
                return always(1);
              })).value(),
              1);
  });
  EXPECT_EQ(in_guard, errc::bad_state);
  EXPECT_EQ(a.waiting(), 0U);
}

// --- threads -------------------------------------------------------------------------------------

// --- the stack under a perform -------------------------------------------------------------------

struct held_frame {
  std::byte* lowest = nullptr;
  bool is_seen = false;
};

/// A frame of which nothing is written, and no call but the one writes below it: a peer would write
/// there. By builtins: without optimisation, the functions of std::atomic are calls.
[[gnu::noinline]] void hold_touched_frame(held_frame& of) {
  auto* const lowest = static_cast<std::byte*>(__builtin_alloca(64 << 10));
  internal::touch_stack();
  __atomic_store_n(&of.lowest, lowest, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&of.is_seen, __ATOMIC_SEQ_CST)) {
  }
}

TEST_F(Perform, D2_WhatAPeerMayWriteToIsOpen) {
  held_frame frame;
  bool is_open = false;
  {
    const test::joined_thread peer([&] {
      std::byte* lowest = nullptr;
      for (backoff wait; lowest == nullptr; wait.pause()) {
        lowest = __atomic_load_n(&frame.lowest, __ATOMIC_SEQ_CST);
      }
      is_open = find_stack(lowest).open_low <= lowest;
      __atomic_store_n(&frame.is_seen, true, __ATOMIC_SEQ_CST);
    });
    auto holder = begin([&] { hold_touched_frame(frame); });
  }
  EXPECT_TRUE(is_open);
}

TEST(PerformThreads, O16_ThreadsMeetCoroutines) {
  rendezvous<int> there;
  rendezvous<int> back;
  constexpr int rounds = 2000;
  {
    const test::joined_thread echo([&] {
      for (int i = 0; i < rounds; ++i) {
        int got = perform(there.receive()).value();
        EXPECT_TRUE(perform(back.send(got)));
      }
    });
    ready_queue loop;
    auto pool = coro_pool::create().value();
    int sum = 0;
    auto asks = pool.make([&] {
                      for (int i = 0; i < rounds; ++i) {
                        EXPECT_TRUE(perform(there.send(i)));
                        sum += perform(back.receive()).value();
                      }
                    })
                    .value();
    EXPECT_FALSE(asks.resume().failed());
    for (backoff wait; asks.state() == coro_state::suspended; wait.pause()) {
      if (loop.run() != 0) wait.reset();
    }
    EXPECT_EQ(sum, rounds * (rounds - 1) / 2);
  }
}

TEST(PerformThreads, O16_ACancelEndsTheWaitOfAThread) {
  rendezvous<int> at;
  auto source = cancel_source::create().value();
  std::optional<errc> ended;
  {
    const test::joined_thread waits([&] {
      const cancel_binding governed(source.token());
      ended = perform(choice(at.receive(), at.receive())).error().kind();
    });
    for (backoff wait; at.waiting() != 2; wait.pause()) {
    }
    EXPECT_TRUE(source.cancel());
  }
  EXPECT_EQ(ended, errc::cancelled);
  EXPECT_EQ(at.waiting(), 0U);
}

// Tokens wander between objects by random choices from both sides, while a thread cancels: none is
// lost, and none comes twice.
TEST(PerformThreads, O11_TokensAreConservedUnderChoicesAndCancels) {
  constexpr std::size_t threads = 3;
  constexpr int rounds = 3000;
  struct player {
    std::mutex lock;
    std::optional<cancel_source> source;
    std::vector<int> held;
    int commits = 0;
    int cancels = 0;
  };
  rendezvous<int> objects[3];
  std::array<player, threads> players;
  std::atomic<std::size_t> playing = threads;
  {
    std::vector<test::joined_thread> all;
    for (std::size_t t = 0; t < threads; ++t) {
      player& mine = players[t];
      for (int i = 0; i < 4; ++i) mine.held.push_back(static_cast<int>(10 * t) + i);
      all.emplace_back([&] {
        for (int round = 0; round < rounds; ++round) {
          cancel_token token;
          {
            const std::lock_guard guard(mine.lock);
            mine.source = cancel_source::create().value();
            token = mine.source->token();
          }
          const cancel_binding governed(token);
          int last = mine.held.empty() ? -1 : mine.held.back();
          const auto object = [&]() -> rendezvous<int>& {
            return objects[internal::random_below(3)];
          };
          const auto took = [&](int n) { mine.held.push_back(n); };
          const auto gave = [&] { mine.held.pop_back(); };
          const bool has_one = last >= 0;
          const auto ended =
              has_one
                  ? perform(choice(wrap(object().send(last), gave), wrap(object().receive(), took),
                                   wrap(object().send(last), gave)))
                  : perform(choice(wrap(object().receive(), took), wrap(object().receive(), took)));
          ++(ended ? mine.commits : mine.cancels);
        }
        --playing;
      });
    }
    while (playing != 0) {
      for (player& each : players) {
        const std::lock_guard guard(each.lock);
        if (each.source) each.source->cancel();
      }
      std::this_thread::yield();
    }
  }
  std::vector<int> everything;
  int commits = 0;
  int cancels = 0;
  for (const player& each : players) {
    everything.insert(everything.end(), each.held.begin(), each.held.end());
    commits += each.commits;
    cancels += each.cancels;
  }
  std::ranges::sort(everything);
  EXPECT_EQ(everything, (std::vector<int>{0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23}));
  EXPECT_EQ(commits + cancels, static_cast<int>(threads) * rounds);
  EXPECT_EQ(commits % 2, 0);
  EXPECT_GT(commits, 0);
  for (auto& each : objects) EXPECT_EQ(each.waiting(), 0U);
}

}  // namespace
}  // namespace bast
