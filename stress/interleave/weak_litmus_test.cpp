// SPDX-License-Identifier: Apache-2.0
//
// Litmus tests of weak memory, each in both directions: what a weak order allows is found,
// and with the order that forbids it every schedule passes. The names are from the literature:
// Maranget, Sarkar, Sewell: A Tutorial Introduction to the ARM and POWER Relaxed Memory Models.
// All of it is about atomics alone, where no data race tells.
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave {
namespace {

using body = std::function<void(world&)>;

void is_found(const body& test) { expect_failure(explore(quietly, test), "weak"); }
void is_excluded(const body& test) { expect_exhausted(explore(every_order, test)); }

// --- message passing -----------------------------------------------------------------------------

struct orders {
  memory_order store;
  memory_order load;
};

body message_passing(orders o) {
  return [=](world& w) {
    atomic<int> data{0};
    atomic<int> flag{0};
    w.spawn([&] {
      data.store(1, relaxed);
      flag.store(1, o.store);
    });
    w.spawn([&] {
      if (flag.load(o.load) == 1) w.check(data.load(relaxed) == 1, "weak: the old data");
    });
    w.run();
  };
}

TEST(WeakLitmus, MessagePassingNeedsReleaseAndAcquire) {
  is_found(message_passing({relaxed, relaxed}));
  is_found(message_passing({release, relaxed}));
  is_found(message_passing({relaxed, acquire}));
  is_excluded(message_passing({release, acquire}));
}

// The same through a third thread: happens-before is transitive.
body write_to_read_causality(memory_order order_of_load) {
  return [=](world& w) {
    atomic<int> x{0};
    atomic<int> y{0};
    w.spawn([&] { x.store(1, relaxed); });
    w.spawn([&] {
      if (x.load(relaxed) == 1) y.store(1, release);
    });
    w.spawn([&] {
      if (y.load(order_of_load) == 1) w.check(x.load(relaxed) == 1, "weak: not seen by the third");
    });
    w.run();
  };
}

TEST(WeakLitmus, WhatWasReadIsPassedOn) {
  is_found(write_to_read_causality(relaxed));
  is_excluded(write_to_read_causality(acquire));
}

// --- store buffering -----------------------------------------------------------------------------

// Dekker's: each thread sets its flag and looks at the other's.
body store_buffering(orders o, memory_order fence) {
  return [=](world& w) {
    atomic<int> flag[2];
    int saw[2] = {};
    for (int i = 0; i < 2; ++i) {
      w.spawn([&, i] {
        flag[i].store(1, o.store);
        if (fence != relaxed) model_atomics::fence(fence);
        saw[i] = flag[1 - i].load(o.load);
      });
    }
    w.run();
    w.check(saw[0] + saw[1] != 0, "weak: neither sees the other");
  };
}

TEST(WeakLitmus, StoreBufferingNeedsSeqCst) {
  is_found(store_buffering({relaxed, relaxed}, relaxed));
  is_found(store_buffering({release, acquire}, relaxed));
  is_found(store_buffering({release, acquire}, acq_rel));
  is_found(store_buffering({seq_cst, acquire}, relaxed));
  is_found(store_buffering({release, seq_cst}, relaxed));
  is_excluded(store_buffering({seq_cst, seq_cst}, relaxed));
  is_excluded(store_buffering({relaxed, relaxed}, seq_cst));
}

// A read-modify-write in the place of the store is no fence.
TEST(WeakLitmus, AnExchangeBuffersToo) {
  const auto test = [](memory_order exchange, memory_order load) {
    return [=](world& w) {
      atomic<int> flag[2];
      int saw[2] = {};
      for (int i = 0; i < 2; ++i) {
        w.spawn([&, i] {
          flag[i].exchange(1, exchange);
          saw[i] = flag[1 - i].load(load);
        });
      }
      w.run();
      w.check(saw[0] + saw[1] != 0, "weak: neither sees the other");
    };
  };
  is_found(test(acq_rel, acquire));
  is_excluded(test(seq_cst, seq_cst));
}

// --- load buffering ------------------------------------------------------------------------------

body load_buffering(orders o) {
  return [=](world& w) {
    atomic<int> x{0};
    atomic<int> y{0};
    int saw[2] = {};
    w.spawn([&] {
      saw[0] = x.load(o.load);
      y.store(1, o.store);
    });
    w.spawn([&] {
      saw[1] = y.load(o.load);
      x.store(1, o.store);
    });
    w.run();
    w.check(saw[0] + saw[1] != 2, "weak: both read what follows");
  };
}

TEST(WeakLitmus, LoadBufferingEndsWithAcquireAndRelease) {
  is_found(load_buffering({relaxed, relaxed}));
  is_found(load_buffering({release, relaxed}));
  is_found(load_buffering({relaxed, acquire}));
  is_excluded(load_buffering({release, acquire}));
  is_excluded(load_buffering({seq_cst, seq_cst}));
}

TEST(WeakLitmus, ALoadReadsNoValueOutOfThinAir) {
  is_excluded([](world& w) {
    atomic<int> x{0};
    atomic<int> y{0};
    w.spawn([&] { y.store(x.load(relaxed), relaxed); });
    w.spawn([&] { x.store(y.load(relaxed), relaxed); });
    w.run();
    w.check(x.load(relaxed) == 0, "weak: from nowhere");
  });
  is_excluded([](world& w) {
    atomic<int> x{0};
    atomic<int> y{0};
    w.spawn([&] {
      if (x.load(relaxed) == 1) y.store(1, relaxed);
    });
    w.spawn([&] {
      if (y.load(relaxed) == 1) x.store(1, relaxed);
    });
    w.run();
    w.check(x.load(relaxed) == 0, "weak: from nowhere");
  });
}

// --- coherence -----------------------------------------------------------------------------------

TEST(WeakLitmus, AThreadNeverGoesBackInOneObject) {
  is_excluded([](world& w) {
    atomic<int> x{0};
    w.spawn([&] {
      x.store(1, relaxed);
      x.store(2, relaxed);
    });
    w.spawn([&] {
      const int first = x.load(relaxed);
      w.check(x.load(relaxed) >= first, "weak: back in time");
      w.check(x.fetch_add(0, relaxed) >= first, "weak: back in time");
    });
    w.run();
  });
}

TEST(WeakLitmus, TwoThreadsSeeTheStoresToOneObjectInOneOrder) {
  is_excluded([](world& w) {
    atomic<int> x{0};
    int saw[2][2] = {};
    for (const int value : {1, 2}) w.spawn([&, value] { x.store(value, relaxed); });
    for (auto& two : saw) {
      w.spawn([&] {
        for (int& one : two) one = x.load(relaxed);
      });
    }
    w.run();
    const auto is = [](const int* two, int a, int b) { return two[0] == a && two[1] == b; };
    w.check(!is(saw[0], 1, 2) || !is(saw[1], 2, 1), "weak: two orders of one object's stores");
  });
}

// Each of two stores may be the last of its object.
body two_and_two_writes(memory_order order) {
  return [=](world& w) {
    atomic<int> x{0};
    atomic<int> y{0};
    w.spawn([&] {
      x.store(1, order);
      y.store(2, order);
    });
    w.spawn([&] {
      y.store(1, order);
      x.store(2, order);
    });
    w.run();
    w.check(x.load() != 1 || y.load() != 1, "weak: both first stores are last");
  };
}

TEST(WeakLitmus, AStoreMayComeBeforeAnEarlierOne) {
  is_found(two_and_two_writes(relaxed));
  is_found(two_and_two_writes(release));
  is_excluded(two_and_two_writes(seq_cst));
}

TEST(WeakLitmus, NothingComesBetweenAReadModifyWriteAndWhatItRead) {
  is_excluded([](world& w) {
    atomic<int> x{0};
    w.spawn([&] { x.fetch_add(1, relaxed); });
    w.spawn([&] { x.fetch_add(1, relaxed); });
    w.spawn([&] {
      int ten = x.load(relaxed);
      (void)x.compare_exchange_strong(ten, ten + 10, relaxed);
    });
    w.run();
    const int last = x.load(relaxed);
    w.check(last == 2 || last == 12, "weak: a lost addition");
  });
}

// Independent reads of independent writes.
body independent_reads(orders o, bool fenced) {
  return [=](world& w) {
    atomic<int> word[2];
    int saw[2][2] = {};
    for (int i = 0; i < 2; ++i) w.spawn([&, i] { word[i].store(1, o.store); });
    for (int i = 0; i < 2; ++i) {
      w.spawn([&, i] {
        saw[i][0] = word[i].load(o.load);
        if (fenced) model_atomics::fence(seq_cst);
        saw[i][1] = word[1 - i].load(o.load);
      });
    }
    w.run();
    const auto first_alone = [&](int i) { return saw[i][0] == 1 && saw[i][1] == 0; };
    w.check(!first_alone(0) || !first_alone(1), "weak: two orders of the same stores");
  };
}

TEST(WeakLitmus, OnlySeqCstHasOneOrderOfIndependentStores) {
  is_found(independent_reads({release, acquire}, false));
  expect_exhausted(explore(bound_3, independent_reads({seq_cst, seq_cst}, false)));
  expect_exhausted(explore(bound_3, independent_reads({relaxed, relaxed}, true)));
}

// --- what fails without a reason -----------------------------------------------------------------

TEST(WeakLitmus, AWeakExchangeMayFailSpuriously) {
  const auto test = [](bool weak) {
    return [=](world& w) {
      atomic<int> x{0};
      int zero = 0;
      const bool changed = weak ? x.compare_exchange_weak(zero, 1, relaxed, relaxed)
                                : x.compare_exchange_strong(zero, 1, relaxed, relaxed);
      w.check(zero == 0, "it reports what it read");
      w.check(changed, "weak: it failed, and nothing was different");
    };
  };
  is_found(test(true));
  is_excluded(test(false));
}

TEST(WeakLitmus, AWaitMayReturnSpuriously) {
  const auto test = [](bool loops) {
    return [=](world& w) {
      atomic<std::uint32_t> flag{0};
      w.spawn([&] {
        do model_atomics::wait(flag, 0);
        while (loops && flag.load(relaxed) == 0);
        w.check(flag.load(relaxed) == 1, "weak: it woke, and nothing was set");
      });
      w.spawn([&] {
        flag.store(1, relaxed);
        model_atomics::wake_all(&flag);
      });
      w.run();
    };
  };
  is_found(test(false));
  is_excluded(test(true));
}

// --- the search ----------------------------------------------------------------------------------

TEST(WeakLitmus, ADepartureCountsAgainstTheBound) {
  const result none = explore({.bound = 0}, store_buffering({relaxed, relaxed}, relaxed));
  expect_exhausted(none);
  expect_failure(explore({.bound = 1, .quiet = true}, store_buffering({relaxed, relaxed}, relaxed)),
                 "weak");
}

TEST(WeakLitmus, AReplayRepeatsAWeakFailure) {
  for (const body& test : {store_buffering({relaxed, relaxed}, relaxed),
                           load_buffering({relaxed, relaxed}), two_and_two_writes(relaxed)}) {
    const result first = explore(quietly, test);
    ASSERT_NE(first.choices, "");
    const result again = explore({.replay = first.choices, .quiet = true}, test);
    EXPECT_EQ(again.schedules, 1U);
    EXPECT_EQ(again.failure, first.failure);
    EXPECT_EQ(again.trace, first.trace);
    EXPECT_EQ(again.choices, first.choices);
  }
}

TEST(WeakLitmus, RandomStrategiesDepart) {
  for (const strategy by : {strategy::pct, strategy::random_walk}) {
    for (const body& test : {store_buffering({release, acquire}, relaxed),
                             message_passing({relaxed, relaxed}), two_and_two_writes(relaxed)}) {
      expect_failure(explore({.strategy = by, .quiet = true}, test), "weak");
    }
  }
}

TEST(WeakLitmus, ATraceTellsWhatDeparts) {
  const auto has = [](const body& test, const char* text) {
    const result r = explore(quietly, test);
    EXPECT_NE(r.trace.find(text), std::string::npos) << text << "\n" << r.trace;
  };
  has(message_passing({relaxed, relaxed}), "load relaxed 0 (not the latest)");
  has(two_and_two_writes(relaxed), "store relaxed 0 -> 2 (before a later one)");
  has(load_buffering({relaxed, relaxed}), "load relaxed 1 (stored later)");
}

}  // namespace
}  // namespace bast::interleave
