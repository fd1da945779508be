// SPDX-License-Identifier: Apache-2.0
//
// Layer lockfree in every order: nothing is lost, nothing comes twice, orders suffice, and short
// histories are linearisable.
#include "bast/lockfree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/linear.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave {
namespace {

using std::optional;

// --- spsc_ring -----------------------------------------------------------------------------------

using spsc = basic_spsc_ring<int, 2, model_atomics>;

void passes_three(world& w) {
  spsc ring;
  int accepted = 0;
  std::vector<int> got;
  w.spawn([&] {
    for (int i = 0; i < 3; ++i) accepted += ring.push(int{accepted}) ? 1 : 0;
  });
  w.spawn([&] {
    for (int i = 0; i < 3; ++i) {
      if (const auto value = ring.pop()) got.push_back(*value);
      w.check(ring.size() <= 2, "a hint is a size");
    }
  });
  w.run();
  while (const auto value = ring.pop()) got.push_back(*value);
  w.check(static_cast<int>(got.size()) == accepted, "all that was accepted arrives");
  for (int i = 0; i < accepted; ++i) {
    w.check(got[static_cast<std::size_t>(i)] == i, "in the order of the pushes");
  }
}

TEST(LockfreeOrders, AnSpscRingPassesEachValueOnceInOrder) { expect_all_orders(passes_three); }

// Wait-free: whatever the other side does, a call has a bounded number of steps.
TEST(LockfreeOrders, ACallOfAnSpscRingIsThreeAccessesAtMost) {
  std::uint64_t most = 0;
  expect_all_orders([&](world& w) {
    spsc ring;
    const auto count = [&](auto call) {
      const std::uint64_t before = w.accesses();
      call();
      most = std::max(most, w.accesses() - before);
    };
    w.spawn([&] {
      for (int i = 0; i < 3; ++i) count([&] { (void)ring.push(int{i}); });
    });
    w.spawn([&] {
      for (int i = 0; i < 3; ++i) count([&] { (void)ring.pop(); });
    });
    w.run();
  });
  EXPECT_EQ(most, 3U);
}

// So are a pop of the owner's from a deque, and a push that does not grow.
TEST(LockfreeOrders, ThievesDoNotDelayTheOwnerOfADeque) {
  std::uint64_t most = 0;
  expect_all_orders([&](world& w) {
    basic_work_deque<int, 4, model_atomics> d;
    w.check(d.push(0), "there is memory");
    w.spawn([&] {
      for (int i = 1; i < 3; ++i) {
        const std::uint64_t before = w.accesses();
        w.check(d.push(i), "there is room");
        const std::uint64_t between = w.accesses();
        (void)d.pop();
        most = std::max({most, between - before, w.accesses() - between});
      }
    });
    for (int t = 0; t < 2; ++t) w.spawn([&] { (void)d.steal(); });
    w.run();
  });
  EXPECT_EQ(most,
            7U);  // A pop of the last value: two loads, the exchange, a load, the cell, two more.
}

// --- mpsc_ring and mpmc_ring ---------------------------------------------------------------------

template <class Ring>
void two_push_one_pops(world& w) {
  Ring ring;
  std::array<int, 2> accepted = {};
  std::vector<int> got;
  for (int p = 0; p < 2; ++p) {
    w.spawn([&, p] {
      int& mine = accepted[static_cast<std::size_t>(p)];
      for (int i = 0; i < 2; ++i) mine += ring.push(10 * p + mine) ? 1 : 0;
    });
  }
  w.spawn([&] {
    for (int i = 0; i < 2; ++i) {
      if (const auto value = ring.pop()) got.push_back(*value);
    }
  });
  w.run();
  while (const auto value = ring.pop()) got.push_back(*value);
  std::array<int, 2> next = {};
  for (const int value : got) {
    int& expected = next[static_cast<std::size_t>(value / 10)];
    w.check(value % 10 == expected++, "each pusher's values in their order");
  }
  w.check(next == accepted, "all that was accepted arrives");
}

TEST(LockfreeOrders, AnMpscRingPassesEachValueOnceInEachPushersOrder) {
  expect_all_orders(two_push_one_pops<basic_mpsc_ring<int, 2, model_atomics>>);
}
TEST(LockfreeOrders, AnMpmcRingPassesEachValueOnceInEachPushersOrder) {
  expect_all_orders(two_push_one_pops<basic_mpmc_ring<int, 2, model_atomics>>);
}

void one_pushes_two_pop(world& w) {
  basic_mpmc_ring<int, 2, model_atomics> ring;
  int accepted = 0;
  std::array<std::vector<int>, 2> got;
  w.spawn([&] {
    for (int i = 0; i < 3; ++i) accepted += ring.push(int{accepted}) ? 1 : 0;
  });
  for (auto& mine : got) {
    w.spawn([&] {
      for (int i = 0; i < 2; ++i) {
        if (const auto value = ring.pop()) mine.push_back(*value);
      }
    });
  }
  w.run();
  std::vector<int> all;
  for (const auto& mine : got) {
    w.check(std::ranges::is_sorted(mine), "each popper's values in their order");
    all.insert(all.end(), mine.begin(), mine.end());
  }
  while (const auto value = ring.pop()) all.push_back(*value);
  std::ranges::sort(all);
  std::vector<int> expected;
  for (int i = 0; i < accepted; ++i) expected.push_back(i);
  w.check(all == expected, "each value that was accepted arrives once");
}

TEST(LockfreeOrders, TwoPopFromAnMpmcRing) { expect_all_orders(one_pushes_two_pop); }

// --- work_deque ----------------------------------------------------------------------------------

using deque = basic_work_deque<int, 2, model_atomics>;

/// The owner runs `script`, 'p'ush, 'b'atch of three or 't'ake; each thief steals so many times.
template <class Deque = deque>
void shares(world& w, const std::string& script, int thieves, int steals) {
  Deque d;
  int pushed = 0;
  std::vector<int> got;
  w.spawn([&] {
    for (const char c : script) {
      if (c == 'p') {
        w.check(d.push(pushed++), "there is memory");
      } else if (c == 'b') {
        w.check(d.push_all(3, [&] { return pushed++; }), "there is memory");
      } else if (const auto value = d.pop()) {
        got.push_back(*value);
      }
    }
  });
  for (int t = 0; t < thieves; ++t) {
    w.spawn([&] {
      int before = -1;
      for (int i = 0; i < steals; ++i) {
        if (const auto value = d.steal()) {
          w.check(*value > before, "a thief gets older values first");
          before = *value;
          got.push_back(*value);
        }
      }
    });
  }
  w.run();
  while (const auto value = d.pop()) got.push_back(*value);
  w.check(d.reclaim(), "no thief is counted any more");
  std::ranges::sort(got);
  std::vector<int> all;
  for (int i = 0; i < pushed; ++i) all.push_back(i);
  w.check(got == all, "each value is taken once");
}

TEST(LockfreeOrders, ADequeGivesItsLastValueOnce) {
  expect_all_orders([](world& w) { shares(w, "pt", 1, 1); });
  expect_all_orders([](world& w) { shares(w, "ptpt", 1, 2); });
  expect_all_orders([](world& w) { shares(w, "pptt", 2, 1); });
}
TEST(LockfreeOrders, ADequeGrowsUnderItsThieves) {
  expect_all_orders([](world& w) { shares(w, "pppt", 1, 2); });
  expect_all_orders([](world& w) { shares(w, "ppp", 2, 1); });
}
TEST(LockfreeOrders, ADequeGivesEachValueOfABatchOnce) {
  expect_all_orders([](world& w) { shares(w, "bt", 1, 2); });
  expect_all_orders([](world& w) { shares(w, "pb", 2, 1); });
}
TEST(LockfreeOrders, ABatchIsInADequeAsAWhole) {
  expect_all_orders([](world& w) {
    deque d;
    w.spawn([&] {
      int next = 0;
      w.check(d.push_all(3, [&] { return next++; }), "there is memory");
    });
    w.spawn([&] {
      if (d.steal()) w.check(d.steal() == 1 && d.steal() == 2, "all are there with the first");
    });
    w.run();
  });
}

// The mistakes that were published, and found by other checkers (Norris and Demsky, "CDSChecker",
// OOPSLA 2013; Lê et al.): each must be found here.

/// model_atomics with the orders that `Mistake::of<T>(order)` returns.
template <class Mistake>
struct mistaken : model_atomics {
  template <class T>
  class atomic : public model_atomic<T> {
    using base = model_atomic<T>;

