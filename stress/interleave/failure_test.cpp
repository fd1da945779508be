// SPDX-License-Identifier: Apache-2.0
//
// The ends of schedules; a failed one leaves nothing behind.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bast/base.hpp"
#include "bast/os/atomics.hpp"
#include "interleave/expect.hpp"
#include "interleave/explore.hpp"
#include "interleave/model_atomics.hpp"

namespace bast::interleave {
namespace {

template <class T>
using atomic = model_atomics::atomic<T>;

struct counted {
  static inline int alive = 0;
  counted() { ++alive; }
  counted(const counted&) { ++alive; }
  counted& operator=(const counted&) = default;
  ~counted() { --alive; }
};

TEST(Failure, WhatThreadsHoldIsReleasedAfterAFailure) {
  // One asleep permanently, one in the middle, one not started, and the test itself.
  const auto stuck = [](world& w) {
    const auto held = std::make_unique<counted>();
    atomic<std::uint32_t> word{0};
    const counted by_value;
    w.spawn([&, by_value] {
      const auto mine = std::make_unique<counted>();
      while (word.load() == 0) model_atomics::wait(word, 0);
    });
    w.spawn([&, by_value] {
      const auto mine = std::make_unique<counted>();
      w.check(false, "fails");
    });
    w.spawn([&, by_value] { const auto mine = std::make_unique<counted>(); });
    w.run();
    ADD_FAILURE() << "a failed schedule continues";
  };
  const result r = explore(quietly, stuck);
  expect_failure(r, "thread 2: fails (interleave/failure_test.cpp:");
  EXPECT_EQ(counted::alive, 0);
}

// No exception can pass through it, so it has to return by itself.
TEST(Failure, ANoexceptFunctionThatCanGoOnReturnsAfterAFailure) {
  const auto interrupts = [](world& w) {
    atomic<int> stage{0};
    w.spawn([&] {
      const counted mine;
      [&]() noexcept {
        stage.store(1);
        stage.store(2);
      }();
    });
    w.spawn([&] { w.check(stage.load() != 1, "the other one is between its stores"); });
    w.run();
  };
  expect_failure(explore(quietly, interrupts), "between its stores");
  EXPECT_EQ(counted::alive, 0);
}

// No exception can pass through lock(); its stack is abandoned, and the process lives.
TEST(Failure, ANoexceptFunctionIsAbandoned) {
  const auto twice = [](world& w) {
    os::basic_lock<model_atomics> lock;
    w.spawn([&] {
      const auto mine = std::make_unique<int>(7);
      // If a sanitizer keeps locals elsewhere, an abandoned stack has no reference to them. Not
      // destroyed, so that they are not leaks at the end either.
      static auto* const reachable = new std::vector<const int*>;
      reachable->push_back(mine.get());
      lock.lock();
      lock.lock();
      w.check(*mine == 7, "it is used");
    });
    w.run();
  };
  for (int i = 0; i < 3; ++i) expect_failure(explore(quietly, twice), "no thread can continue");
}

TEST(Failure, ADestructorThatWaitsForEverIsAbandoned) {
  const auto waits = [](world& w) {
    struct joins {
      atomic<std::uint32_t> done{0};
      ~joins() {
        while (done.load() == 0) model_atomics::wait(done, 0);
      }
    };
    joins j;
    w.spawn([&] { w.check(false, "fails before it is done"); });
    w.run();
  };
  expect_failure(explore(quietly, waits), "fails before");
}

TEST(Failure, AnExceptionOfAThreadIsAFailure) {
  const auto throws = [](world& w) {
    w.spawn([] { throw std::runtime_error("out of luck"); });
    w.run();
  };
  expect_failure(explore(quietly, throws), "thread 1 ended with an exception: out of luck");
  expect_failure(explore(quietly, [](world&) { throw 1; }), "thread 0 ended with an exception");
}

TEST(Failure, TerminateIsAFailure) {
  const auto dies = [](world& w) {
    w.spawn([]() noexcept { (void)std::string().at(1); });
    w.run();
  };
  expect_failure(explore(quietly, dies), "thread 1 cannot continue: std::terminate was called");
}

TEST(Failure, AViolatedContractIsAFailure) {
  const auto violates = [](world& w) {
    atomic<int> two{2};
    w.spawn([&] { BAST_CHECK(two.load() == 3, "two is three"); });
    w.run();
  };
  expect_failure(explore(quietly, violates), "two is three");
}

TEST(Failure, TheTestItselfMayFailBeforeAndAfter) {
  expect_failure(explore(quietly, [](world& w) { w.check(false, "before"); }), "thread 0: before");
  const auto after = [](world& w) {
    atomic<int> count{0};
    w.spawn([&] { ++count; });
    w.run();
    w.check(count == 2, "after");
  };
  const result r = explore(quietly, after);
  expect_failure(r, "thread 0: after");
  EXPECT_NE(r.trace.find("atomic 1"), std::string::npos) << r.trace;
}

TEST(Failure, MisuseIsAFailure) {
  expect_failure(explore(quietly, [](world& w) { w.spawn([] {}); }), "never run");
  expect_failure(explore(quietly,
                         [](world& w) {
                           w.spawn([&] { w.spawn([] {}); });
                           w.run();
                         }),
                 "only the test itself may");
  expect_failure(explore(quietly,
                         [](world& w) {
                           for (int i = 0; i < 9; ++i) w.spawn([] {});
                           w.run();
                         }),
                 "a ninth thread");
}

}  // namespace
}  // namespace bast::interleave
