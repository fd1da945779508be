// SPDX-License-Identifier: Apache-2.0
//
// Litmus tests of waiting: futexes, locks, spins; and of a lock-free stack. Each mistake is beside
// its correct form.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "bast/os/atomics.hpp"
#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave {
namespace {

// Check and sleep must be atomic: wait() compares again.
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

TEST(Waiting, ALostWakeUpIsFound) {
  const result r = explore(quietly, sleeps_until_set<false>);
  expect_failure(r, "no thread can continue: thread 0 joins; thread 1 sleeps on atomic 2");
}
TEST(Waiting, AWaitThatComparesLosesNone) {
  expect_exhausted(explore({.bound = unbounded}, sleeps_until_set<true>));
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

TEST(Waiting, WakingOneOfTwoLeavesTheOther) {
  expect_failure(explore(quietly, two_sleepers<false>), "sleeps on");
  expect_exhausted(explore({}, two_sleepers<true>));
}

TEST(Waiting, WhichSleeperWakesIsAChoice) {
  int first[3] = {};
  const result r = explore({.bound = unbounded}, [&](world& w) {
    atomic<std::uint32_t> gate{0};
    unsigned woken = 0;
    for (int i = 0; i < 2; ++i) {
      w.spawn([&] {
        model_atomics::wait(gate, 0);
        if (woken == 0) woken = w.thread();
      });
    }
    w.spawn([&] {
      // Until nothing changes any more: then relax() returns only because no other thread can
      // continue.
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

TEST(Waiting, ADeadlockOfTwoLocksIsFound) {
  expect_failure(explore(quietly, two_locks<false>), "no thread can continue");
  expect_exhausted(explore({.bound = unbounded}, two_locks<true>));
}

// --- structures ----------------------------------------------------------------------------------

// Treiber, 1986. A count beside the pointer distinguishes a stale top from a new one.
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

TEST(Waiting, AbaOnAStackIsFound) {
  expect_failure(explore(quietly, pops_and_pushes<false>), "no node has two owners");
  expect_exhausted(explore({.bound = 3}, pops_and_pushes<true>));
}

// Peterson, 1981.
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

// With acquire and release both can enter: a thread's stores come later than its loads.
TEST(Waiting, PetersonWithoutSeqCstIsARace) {
  expect_failure(explore(quietly, peterson{relaxed, relaxed}), "a data race");
  expect_failure(explore(quietly, peterson{release, acquire}), "a data race");
}
TEST(Waiting, PetersonExcludes) {
  expect_exhausted(explore({.bound = unbounded}, peterson{seq_cst, seq_cst}));
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

TEST(Waiting, TheLockExcludesTwo) { expect_exhausted(explore({.bound = unbounded}, excludes<2>)); }
TEST(Waiting, TheLockExcludesThree) { expect_exhausted(explore({}, excludes<3>)); }

// A lock that forgets possible sleepers: the wake-up after contention is lost.
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

TEST(Waiting, AForgetfulLockLosesAThread) {
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
                 "no thread can continue");
}

}  // namespace
}  // namespace bast::interleave
