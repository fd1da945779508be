// SPDX-License-Identifier: Apache-2.0
//
// A batch of fibers starts as a whole, or leaves nothing behind.
#include "bast/sched/batch.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::counted;
using test::kind_of;

TEST(SpawnBatch, EachRunsTheFunctionWithItsIndex) {
  for (const std::size_t workers : {1U, 3U}) {
    EXPECT_TRUE(run(
        [] {
          auto all = spawn_batch(1000, [](std::size_t i) { return 3 * i; }).value();
          ASSERT_EQ(all.size(), 1000U);
          for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].join().value(), 3 * i);
        },
        {.workers = workers}));
  }
}

TEST(SpawnBatch, IO8_NoChildRunsInsideIt) {
  EXPECT_TRUE(run(
      [] {
        int ran = 0;
        auto all = spawn_batch(10, [&](std::size_t) { ++ran; }).value();
        EXPECT_EQ(ran, 0);
        for (auto& each : all) EXPECT_TRUE(each.join());
        EXPECT_EQ(ran, 10);
      },
      {.workers = 1}));
}

TEST(SpawnBatch, IO8_WhoWaitsHandsItsTurnToTheNewest) {
  EXPECT_TRUE(run(
      [] {
        std::vector<std::size_t> order;
        auto all = spawn_batch(4, [&](std::size_t i) { order.push_back(i); }).value();
        for (auto& each : all) EXPECT_TRUE(each.join());
        EXPECT_EQ(order, (std::vector<std::size_t>{3, 2, 1, 0}));
      },
      {.workers = 1}));
}

TEST(SpawnBatch, OfNoneIsEmpty) {
  EXPECT_TRUE(run([] {
    EXPECT_TRUE(spawn_batch(0, [](std::size_t) {}).value().empty());
    EXPECT_TRUE(runtime_handle::current()->spawn_batch(0, [](std::size_t) {}).value().empty());
  }));
}

TEST(SpawnBatch, EachHasItsOwnCopy) {
  EXPECT_TRUE(run([] {
    auto all = spawn_batch(20, [n = 0](std::size_t i) mutable {
                 for (int y = 0; y < 3; ++y) {
                   ++n;
                   (void)yield_now();
                 }
                 return std::pair(i, n);
               }).value();
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].join().value(), std::pair(i, 3));
    }
  }));
}

TEST(SpawnBatch, LargeFunctionsAndResults) {
  EXPECT_TRUE(run([] {
    struct large {
      std::string text = std::string(100, 'l');
      char more[200] = {};
    };
    const auto function = [in = large()](std::size_t i) {
      return in.text + std::string(60, static_cast<char>('a' + i));
    };
    auto all = spawn_batch(26, function, {.name = "large"}).value();
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].join().value(), function(i));
    }
  }));
}

TEST(SpawnBatch, AFunctionByItsName) {
  struct here {
    static std::size_t twice(std::size_t i) { return 2 * i; }
  };
  EXPECT_TRUE(run([] {
    auto all = spawn_batch(3, here::twice).value();
    EXPECT_EQ(all[2].join().value(), 4U);
  }));
}

TEST(SpawnBatch, ErrorsThatItReturnsAreThoseOfTheJoins) {
  EXPECT_TRUE(run([] {
    auto all = spawn_batch(4, [](std::size_t i) -> result<std::size_t> {
                 if (i % 2 == 0) return fail(errc::closed, "test", "even");
                 return i;
               }).value();
    EXPECT_EQ(kind_of(all[0].join()), errc::closed);
    EXPECT_EQ(all[1].join().value(), 1U);
    EXPECT_EQ(kind_of(all[2].join()), errc::closed);
    EXPECT_EQ(all[3].join().value(), 3U);
  }));
}

TEST(SpawnBatch, IntoAPool) {
  const pool_options pools[] = {{.name = "disk", .workers = 2}};
  EXPECT_TRUE(run(
      [] {
        auto all =
            spawn_batch(50, [](std::size_t) { return this_fiber::worker(); }, {.pool = "disk"})
                .value();
        for (auto& each : all) EXPECT_GE(each.join().value(), 1U);
        EXPECT_EQ(kind_of(spawn_batch(2, [](std::size_t) {}, {.pool = "nowhere"})), errc::invalid);
      },
      {.workers = 1, .pools = pools}));
}

TEST(SpawnBatch, PinnedOnesStayHere) {
  EXPECT_TRUE(run(
      [] {
        auto all =
            spawn_batch(50, [](std::size_t) { return this_fiber::worker(); }, {.pinned = true})
                .value();
        const std::size_t here = this_fiber::worker();
        for (auto& each : all) EXPECT_EQ(each.join().value(), here);
      },
      {.workers = 3}));
}

TEST(SpawnBatch, DaemonsAreCancelledAtTheEnd) {
  std::atomic<int> ended = 0;
  EXPECT_TRUE(run([&] {
    (void)spawn_batch(10,
                      [&](std::size_t) {
                        while (yield_now()) continue;
                        ++ended;
                      },
                      {.daemon = true});
  }));
  EXPECT_EQ(ended, 10);
}

