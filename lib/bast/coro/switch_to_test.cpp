// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that switch to each other, as a scheduler's do.
#include "bast/coro/switch_to.hpp"

#include <gtest/gtest.h>

#include <cfenv>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"

namespace bast::internal {
namespace {

inline constexpr char label[] = "scheduled";

/// The smallest scheduler: records with a block in them and room for an outcome, a queue of those
/// that are ready, one stack pool. A record's outcome outlives its stack.
class scheduler {
 public:
  struct record {
    coro_block block;  // first: an entry function is given it
    scheduler* owner = nullptr;
    std::function<int()> body;
    std::optional<int> value;
    std::exception_ptr failure;
  };
  static_assert(alignof(record) == 64);

  explicit scheduler(stack_options options = {}) {
    EXPECT_TRUE(prepare_thread());
    EXPECT_TRUE(stacks.init(options, 64));
    stacks.set_user(running_stack_of, this_thread.tag);
    EXPECT_EQ(running, nullptr);
    running = this;
    this_thread.recycle = [](coro_block& ended) noexcept { running->take_back(ended); };
  }
  ~scheduler() {
    EXPECT_EQ(this_thread.current, nullptr);
    EXPECT_EQ(this_thread.resuming, nullptr);
    EXPECT_EQ(this_thread.ended, nullptr);
    EXPECT_EQ(stacks.stats().live, 0U);
    stacks.check_invariants();
    this_thread.recycle = nullptr;
    running = nullptr;
  }
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;

  record& spawn(std::function<int()> body, coro_tag flags = 0) {
    record& made = *records.emplace_back(std::make_unique<record>());
    made.owner = this;
    made.body = std::move(body);
    made.block.tag = make_tag(7, 0, coro_state::ready) | flag_scheduled | flags;
    ready.push_back(&made.block);
    return made;
  }
  record& spawn_void(std::function<void()> body, coro_tag flags = 0) {
    return spawn([body = std::move(body)] { return body(), 0; }, flags);
  }

  /// Runs what is ready until nothing is.
  void run() {
    while (coro_block* const next = take()) {
      internal::run(*next, this_thread, running_here(next->tag));
      if (last_ended != nullptr) take_back(*std::exchange(last_ended, nullptr));
    }
  }

  /// Called by what runs.
  static void yield() {
    running->ready.push_back(this_thread.current);
    park();
  }
  static void park() {
    if (coro_block* const next = running->take()) {
      ++running->switches;
      switch_to(*next, running_here(next->tag));
    } else {
      park_for_resumer();
    }
  }
  /// To the thread, although others are ready.
  static void yield_to_the_thread() {
    running->ready.push_back(this_thread.current);
    park_for_resumer();
  }

  static scheduler* running;
  stack_pool stacks;
  std::deque<coro_block*> ready;
  std::vector<std::unique_ptr<record>> records;
  coro_block* last_ended = nullptr;  // that ended for the thread
  unsigned switches = 0;
  unsigned taken_back = 0;

