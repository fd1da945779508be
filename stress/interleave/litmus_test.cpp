// SPDX-License-Identifier: Apache-2.0
//
// Litmus tests of values and orders: classic mistakes, each of which must be found, and their
// correct forms, which must be exhausted without a failure.
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

// A release sequence: the result of a read-modify-write still carries what the store released.
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

// Double-checked initialisation: the first check is outside the lock.
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

}  // namespace
}  // namespace bast::interleave