TEST(SpawnBatch, IO9_IdleWorkersTakeThem) {
  // Main does not wait until all others have begun: one call of the thieves is enough.
  constexpr std::size_t others = 3;
  std::atomic<std::size_t> inside = 0;
  EXPECT_TRUE(run(
      [&] {
        auto all = spawn_batch(others, [&](std::size_t) {
                     ++inside;
                     while (inside != others) std::this_thread::yield();
                     return this_fiber::worker();
                   }).value();
        while (inside != others) std::this_thread::yield();
        std::set<std::size_t> workers;
        for (auto& each : all) workers.insert(each.join().value());
        EXPECT_EQ(workers, (std::set<std::size_t>{1, 2, 3}));
      },
      {.workers = 1 + others}));
}

TEST(SpawnBatch, OutsideOfAFiberItFails) {
  EXPECT_EQ(kind_of(spawn_batch(2, [](std::size_t) {})), errc::not_in_fiber);
}

TEST(SpawnBatch, IO11_FromAnotherThread) {
  std::vector<fiber<std::size_t>> all;
  std::optional<runtime_handle> later;
  EXPECT_TRUE(run(
      [&] {
        later = runtime_handle::current().value();
        std::atomic<bool> has_ended = false;
        const test::joined_thread other([&] {
          all = later->spawn_batch(100, [](std::size_t i) { return i; }).value();
          std::size_t sum = 0;
          for (std::size_t i = 0; i < 50; ++i) sum += all[i].join().value();
          EXPECT_EQ(sum, 49U * 50 / 2);
          has_ended = true;
        });
        test::yield_until([&] { return has_ended.load(); });
      },
      {.workers = 2}));
  for (std::size_t i = 50; i < 100; ++i) EXPECT_EQ(all[i].join().value(), i);
  EXPECT_EQ(kind_of(later->spawn_batch(1, [](std::size_t) {})), errc::closed);
}

TEST(SpawnBatch, X6_WithoutMemoryThereIsNone) {
  std::atomic<int> lives = 0;
  std::atomic<int> ran = 0;
  struct copied {
    explicit copied(std::atomic<int>& n) : lives(&n) { ++*lives; }
    copied(const copied& other) : lives(other.lives) { ++*lives; }
    ~copied() { --*lives; }
    std::atomic<int>* lives;
    char more[40] = {};
  };
  const auto life = [&](test::injection& faults) -> std::string {
    std::string wrong;
    const auto got = run(
        [&] {
          ran = 0;
          const auto function = [&ran, held = copied(lives)](std::size_t) { ++ran; };
          constexpr int count = 200;
          for (int i = 0; i < 2; ++i) {
            const int expected = ran;
            auto made = i == 0 ? spawn_batch(count, function)
                               : runtime_handle::current()->spawn_batch(count, function);
            if (!made) {
              if (made.error() != errc::no_memory) wrong = made.error().message();
              if (lives != 1) wrong = "a copy is left";
              for (int y = 0; y < 5; ++y) (void)yield_now();
              if (ran != expected) wrong = "one has run";
              continue;
            }
            for (auto& each : *made) {
              if (const auto end = each.join(); !end && end.error() != errc::no_memory) {
                wrong = end.error().message();
              }
            }
          }
        },
        {.workers = 1});
    faults.end();
    if (lives != 0) return "a copy is left";
    if (!got && test::primary_of(got) != errc::no_memory) return got.error().message();
    return wrong;
  };
  // Only the heap: the calls of a runtime's life are those of SchedFaults.
  std::uint64_t injected = 0;
  const auto once = [&](const os::fault_plan& plan) {
    test::injection faults(plan);
    EXPECT_EQ(life(faults), "") << plan.nth << " " << plan.persistent;
    injected += faults.injected();
    return faults.seen();
  };
  once({});
  const test::leak_baseline before;
  const std::uint64_t calls = once({.kind = os::call::allocate});
  for (std::uint64_t nth = 1; nth <= calls; ++nth) {
    once({.kind = os::call::allocate, .nth = nth});
    once({.kind = os::call::allocate, .nth = nth, .persistent = true});
    ASSERT_EQ(before.differences(), "") << nth;
  }
  EXPECT_GT(injected, 0U);
}

TEST(SpawnBatch, MoreHandlesThanThereIsMemoryFor) {
  EXPECT_TRUE(run(
      [] { EXPECT_EQ(kind_of(spawn_batch(SIZE_MAX / 2, [](std::size_t) {})), errc::no_memory); }));
}

#if BAST_EXCEPTIONS
TEST(SpawnBatch, ACopyThatThrowsLeavesNoFiber) {
  std::atomic<int> lives = 0;
  std::atomic<int> copies = 0;
  struct third_copy_throws {
    third_copy_throws(std::atomic<int>& l, std::atomic<int>& c) : lives(l), copies(c) { ++lives; }
    third_copy_throws(const third_copy_throws& other) : lives(other.lives), copies(other.copies) {
      if (++copies == 3) throw std::runtime_error("a copy");
      ++lives;
    }
    ~third_copy_throws() { --lives; }
    void operator()(std::size_t) const { ADD_FAILURE(); }
    std::atomic<int>& lives;
    std::atomic<int>& copies;
  };
  EXPECT_TRUE(run([&] {
    const third_copy_throws function(lives, copies);
    EXPECT_THROW((void)spawn_batch(5, function), std::runtime_error);
    EXPECT_EQ(lives, 1);
    copies = 0;
    EXPECT_THROW((void)runtime_handle::current()->spawn_batch(5, function), std::runtime_error);
    EXPECT_EQ(lives, 1);
    (void)yield_now();
  }));
  EXPECT_EQ(lives, 0);
}
#endif

}  // namespace
}  // namespace bast
