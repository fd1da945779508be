// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that switch to each other, as a scheduler's do.
#include "bast/coro/switch_to.hpp"

#include <gtest/gtest.h>

#include <cfenv>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/coro.hpp"
#include "bast/testing/kind_of.hpp"
#include "bast/testing/scheduler.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

using scheduler = minimal_scheduler;

/// The blocks of the pool that owns the first block taken.
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
  EXPECT_EQ(most, 1U) << "each found the previous stack returned";
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

/// A coroutine that is interrupted while it grows continues to grow afterwards.
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

/// Coroutines with own control words keep them and no other sees them, in every combination of
/// switches, also at an end.
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

TEST(SwitchTo, WhoIsAloneGoesOn) {
  scheduler all;
  int yields = 0;
  all.spawn_void([&] {
    for (; yields < 3; ++yields) scheduler::yield();
  });
  all.run();
  EXPECT_EQ(yields, 3);
}

TEST(SwitchTo, F4_NoHandleRunsOrEndsWhatIsScheduled) {
  coro_pool pool = *coro_pool::create();
  auto c = pool.acquire();
  ASSERT_TRUE(c->start([](yielder<>& out) { out.yield(); }).yielded());
  auto ready = pool.acquire();
  std::vector<coro_block*> blocks;
  for (std::size_t i = 1; i <= 2; ++i) blocks.push_back(&block_of(*c, i));
  for (coro_block* const block : blocks) block->tag = block->tag | flag_scheduled;
  const std::string scheduled = "not the owner: the coroutine is scheduled: its scheduler ";
  EXPECT_EQ(ready->start([] {}).error().message(), "start: " + scheduled + "runs it");
  EXPECT_EQ(c->resume().error().message(), "resume: " + scheduled + "runs it");
  EXPECT_EQ(c->returned().error().message(), "returned: " + scheduled + "runs it");
  EXPECT_EQ(c->release().error().message(), "release: " + scheduled + "ends it");
  EXPECT_EQ(c->release(abandon).error().message(), "release: " + scheduled + "ends it");
  EXPECT_EQ(ready->release().error().message(), "release: " + scheduled + "ends it");
  EXPECT_EQ(c->state(), coro_state::suspended);
  for (coro_block* const block : blocks) block->tag = block->tag & ~flag_scheduled;
  EXPECT_TRUE(c->resume().finished());
}

}  // namespace
}  // namespace bast::inline BAST_ABI::internal