 private:
  coro_block* take() {
    if (ready.empty()) return nullptr;
    coro_block* const next = ready.front();
    ready.pop_front();
    if (next->stack == nullptr) {  // Its first run.
      EXPECT_EQ(thread_of(next->tag), 0U) << "it has no thread yet";
      slot* const stack = *stacks.acquire(site_key::labelled(label));
      bind(*next, *stack, stack->top - sizeof(void*), enter);
    }
    return next;
  }
  void take_back(coro_block& ended) noexcept {
    EXPECT_EQ(state_of(ended.tag), coro_state::finished);
    ended.hooks.ended();
    stacks.release(*std::exchange(ended.stack, nullptr));
    ++taken_back;
  }
  static void enter(arch::context* self) noexcept {
    record& mine = *reinterpret_cast<record*>(self);
    first_arrival(mine.block);
    run_body(mine);
    scheduler& all = *mine.owner;
    if (coro_block* const next = all.take()) finish_to(*next, running_here(next->tag));
    all.last_ended = &mine.block;
    finish_for_resumer();
  }
  [[gnu::noinline]] static void run_body(record& mine) noexcept {
#if BAST_EXCEPTIONS
    try {
      mine.value = mine.body();
    } catch (...) {
      mine.failure = std::current_exception();
    }
#else
    mine.value = mine.body();
#endif
    mine.body = nullptr;
  }
};
scheduler* scheduler::running = nullptr;

/// The blocks of the pool of the coroutine whose block was taken first.
coro_block& block_of(const coro_ref<>& first, std::size_t index) {
  coro_block* self = nullptr;
  static_assert(std::is_trivially_copyable_v<coro_ref<>>);
  std::memcpy(&self, &first, sizeof self);  // A handle begins with its block.
  return chunk::of(*self).block(index);
}

TEST(SwitchTo, EachGoesStraightToTheNext) {
  scheduler all;
  std::string order;
  for (const char name : {'a', 'b', 'c'}) {
    all.spawn_void([&order, name] {
      for (int i = 0; i < 3; ++i) {
        order += name;
        scheduler::yield();
      }
    });
  }
  all.run();
  EXPECT_EQ(order, "abcabcabc");
  EXPECT_EQ(all.switches, 9U) << "each yield was a switch to another";
  EXPECT_EQ(all.taken_back, 3U);
  EXPECT_EQ(all.stacks.stats().live, 0U);
}

TEST(SwitchTo, D14_AStackGoesBackWhenItsFunctionReturnsAndTheOutcomeStays) {
  scheduler all;
  std::vector<scheduler::record*> made;
  std::size_t most = 0;
  for (int i = 0; i < 10; ++i) {
    made.push_back(&all.spawn([&all, &most, i] {
      most = std::max(most, all.stacks.stats().live);
      return i * i;
    }));
  }
  all.run();
  EXPECT_EQ(most, 1U) << "each found the stack of the one before given back";
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(made[static_cast<std::size_t>(i)]->value, i * i);
    EXPECT_EQ(made[static_cast<std::size_t>(i)]->block.stack, nullptr);
  }
}

TEST(SwitchTo, D5_WhatHasNotRunHasNoThread) {
  scheduler all;
  scheduler::record& made = all.spawn_void([] {});
  EXPECT_EQ(thread_of(made.block.tag), 0U);
  all.run();
  EXPECT_EQ(thread_of(made.block.tag), this_thread.tag);
  EXPECT_EQ(generation_of(made.block.tag), 7U);
}

TEST(SwitchTo, TheThreadMayTakeOverInBetween) {
  scheduler all;
  std::string order;
  for (const char name : {'a', 'b'}) {
    all.spawn_void([&order, name] {
      for (int i = 0; i < 4; ++i) {
        order += name;
        if (i % 2 == 0) {
          scheduler::yield_to_the_thread();
        } else {
          scheduler::yield();
        }
      }
    });
  }
  all.run();
  EXPECT_EQ(order, "abababab");
}

/// Whoever is interrupted in the middle of growing goes on growing afterwards.
TEST(SwitchTo, D3_EachGrowsItsOwnStack) {
  scheduler all({.window = bytes{16 << 10}});
  const auto deep = [](const auto& self, int depth) -> int {
    volatile char frame[2000];
    frame[0] = static_cast<char>(depth);
    if (depth % 7 == 0) scheduler::yield();
    const int below = depth == 0 ? 0 : self(self, depth - 1);
    return below + (frame[0] == static_cast<char>(depth) ? 1 : 1000);
  };
  std::vector<scheduler::record*> made;
  for (int i = 0; i < 5; ++i) {
    made.push_back(&all.spawn([&deep, i] { return deep(deep, 40 + i); }));
  }
  all.run();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(made[static_cast<std::size_t>(i)]->value, 41 + i);
}

#if BAST_EXCEPTIONS
TEST(SwitchTo, F7_ExceptionsStayWithTheirOwners) {
  scheduler all;
  std::string seen;
  for (const char* const name : {"one", "two", "three"}) {
    all.spawn_void([&seen, name] {
      try {
        throw std::runtime_error(name);
      } catch (...) {
        scheduler::yield();
        try {
          throw;
        } catch (const std::exception& e) {
          seen += e.what();
          seen += std::uncaught_exceptions() == 0 ? ' ' : '!';
        }
      }
    });
  }
  struct yields_while_unwound {
    std::string& seen;
    ~yields_while_unwound() {
      scheduler::yield();
      seen += std::uncaught_exceptions() == 1 ? "unwound " : "lost ";
    }
  };
  all.spawn_void([&seen] {
    try {
      const yields_while_unwound local{seen};
      throw 1;
    } catch (int) {
      seen += "caught ";
    }
  });
  all.spawn_void([&seen] { seen += std::uncaught_exceptions() == 0 ? "calm " : "shaken "; });
  all.run();
  EXPECT_EQ(seen, "calm one two three unwound caught ");
}

TEST(SwitchTo, F6_AnExceptionThatLeavesIsTheOutcome) {
  scheduler all;
  scheduler::record& failed = all.spawn([]() -> int { throw 5; });
  scheduler::record& fine = all.spawn([] { return 6; });
  all.run();
  EXPECT_EQ(fine.value, 6);
  EXPECT_FALSE(failed.value);
  EXPECT_THROW(std::rethrow_exception(failed.failure), int);
}
#endif

/// Those with control words of their own keep theirs, and no other sees them, whoever switches to
/// whom, also at an end.
TEST(SwitchTo, F7_ControlWordsStayWithTheirOwners) {
  const int before = std::fegetround();
  scheduler all;
  int wrong = 0;
  const auto rounds = [&wrong](int mode, int yields) {
    return [&wrong, mode, yields] {
      wrong += std::fegetround() != FE_TONEAREST ? 1 : 0;
      std::fesetround(mode);
      for (int i = 0; i < yields; ++i) {
        scheduler::yield();
        wrong += std::fegetround() != mode ? 1 : 0;
      }
    };
  };
  const auto plain = [&wrong](int yields) {
    return [&wrong, yields] {
      for (int i = 0; i <= yields; ++i) {
        wrong += std::fegetround() != FE_TONEAREST ? 1 : 0;
        if (i < yields) scheduler::yield();
      }
    };
  };
  for (int yields = 0; yields < 4; ++yields) {
    all.spawn_void(plain(yields));
    all.spawn_void(rounds(FE_UPWARD, yields), flag_own_float);
    all.spawn_void(rounds(FE_DOWNWARD, 3 - yields), flag_own_float);
    all.spawn_void(plain(3 - yields));
    all.spawn_void(plain(1));
  }
  all.run();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(std::fegetround(), before);
}

/// A raw coroutine that a scheduled one resumed waits, and with it whoever resumed it.
TEST(SwitchTo, F4_ANestMayWaitAndGoesOnWhereItWas) {
  scheduler all;
  coro_pool pool = *coro_pool::create();
  std::string order;
  auto inner = pool.acquire();
  auto innermost = pool.acquire();
  scheduler::record& base = all.spawn_void([&] {
    order += "base ";
    EXPECT_TRUE(inner
                    ->start([&](yielder<>& out) {
                      order += "inner ";
                      EXPECT_TRUE(innermost
                                      ->start([&](yielder<>& further_out) {
                                        order += "innermost ";
                                        scheduler::yield();
                                        order += "again ";
                                        further_out.yield();
                                        scheduler::yield_to_the_thread();
                                        order += "and again ";
                                      })
                                      ->suspended());
                      order += "between ";
                      out.yield();
                      scheduler::yield();
                      EXPECT_TRUE(innermost->resume()->finished());
                      order += "inner ends ";
                    })
                    ->suspended());
    order += "base again ";
    scheduler::yield();
    EXPECT_TRUE(inner->resume()->finished());
    order += "base ends ";
  });
  all.spawn_void([&] {
    order += "other ";
    EXPECT_EQ(test::kind_of(innermost->resume()), errc::not_owner);
    EXPECT_EQ(test::kind_of(innermost->release()), errc::not_owner);
    EXPECT_EQ(test::kind_of(innermost->release(abandon)), errc::not_owner);
    EXPECT_EQ(test::kind_of(inner->resume()), errc::busy) << "it has resumed another";
    EXPECT_EQ(test::kind_of(inner->release()), errc::busy);
    EXPECT_EQ(state_of(base.block.tag), coro_state::running);
    scheduler::yield();
    order += "other again ";
    scheduler::yield_to_the_thread();
    order += "other ends ";
  });
  all.run();
  EXPECT_EQ(order,
            "base inner innermost other again between base again other again other ends and again "
            "inner ends base ends ");
  pool.check_invariants();
}

TEST(SwitchTo, WhoIsAloneGoesOn) {
  scheduler all;
  int yields = 0;
  all.spawn_void([&] {
    for (; yields < 3; ++yields) scheduler::yield();
  });
  all.run();
  EXPECT_EQ(yields, 3);
}

/// A nest has the control words of whoever is below it, also while it waits.
TEST(SwitchTo, F7_ANestKeepsTheControlWordsItRanWith) {
  scheduler all;
  coro_pool pool = *coro_pool::create();
  auto inner = pool.acquire();
  int seen = 0;
  all.spawn_void(
      [&] {
        std::fesetround(FE_UPWARD);
        EXPECT_TRUE(inner
                        ->start([&] {
                          scheduler::yield();
                          seen = std::fegetround();
                          scheduler::yield();
                        })
                        ->finished());
      },
      flag_own_float);
  const auto other = [&] {
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
    scheduler::yield();
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  };
  all.spawn_void(other);
  std::fesetround(FE_DOWNWARD);
  all.run();
  EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
  EXPECT_EQ(seen, FE_UPWARD);
  std::fesetround(FE_TONEAREST);
}

TEST(SwitchToDeath, C9_NothingWaitsWithinWhatMayNotSuspend) {
  const auto wait_there = [] {
    scheduler all;
    coro_pool pool = *coro_pool::create();
    auto inner = pool.acquire();
    all.spawn_void([&] {
      const no_suspension here;
      (void)inner->start([] { scheduler::park(); });
    });
    all.run();
  };
  EXPECT_DEATH(wait_there(), "a coroutine waits in what may not suspend");
}

/// Between two of its waits the thread comes to it by another call, from elsewhere, and is gone
/// from where it was when the nest began.
TEST(SwitchTo, F4_ANestEndsAtWhoeverRunsItThen) {
  scheduler all;
  coro_pool pool = *coro_pool::create();
  auto inner = pool.acquire();
  coro_block* waits = nullptr;
  int rounds = 0;
  const auto wait = [&] {
    waits = this_thread.current;
    park_for_resumer();
    ++rounds;
  };
  all.spawn_void([&] {
    EXPECT_TRUE(inner
                    ->start([&] {
                      for (int i = 0; i < 3; ++i) wait();
                    })
                    ->finished());
    wait();
  });
  all.run();
  const auto run_from = [&](const auto& self, int depth) -> void {
    volatile char frame[200];
    frame[0] = 0;
    if (depth != 0) {
      self(self, depth - 1);
      if (frame[0] != 0) rounds = -1;  // No call in tail position: each has a frame of its own.
      return;
    }
    all.ready.push_back(waits);
    all.run();
  };
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(rounds, round);
    run_from(run_from, 5 * (3 - round));
  }
  EXPECT_EQ(rounds, 4);
  EXPECT_EQ(all.taken_back, 1U);
}