   public:
    using base::base;
    T load(memory_order o) const {
      const memory_order wrong = Mistake::template of<T>(o);
      return base::load(wrong == acq_rel ? acquire : wrong);
    }
    void store(T value, memory_order o) {
      const memory_order wrong = Mistake::template of<T>(o);
      base::store(value, wrong == acq_rel ? release : wrong);
    }
    T exchange(T value, memory_order o) {
      return base::exchange(value, Mistake::template of<T>(o));
    }
    bool compare_exchange_strong(T& expected, T desired, memory_order success,
                                 memory_order failure) {
      return base::compare_exchange_strong(expected, desired, Mistake::template of<T>(success),
                                           Mistake::template of<T>(failure));
    }
  };
};

// The new array was published by a relaxed store, and read by a relaxed load.
struct array_relaxed {
  template <class T>
  static memory_order of(memory_order o) {
    return std::is_pointer_v<T> ? relaxed : o;
  }
};
// Both ends with acquire and release: owner and thief both take the last value.
struct ends_acquire_release {
  template <class T>
  static memory_order of(memory_order o) {
    return o == seq_cst && std::is_same_v<T, std::size_t> ? acq_rel : o;
  }
};

template <class Mistake>
void expect_mistake(const char* script, int steals, const char* words) {
  using wrong = basic_work_deque<int, 2, mistaken<Mistake>>;
  expect_failure(explore(quietly, [=](world& w) { shares<wrong>(w, script, 1, steals); }), words);
}

TEST(LockfreeOrders, ThePublishedMistakesOfTheDequeAreFound) {
  expect_mistake<array_relaxed>("ppp", 1, "a data race on atomic");
  expect_mistake<ends_acquire_release>("ppt", 2, "each value is taken once");
}

// --- tagged_stack --------------------------------------------------------------------------------

void takes_and_returns(world& w) {
  std::array<basic_tagged_stack<model_atomics>::link, 3> links;
  std::array<model_atomics::watched, 3> elements;
  basic_tagged_stack<model_atomics> s(links);
  for (std::uint32_t i = 0; i < 3; ++i) s.push(i);
  for (int t = 0; t < 2; ++t) {
    w.spawn([&] {
      const auto first = s.pop();
      const auto second = s.pop();
      for (const auto& i : {first, second}) {
        if (i) elements[*i].write();  // Its alone: else a race.
      }
      if (first) s.push(*first);
      if (second) s.push(*second);
    });
  }
  w.run();
  std::vector<std::uint32_t> left;
  while (const auto i = s.pop()) left.push_back(*i);
  std::ranges::sort(left);
  w.check(left == std::vector<std::uint32_t>{0, 1, 2}, "all come back");
}

TEST(LockfreeOrders, ATaggedStackGivesEachIndexToOne) { expect_all_orders(takes_and_returns); }

// --- seqlock -------------------------------------------------------------------------------------

void reads_whole_values(world& w) {
  struct two {
    std::uint64_t a, b;
  };
  basic_seqlock<two, model_atomics> s({.a = 1, .b = 1});
  plain<int> before = 0;
  w.spawn([&] {
    before = 1;
    s.write({.a = 2, .b = 2});
    s.write({.a = 3, .b = 3});
  });
  w.spawn([&] {
    for (int i = 0; i < 2; ++i) {
      two copy = {};
      if (!s.try_read(copy)) continue;
      w.check(copy.a == copy.b, "both halves are of one write");
      if (copy.a != 1) w.check(before == 1, "what came before the write is seen");
    }
  });
  w.run();
  w.check(s.read().a == 3, "the last value stays");
}

TEST(LockfreeOrders, ASeqlockCopiesWholeValues) { expect_all_orders(reads_whole_values); }

// --- linearisability -----------------------------------------------------------------------------

// A queue, of which a call that fails says nothing: a full or empty place may be one that another
// thread is at (README of lockfree).
struct fifo_of_two {
  std::vector<int> values;
  bool apply(const call& c) {
    if (c.what == call::kind::push) {
      if (!c.succeeded) return true;
      if (values.size() == 2) return false;
      values.push_back(c.value);
      return true;
    }
    if (!c.succeeded) return true;
    if (values.empty() || values.front() != c.value) return false;
    values.erase(values.begin());
    return true;
  }
};

template <class Ring>
void is_a_fifo(world& w, const std::vector<std::string>& scripts) {
  Ring ring;
  history_of_calls history;
  for (std::size_t t = 0; t < scripts.size(); ++t) {
    w.spawn([&, t] {
      int next = static_cast<int>(10 * (t + 1));
      for (const char c : scripts[t]) {
        const std::size_t began = history.begin();
        if (c == 'u') {
          const int value = next++;
          history.end(
              began,
              {.what = call::kind::push, .value = value, .succeeded = ring.push(int{value})});
        } else {
          const auto got = ring.pop();
          history.end(
              began,
              {.what = call::kind::pop, .value = got.value_or(0), .succeeded = got.has_value()});
        }
      }
    });
  }
  w.run();
  w.check(history.is_linearisable(fifo_of_two{}), "the history is one of a queue");
}

TEST(LockfreeOrders, HistoriesOfTheRingsAreThoseOfAQueue) {
  using mpsc = basic_mpsc_ring<int, 2, model_atomics>;
  using mpmc = basic_mpmc_ring<int, 2, model_atomics>;
  expect_all_orders([](world& w) { is_a_fifo<spsc>(w, {"uuu", "ooo"}); });
  expect_all_orders([](world& w) { is_a_fifo<mpsc>(w, {"uu", "u", "oo"}); });
  expect_all_orders([](world& w) { is_a_fifo<mpmc>(w, {"uo", "uo", "uo"}); });
  expect_all_orders([](world& w) { is_a_fifo<mpmc>(w, {"uu", "o", "o"}); });
}

}  // namespace
}  // namespace bast::interleave
