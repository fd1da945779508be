// SPDX-License-Identifier: Apache-2.0
//
// The model types: their values, as of std::atomic, their orders, their lifetimes.
#include "interleave/model_atomics.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/short_names.hpp"

namespace bast::interleave {
namespace {

// --- values --------------------------------------------------------------------------------------

template <class Atomic>
void behaves_like_an_atomic() {
  Atomic a{5};
  EXPECT_EQ(a.load(), 5);
  a.store(6, release);
  EXPECT_EQ(a.load(acquire), 6);
  EXPECT_EQ(a.exchange(7), 6);
  int expected = 0;
  EXPECT_FALSE(a.compare_exchange_strong(expected, 1));
  EXPECT_EQ(expected, 7);
  EXPECT_TRUE(a.compare_exchange_strong(expected, 8, acq_rel, relaxed));
  expected = 8;
  while (!a.compare_exchange_weak(expected, 12)) {
  }
  EXPECT_EQ(a.fetch_add(1), 12);
  EXPECT_EQ(a.fetch_sub(3, relaxed), 13);
  EXPECT_EQ(a.fetch_and(6), 10);
  EXPECT_EQ(a.fetch_or(8), 2);
  EXPECT_EQ(a.fetch_xor(3), 10);
  EXPECT_EQ(a++, 9);
  EXPECT_EQ(++a, 11);
  EXPECT_EQ(a--, 11);
  EXPECT_EQ(--a, 9);
  EXPECT_EQ(a += 5, 14);
  EXPECT_EQ(a -= 4, 10);
  EXPECT_EQ(a = 3, 3);
  EXPECT_EQ(a, 3);
  static_assert(!std::is_copy_constructible_v<Atomic>);
  static_assert(!std::is_copy_assignable_v<Atomic>);
}

TEST(Model, AnAtomicHasTheValuesOfTheRealOne) {
  behaves_like_an_atomic<std::atomic<int>>();
  behaves_like_an_atomic<atomic<int>>();  // Outside a schedule too.
  expect_exhausted(explore({}, [](world&) { behaves_like_an_atomic<atomic<int>>(); }));
}

TEST(Model, APointerCountsInElements) {
  int field[4] = {};
  atomic<int*> at{field};
  EXPECT_EQ(at.fetch_add(2), field);
  EXPECT_EQ(at.load(), field + 2);
  EXPECT_EQ(--at, field + 1);
}

TEST(Model, PlainDataIsUsedLikeAValue) {
  struct node {
    int value = 3;
    plain<node*> next = nullptr;
  };
  expect_exhausted(explore({}, [](world&) {
    node last;
    node first;
    first.next = &last;
    const plain<node*> head{&first};
    EXPECT_EQ(head->value, 3);
    EXPECT_EQ((*head).next, &last);
    EXPECT_TRUE(last.next == nullptr);
    if (head) head->next = nullptr;
    EXPECT_EQ(first.next, nullptr);
    last.next = head;
    EXPECT_EQ(last.next, &first);

    plain<unsigned> n = 4;
    n += 3;
    n -= 1;
    n |= 8U;
    n &= 12U;
    EXPECT_EQ(n, 12U);
    EXPECT_EQ(n++, 12U);
    EXPECT_EQ(n--, 13U);
    EXPECT_EQ(++n, 13U);
    EXPECT_EQ(--n, 12U);
    const plain<unsigned> copy = n;
    EXPECT_EQ(copy + 1, 13U);
  }));
}

TEST(Model, ThreadsAreToldApart) {
  expect_exhausted(explore({}, [](world& w) {
    std::uintptr_t who[3] = {model_atomics::self()};
    for (unsigned i : {1U, 2U}) {
      w.spawn([&, i] {
        w.check(w.thread() == i, "threads are numbered as they are spawned");
        who[i] = model_atomics::self();
      });
    }
    w.run();
    w.check(who[0] != 0 && who[1] != 0 && who[2] != 0, "no id is 0");
    w.check(who[0] != who[1] && who[1] != who[2] && who[0] != who[2], "ids are distinct");
  }));
}

// --- order ---------------------------------------------------------------------------------------

TEST(Model, TwoReadersAreNoRaceAndAWriterIs) {
  const auto uses = [](bool writes) {
    return [writes](world& w) {
      plain<int> data = 1;
      w.spawn([&] { (void)static_cast<int>(data); });
      w.spawn([&] {
        if (writes) {
          data = 2;
        } else {
          (void)static_cast<int>(data);
        }
      });
      w.run();
    };
  };
  expect_exhausted(explore({}, uses(false)));
  expect_failure(explore(quietly, uses(true)), "neither happens before the other");
}

// The first reader is remembered, though others read later.
TEST(Model, AWriteRacesWithAnyEarlierReader) {
  expect_failure(explore(quietly,
                         [](world& w) {
                           plain<int> data = 1;
                           atomic<int> read{0};
                           for (int i = 0; i < 2; ++i) {
                             w.spawn([&, i] {
                               (void)static_cast<int>(data);
                               read.store(1 + i, i == 0 ? relaxed : release);
                             });
                           }
                           w.spawn([&] {
                             if (read.load(acquire) == 2) data = 2;
                           });
                           w.run();
                         }),
                 "a data race");
}

TEST(Model, AReportNamesTheObjectAndBothPlaces) {
  const result r = explore(quietly, [](world& w) {
    plain<int> data = 1;
    atomic<int> gate{0};
    w.name(data, "the data");
    w.name(gate, "the gate");
    w.spawn([&] {
      data = 2;
      gate.store(1, relaxed);
    });
    w.spawn([&] {
      if (gate.load(acquire) == 1) data = 3;
    });
    w.run();
  });
  expect_failure(r, "a data race on the data, plain 1: thread 2 (write at `addr2line");
  expect_failure(r, "and thread 1 (made or wrote it at `addr2line");
  EXPECT_NE(r.trace.find("the gate, atomic 2: store relaxed 0 -> 1  interleave/model_test.cpp:"),
            std::string::npos)
      << r.trace;
}

TEST(Model, AFailedExchangeHasItsOwnOrder) {
  const auto publishes = [](memory_order failure) {
    return [failure](world& w) {
      plain<int> data = 0;
      atomic<int> gate{0};
      w.spawn([&] {
        data = 7;
        gate.store(1, release);
      });
      w.spawn([&] {
        int expected = 2;
        gate.compare_exchange_strong(expected, 3, acq_rel, failure);
        if (expected == 1) w.check(data == 7, "it is written");
      });
      w.run();
    };
  };
  expect_exhausted(explore({}, publishes(acquire)));
  expect_failure(explore(quietly, publishes(relaxed)), "a data race");
}

TEST(Model, AWakeUpOrdersNothing) {
  expect_failure(explore(quietly,
                         [](world& w) {
                           plain<int> data = 0;
                           atomic<std::uint32_t> word{0};
                           w.spawn([&] {
                             while (word.load(relaxed) == 0) model_atomics::wait(word, 0);
                             (void)static_cast<int>(data);
                           });
                           w.spawn([&] {
                             data = 7;
                             word.store(1, relaxed);
                             model_atomics::wake_all(&word);
                           });
                           w.run();
                         }),
                 "a data race");
}

TEST(Model, ALoadCannotReleaseAndAStoreCannotAcquire) {
  const auto loads = [](world&) { (void)atomic<int>{0}.load(release); };
  const auto stores = [](world&) { atomic<int>{0}.store(1, acquire); };
  expect_failure(explore(quietly, loads), "cannot have the order release");
  expect_failure(explore(quietly, stores), "cannot have the order acquire");
}

// --- life ----------------------------------------------------------------------------------------

TEST(Model, AnObjectThatIsPublishedTooEarlyRacesWithItsBirth) {
  const auto publishes = [](memory_order order) {
    return [order](world& w) {
      atomic<atomic<int>*> posted{nullptr};
      std::optional<atomic<int>> letter;
      w.spawn([&] {
        letter.emplace(7);
        posted.store(&*letter, order);
      });
      w.spawn([&] {
        if (auto* const found = posted.load(acquire)) w.check(found->load() == 7, "it is made");
      });
      w.run();
    };
  };
  expect_exhausted(explore({}, publishes(release)));
  expect_failure(explore(quietly, publishes(relaxed)), "a data race on atomic 2");
}

// The thread that frees an object must have seen that all others have finished with it.
TEST(Model, AnObjectThatIsFreedTooEarlyRacesWithItsUse) {
  const auto frees = [](memory_order order) {
    return [order](world& w) {
      atomic<int> users{2};
      std::optional<atomic<int>> shared;
      shared.emplace(0);
      for (int i = 0; i < 2; ++i) {
        w.spawn([&] {
          shared->fetch_add(1, relaxed);
          if (users.fetch_sub(1, order) == 1) shared.reset();
        });
      }
      w.run();
    };
  };
  expect_exhausted(explore({}, frees(acq_rel)));
  expect_failure(explore(quietly, frees(relaxed)), "end of life");
  expect_failure(explore(quietly, frees(release)), "end of life");
}

TEST(Model, UseAfterTheEndIsFound) {
  expect_failure(explore(quietly,
                         [](world& w) {
                           std::optional<atomic<int>> shared;
                           shared.emplace(0);
                           atomic<int>& alias = *shared;
                           shared.reset();
                           alias.store(1);
                           w.check(false, "the use itself is the failure");
                         }),
                 "uses an object after its end");
}

// A wake-up uses only an address and reads nothing.
TEST(Model, AWakeUpMayComeAfterTheEnd) {
  expect_exhausted(explore({.bound = unbounded}, [](world& w) {
    auto done = std::make_unique<atomic<std::uint32_t>>(0);
    const auto* const address = done.get();
    w.spawn([&, address] {
      done->store(1, release);
      model_atomics::wake_all(address);
    });
    w.spawn([&] {
      while (done->load(acquire) == 0) model_atomics::wait(*done, 0);
      done.reset();
    });
    w.run();
  }));
}

TEST(Model, AnObjectOfAnotherScheduleIsRefused) {
  atomic<int> outside{0};
  const auto uses = [&](world&) { outside.store(1); };
  expect_failure(explore(quietly, uses), "make it in the test");
}

}  // namespace
}  // namespace bast::interleave