TEST(SwitchTo, F4_NoHandleRunsOrEndsWhatIsScheduled) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_TRUE(c->start([](yielder<>& out) { out.yield(); })->suspended());
  auto ready = pool.acquire();
  std::vector<coro_block*> blocks;
  for (std::size_t i = 1; i <= 2; ++i) blocks.push_back(&block_of(*c, i));
  for (coro_block* const block : blocks) block->tag = block->tag | flag_scheduled;
  const std::string scheduled = "not the owner: the coroutine is scheduled: its scheduler ";
  EXPECT_EQ(ready->start([] {}).error().message(), "start: " + scheduled + "runs it");
  EXPECT_EQ(c->resume().error().message(), "resume: " + scheduled + "runs it");
  EXPECT_EQ(c->take().error().message(), "take: " + scheduled + "runs it");
  EXPECT_EQ(c->release().error().message(), "release: " + scheduled + "ends it");
  EXPECT_EQ(c->release(abandon).error().message(), "release: " + scheduled + "ends it");
  EXPECT_EQ(ready->release().error().message(), "release: " + scheduled + "ends it");
  EXPECT_EQ(c->state(), coro_state::suspended);
  for (coro_block* const block : blocks) block->tag = block->tag & ~flag_scheduled;
  EXPECT_TRUE(c->resume()->finished());
}

}  // namespace
}  // namespace bast::internal
