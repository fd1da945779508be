// SPDX-License-Identifier: Apache-2.0
//
// The checker's own litmus tests: classic mistakes, each of which it must find, beside their
// correct forms, which it must exhaust without a complaint.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "bast/os/atomics.hpp"
#include "interleave/explore.hpp"
#include "interleave/model_atomics.hpp"

namespace bast::interleave {
namespace {

using std::memory_order;
using enum std::memory_order;

template <class T>
using atomic = model_atomics::atomic<T>;
template <class T>
using plain = model_atomics::plain<T>;

const options quietly = {.quiet = true};

void expect_exhausted(const result& r) {
  EXPECT_EQ(r.failure, "");
  EXPECT_TRUE(r.exhausted);
  EXPECT_GT(r.schedules, 1U);
}

void expect_failure(const result& r, const char* words) {
  EXPECT_NE(r.failure.find(words), std::string::npos) << r.failure << "\n" << r.trace;
  EXPECT_NE(r.choices, "");
  EXPECT_NE(r.trace, "");
  EXPECT_FALSE(r.exhausted);
}

// --- values --------------------------------------------------------------------------------------

void lost_update(world& w) {
  atomic<int> count{0};
  for (int i = 0; i < 2; ++i) w.spawn([&] { count.store(count.load() + 1); });
  w.run();
  w.check(count.load() == 2, "both are counted");
}

void kept_update(world& w) {
  atomic<int> count{0};
  for (int i = 0; i < 3; ++i) w.spawn([&] { count.fetch_add(1, relaxed); });
  w.run();
  w.check(count == 3, "all are counted");
}

TEST(Litmus, ALostUpdateIsFound) {
  expect_failure(explore(quietly, lost_update), "both are counted");
}
TEST(Litmus, AFetchAddLosesNothing) { expect_exhausted(explore({}, kept_update)); }

TEST(Litmus, PctFindsALostUpdate) {
  expect_failure(explore({.strategy = strategy::pct, .quiet = true}, lost_update), "both");
}
TEST(Litmus, ARandomWalkFindsALostUpdate) {
  expect_failure(explore({.strategy = strategy::random_walk, .quiet = true}, lost_update), "both");
}

// --- publication ---------------------------------------------------------------------------------

struct publication {
  memory_order store;
  memory_order load;
  void operator()(world& w) const {
    struct letter {
      plain<int> text = 0;
    } written;
    atomic<letter*> posted{nullptr};
    w.spawn([&] {
      written.text = 7;
      posted.store(&written, store);
    });
    w.spawn([&] {
      if (letter* const found = posted.load(load)) w.check(found->text == 7, "it is written");
    });
    w.run();
  }
};

TEST(Litmus, APublicationWithoutReleaseIsARace) {
  expect_failure(explore(quietly, publication{relaxed, acquire}), "a data race on plain");
}
TEST(Litmus, APublicationWithoutAcquireIsARace) {
  expect_failure(explore(quietly, publication{release, relaxed}), "a data race on plain");
}
TEST(Litmus, APublicationWithBothIsNone) {
  expect_exhausted(explore({}, publication{release, acquire}));
  expect_exhausted(explore({}, publication{seq_cst, seq_cst}));
}

TEST(Litmus, AReleaseOrdersNothingThatFollowsIt) {
  expect_failure(explore(quietly,
                         [](world& w) {
                           plain<int> text = 0;
                           atomic<bool> posted{false};
                           w.spawn([&] {
                             posted.store(true, release);
                             text = 7;
                           });
                           w.spawn([&] {
                             if (posted.load(acquire)) (void)static_cast<int>(text);
                           });
                           w.run();
                         }),
                 "a data race");
}

// A release sequence: what a read-modify-write leaves still carries what the store released.
template <bool Rmw>
void passed_on(world& w) {
  plain<int> text = 0;
  atomic<int> stage{0};
  w.spawn([&] {
    text = 7;
    stage.store(1, release);
  });
  w.spawn([&] {
    if constexpr (Rmw) {
      int one = 1;
      stage.compare_exchange_strong(one, 2, relaxed);
    } else if (stage.load(relaxed) == 1) {
      stage.store(2, relaxed);
    }
  });
  w.spawn([&] {
    if (stage.load(acquire) == 2) w.check(text == 7, "it is written");
  });
  w.run();
}

TEST(Litmus, ARelaxedExchangeContinuesAReleaseSequence) {
  expect_exhausted(explore({}, passed_on<true>));
}
TEST(Litmus, ARelaxedStoreEndsIt) {
  expect_failure(explore(quietly, passed_on<false>), "a data race");
}

template <bool Fenced>
void published_by_fences(world& w) {
  plain<int> text = 0;
  atomic<bool> posted{false};
  w.spawn([&] {
    text = 7;
    if (Fenced) model_atomics::fence(release);
    posted.store(true, relaxed);
  });
  w.spawn([&] {
    if (!posted.load(relaxed)) return;
    model_atomics::fence(acquire);
    w.check(text == 7, "it is written");
  });
  w.run();
}

TEST(Litmus, FencesOrderRelaxedAccesses) {
  expect_exhausted(explore({}, published_by_fences<true>));
  expect_failure(explore(quietly, published_by_fences<false>), "a data race");
}

// Double-checked initialisation: the first look is outside the lock.
struct double_checked {
  memory_order look;
  memory_order set;
  void operator()(world& w) const {
    os::basic_lock<model_atomics> lock;
    atomic<bool> made{false};
    plain<int> value = 0;
    for (int i = 0; i < 2; ++i) {
      w.spawn([&] {
        if (!made.load(look)) {
          lock.lock();
          if (!made.load(relaxed)) {
            value = 7;
            made.store(true, set);
          }
          lock.unlock();
        }
        w.check(value == 7, "it is made");
      });
    }
    w.run();
  }
};

TEST(Litmus, ABrokenDoubleCheckIsARace) {
  expect_failure(explore(quietly, double_checked{relaxed, release}), "a data race");
  expect_failure(explore(quietly, double_checked{acquire, relaxed}), "a data race");
}
TEST(Litmus, ADoubleCheckWithItsOrdersIsNone) {
  expect_exhausted(explore({}, double_checked{acquire, release}));
}

// --- sleeping ------------------------------------------------------------------------------------

// The look and the sleep must be one: wait() compares again.
template <bool Compares>
void sleeps_until_set(world& w) {
  atomic<std::uint32_t> flag{0};
  atomic<std::uint32_t> bell{0};
  w.spawn([&] {
    while (flag.load(acquire) == 0) model_atomics::wait(Compares ? flag : bell, 0);
  });
  w.spawn([&] {
    flag.store(1, release);
    model_atomics::wake_all(Compares ? &flag : &bell);
  });
  w.run();
}

TEST(Litmus, ALostWakeUpIsFound) {
  const result r = explore(quietly, sleeps_until_set<false>);
  expect_failure(r, "nobody can go on: thread 0 joins; thread 1 sleeps on atomic 2");
}
TEST(Litmus, AWaitThatComparesLosesNone) {
  expect_exhausted(explore({.preemption_bound = unbounded}, sleeps_until_set<true>));
}

template <bool Everybody>
void two_sleepers(world& w) {
  atomic<std::uint32_t> open{0};
  for (int i = 0; i < 2; ++i) {
    w.spawn([&] {
      while (open.load(acquire) == 0) model_atomics::wait(open, 0);
    });
  }
  w.spawn([&] {
    open.store(1, release);
    Everybody ? model_atomics::wake_all(&open) : model_atomics::wake_one(&open);
  });
  w.run();
}

TEST(Litmus, WakingOneOfTwoLeavesTheOther) {
  expect_failure(explore(quietly, two_sleepers<false>), "sleeps on");
  expect_exhausted(explore({}, two_sleepers<true>));
}

TEST(Litmus, WhichSleeperWakesIsAChoice) {
  int first[3] = {};
  const result r = explore({.preemption_bound = unbounded}, [&](world& w) {
    atomic<std::uint32_t> gate{0};
    unsigned woken = 0;
    for (int i = 0; i < 2; ++i) {
      w.spawn([&] {
        model_atomics::wait(gate, 0);
        if (woken == 0) woken = w.thread();
      });
    }
    w.spawn([&] {
      // Until nothing changes any more: then relax() returns only because nobody else can go on.
      const auto settle = [] {
        for (int i = 0; i < 3; ++i) model_atomics::relax();
      };
      settle();
      model_atomics::wake_one(&gate);
      settle();
      model_atomics::wake_all(&gate);
    });
    w.run();
    ++first[woken];
  });
  expect_exhausted(r);
  EXPECT_GT(first[1], 0);
  EXPECT_GT(first[2], 0);
}

template <bool Ordered>
void two_locks(world& w) {
  os::basic_lock<model_atomics> a;
  os::basic_lock<model_atomics> b;
  const auto take = [](auto& first, auto& second) {
    first.lock();
    second.lock();
    second.unlock();
    first.unlock();
  };
  w.spawn([&] { take(a, b); });
  w.spawn([&] { Ordered ? take(a, b) : take(b, a); });
  w.run();
}

TEST(Litmus, ADeadlockOfTwoLocksIsFound) {
  expect_failure(explore(quietly, two_locks<false>), "nobody can go on");
  expect_exhausted(explore({.preemption_bound = unbounded}, two_locks<true>));
}

// --- structures ----------------------------------------------------------------------------------

// Treiber, 1986. With a count beside the pointer a stale top is told from a new one.
template <bool Counted>
class stack {
 public:
  struct node {
    atomic<std::uint32_t> next{0};
  };
  void push(std::uint32_t n) {
    std::uint32_t top = top_.load(relaxed);
    do {
      nodes[n].next.store(top & 0xff, relaxed);
    } while (!top_.compare_exchange_weak(top, counted(top, n), acq_rel, relaxed));
  }
  std::uint32_t pop() {
    std::uint32_t top = top_.load(acquire);
    std::uint32_t next = 0;
    do {
      if ((top & 0xff) == 0) return 0;
      next = nodes[top & 0xff].next.load(relaxed);
    } while (!top_.compare_exchange_weak(top, counted(top, next), acq_rel, acquire));
    return top & 0xff;
  }
  node nodes[3];

