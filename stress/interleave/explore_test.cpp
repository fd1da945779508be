// SPDX-License-Identifier: Apache-2.0
//
// The explorer: its schedules, replay, and waiting.
#include "interleave/explore.hpp"

#include <gtest/gtest.h>

#include <string>

#include "bast/testing/joined_thread.hpp"
#include "interleave/expect.hpp"
#include "interleave/model_atomics.hpp"

namespace bast::interleave {
namespace {

template <class T>
using atomic = model_atomics::atomic<T>;
template <class T>
using plain = model_atomics::plain<T>;

/// `Threads` that access one atomic `Accesses` times each.
template <int Threads, int Accesses>
void counters(world& w) {
  atomic<int> count{0};
  for (int t = 0; t < Threads; ++t) {
    w.spawn([&] {
      for (int i = 0; i < Accesses; ++i) ++count;
    });
  }
  w.run();
  w.check(count == Threads * Accesses, "all are counted");
}

// Fails only where two threads take turns six times.
void needs_three(world& w) {
  atomic<int> at{0};
  w.spawn([&] {
    for (int i = 0; i < 3; ++i) {
      int even = 2 * i;
      at.compare_exchange_strong(even, 2 * i + 1);
    }
  });
  w.spawn([&] {
    for (int i = 0; i < 3; ++i) {
      int odd = 2 * i + 1;
      at.compare_exchange_strong(odd, 2 * i + 2);
    }
    w.check(at.load() != 6, "they never take turns to the end");
  });
  w.run();
}

// --- which schedules -----------------------------------------------------------------------------

TEST(Explore, RunsEachInterleavingOnce) {
  const options all = {.bound = unbounded};
  EXPECT_EQ((explore(all, counters<1, 5>).schedules), 1U);
  EXPECT_EQ((explore(all, counters<2, 1>).schedules), 2U);
  EXPECT_EQ((explore(all, counters<2, 3>).schedules), 20U);      // 6! / 3! 3!
  EXPECT_EQ((explore(all, counters<2, 6>).schedules), 924U);     // 12! / 6! 6!
  EXPECT_EQ((explore(all, counters<3, 3>).schedules), 1680U);    // 9! / 3! 3! 3!
  EXPECT_EQ((explore(all, counters<4, 2>).schedules), 2520U);    // 8! / 2! 2! 2! 2!
  EXPECT_EQ((explore(all, counters<8, 1>).schedules), 40'320U);  // 8!
}

TEST(Explore, StaysWithinThePreemptionBound) {
  EXPECT_EQ((explore({.bound = 0}, counters<3, 4>).schedules), 6U);  // 3!
  // Which thread comes first, and after which of its accesses except the last it is interrupted.
  EXPECT_EQ((explore({.bound = 1}, counters<2, 4>).schedules), 2U * (1 + 3));
  EXPECT_EQ(explore({.bound = 2}, needs_three).failure, "");
  expect_failure(explore({.bound = unbounded, .quiet = true}, needs_three), "take turns");
}

TEST(Explore, ABudgetEndsItUnexhausted) {
  const result few = explore({.schedules = 7}, counters<3, 3>);
  EXPECT_EQ(few.schedules, 7U);
  EXPECT_FALSE(few.exhausted);
  EXPECT_EQ(few.failure, "");
  const result brief = explore({.bound = unbounded, .seconds = 0}, counters<3, 3>);
  EXPECT_LT(brief.schedules, 1680U);
  EXPECT_FALSE(brief.exhausted);
}

TEST(Explore, RandomStrategiesUseTheWholeBudgetAndFindWhatIsDeep) {
  for (const strategy s : {strategy::pct, strategy::random_walk}) {
    EXPECT_EQ((explore({.strategy = s, .schedules = 500}, counters<3, 3>).schedules), 500U);
    const result r = explore({.strategy = s, .depth = 6, .quiet = true}, needs_three);
    expect_failure(r, "take turns");
  }
}

TEST(Explore, ASeedRepeatsTheRun) {
  for (const strategy s : {strategy::pct, strategy::random_walk}) {
    const options chosen = {.strategy = s, .depth = 6, .seed = 42, .quiet = true};
    const result once = explore(chosen, needs_three);
    const result again = explore(chosen, needs_three);
    EXPECT_EQ(once.schedules, again.schedules);
    EXPECT_EQ(once.choices, again.choices);
  }
}

// --- replay --------------------------------------------------------------------------------------

TEST(Explore, AReplayFailsTheSameUnderAnyStrategy) {
  for (const strategy found_by : {strategy::exhaustive, strategy::pct, strategy::random_walk}) {
    options chosen = {.strategy = found_by, .bound = unbounded, .depth = 6, .quiet = true};
    const result found = explore(chosen, needs_three);
    ASSERT_NE(found.failure, "");
    for (const strategy by : {strategy::exhaustive, strategy::pct, strategy::random_walk}) {
      const result again = explore(
          {.strategy = by, .bound = 0, .replay = found.choices, .quiet = true}, needs_three);
      EXPECT_EQ(again.schedules, 1U);
      EXPECT_EQ(again.failure, found.failure);
      EXPECT_EQ(again.choices, found.choices);
      EXPECT_EQ(again.trace, found.trace);
    }
  }
}

TEST(Explore, AReplayThatPassesIsNoExhaustiveSearch) {
  const result r = explore({.replay = "0"}, needs_three);
  EXPECT_EQ(r.failure, "");
  EXPECT_EQ(r.schedules, 1U);
  EXPECT_FALSE(r.exhausted);
}

TEST(Explore, AReplayOfAnotherTestIsRefused) {
  expect_failure(explore({.replay = "7", .quiet = true}, needs_three), "belong to another one");
  expect_failure(explore({.replay = "1.1.1.1.1.1.1.1", .quiet = true}, counters<2, 1>),
                 "were given");
  for (const char* const no_choices : {"x", "1..0", "1.", ".", "1,0", "300", "-1"}) {
    const options chosen = {.replay = no_choices, .quiet = true};
    expect_failure(explore(chosen, counters<2, 1>), "not numbers with dots");
  }
}

TEST(Explore, ATestThatIsNotDeterministicIsNoticed) {
  int schedules = 0;
  const result r = explore(quietly, [&](world& w) {
    ++schedules;
    atomic<int> count{0};
    w.spawn([&] { ++count; });
    w.spawn([&] { ++count; });
    if (schedules == 2) w.spawn([&] { ++count; });
    w.run();
  });
  expect_failure(r, "not deterministic");
  EXPECT_EQ(r.schedules, 2U);
}

// --- waiting -------------------------------------------------------------------------------------

TEST(Explore, ALoopThatNeverEndsIsALivelock) {
  const auto spins = [](world& w) {
    atomic<bool> never{false};
    w.spawn([&] {
      while (!never.load()) {
      }
    });
    w.run();
  };
  expect_failure(explore({.steps = 100, .quiet = true}, spins), "a livelock");
}

TEST(Explore, ASpinThatRelaxesEnds) {
  const auto spins = [](world& w) {
    atomic<int> stage{0};
    for (int i = 0; i < 3; ++i) {
      w.spawn([&, i] {
        while (stage.load() != i) model_atomics::relax();
        stage.store(i + 1);
      });
    }
    w.run();
    w.check(stage == 3, "each had its turn");
  };
  const result r = explore({}, spins);
  EXPECT_EQ(r.failure, "");
  EXPECT_TRUE(r.exhausted);
}

TEST(Explore, SpinsThatWaitForEachOtherAreReported) {
  const auto spins = [](world& w) {
    atomic<bool> never{false};
    for (int i = 0; i < 2; ++i) {
      w.spawn([&] {
        while (!never.load()) model_atomics::relax();
      });
    }
    w.run();
  };
  expect_failure(explore(quietly, spins), "thread 1 spins at");
}

// Spins a while and then acts itself; only the second spin has no thread to wait for.
TEST(Explore, ABoundedSpinGetsToItsEnd) {
  const auto spins = [](world& w) {
    atomic<int> done{0};
    w.spawn([&] {
      for (int i = 0; i < 5 && done.load() == 0; ++i) model_atomics::relax();
      done.fetch_add(1);
    });
    w.run();
    w.check(done == 1, "it went on");
  };
  EXPECT_EQ(explore({}, spins).failure, "");
}

// A woken thread may come before the next action of the other.
TEST(Explore, AThreadThatWakesAnotherCanBeOvertaken) {
  int overtaken[2] = {};
  const result r = explore({}, [&](world& w) {
    atomic<std::uint32_t> gate{0};
    atomic<bool> passed{false};
    bool saw = false;
    w.spawn([&] {
      model_atomics::wait(gate, 0);
      passed.store(true);
    });
    w.spawn([&] {
      for (int i = 0; i < 3; ++i) model_atomics::relax();  // Until the other one sleeps.
      model_atomics::wake_all(&gate);
      saw = passed.load();
    });
    w.run();
    ++overtaken[saw ? 1 : 0];
  });
  EXPECT_EQ(r.failure, "");
  EXPECT_GT(overtaken[0], 0);
  EXPECT_GT(overtaken[1], 0);
}

// --- threads -------------------------------------------------------------------------------------

TEST(Explore, ThreadsRunInRounds) {
  const auto rounds = [](world& w) {
    plain<int> sum = 0;
    w.spawn([&] { sum += 1; });
    w.run();
    sum += 10;
    w.spawn([&] { sum += 100; });
    w.run();
    w.check(sum == 111, "each round happens before the next");
  };
  const result r = explore({}, rounds);
  EXPECT_EQ(r.failure, "");
  EXPECT_EQ(r.schedules, 1U);
}

TEST(Explore, SeveralOsThreadsExploreAtOnce) {
  result found[2];
  {
    test::joined_thread a([&] { found[0] = explore({}, counters<3, 3>); });
    test::joined_thread b([&] { found[1] = explore({}, counters<3, 3>); });
  }
  EXPECT_TRUE(found[0].exhausted);
  EXPECT_EQ(found[0].schedules, found[1].schedules);
}

}  // namespace
}  // namespace bast::interleave