 private:
  static std::uint32_t counted(std::uint32_t was, std::uint32_t n) {
    return Counted ? ((was & ~0xffU) + 0x100) | n : n;
  }
  atomic<std::uint32_t> top_{0};
};

template <bool Counted>
void pops_and_pushes(world& w) {
  stack<Counted> s;
  s.push(2);
  s.push(1);
  std::uint32_t taken[3] = {};
  w.spawn([&] { taken[0] = s.pop(); });
  w.spawn([&] {
    const std::uint32_t first = s.pop();
    taken[1] = s.pop();
    if (first != 0) s.push(first);
  });
  w.run();
  taken[2] = s.pop();
  for (const std::uint32_t a : {0U, 1U, 2U}) {
    for (const std::uint32_t b : {0U, 1U, 2U}) {
      w.check(a == b || taken[a] == 0 || taken[a] != taken[b], "no node has two owners");
    }
  }
}

TEST(Litmus, AbaOnAStackIsFound) {
  expect_failure(explore(quietly, pops_and_pushes<false>), "no node has two owners");
  expect_exhausted(explore({.preemption_bound = 3}, pops_and_pushes<true>));
}

// Peterson, 1981. Its orders are out of scope, because loads here see the latest store: with
// relaxed ones it still excludes. That the section is not ordered by them is found all the same.
struct peterson {
  memory_order set;
  memory_order look;
  void operator()(world& w) const {
    atomic<bool> wants[2];
    atomic<int> turn{0};
    plain<int> inside = 0;
    for (int i = 0; i < 2; ++i) {
      w.spawn([&, i] {
        wants[i].store(true, set);
        turn.store(1 - i, set);
        while (wants[1 - i].load(look) && turn.load(look) == 1 - i) model_atomics::relax();
        ++inside;
        wants[i].store(false, set);
      });
    }
    w.run();
    w.check(inside == 2, "both were inside");
  }
};

TEST(Litmus, PetersonWithRelaxedOrdersIsARace) {
  expect_failure(explore(quietly, peterson{relaxed, relaxed}), "a data race");
}
TEST(Litmus, PetersonExcludes) {
  expect_exhausted(explore({.preemption_bound = unbounded}, peterson{seq_cst, seq_cst}));
}

// --- the lock of bast ----------------------------------------------------------------------------

template <int Threads>
void excludes(world& w) {
  os::basic_lock<model_atomics> lock;
  plain<int> inside = 0;
  for (int i = 0; i < Threads; ++i) {
    w.spawn([&] {
      lock.lock();
      ++inside;
      lock.unlock();
    });
  }
  w.run();
  w.check(inside == Threads, "each was inside");
}

TEST(Litmus, TheLockExcludesTwo) {
  expect_exhausted(explore({.preemption_bound = unbounded}, excludes<2>));
}
TEST(Litmus, TheLockExcludesThree) { expect_exhausted(explore({}, excludes<3>)); }

// A lock that forgets that somebody may sleep: the wake-up after contention is lost.
class forgetful_lock {
 public:
  void lock() {
    std::uint32_t found = 0;
    while (!state_.compare_exchange_strong(found, 1, acquire, relaxed)) {
      state_.compare_exchange_strong(found, 2, relaxed);
      model_atomics::wait(state_, 2);
      found = 0;
    }
  }
  void unlock() {
    if (state_.exchange(0, release) == 2) model_atomics::wake_one(&state_);
  }

 private:
  atomic<std::uint32_t> state_{0};
};

TEST(Litmus, AForgetfulLockLosesAThread) {
  expect_failure(explore(quietly,
                         [](world& w) {
                           forgetful_lock lock;
                           for (int i = 0; i < 3; ++i) {
                             w.spawn([&] {
                               lock.lock();
                               lock.unlock();
                             });
                           }
                           w.run();
                         }),
                 "nobody can go on");
}

}  // namespace
}  // namespace bast::interleave
