// SPDX-License-Identifier: Apache-2.0
#include "bast/scope/group.hpp"

#include <array>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "bast/scope/scope_test.hpp"

namespace bast::test {
namespace {

using messages = std::vector<std::string>;

TEST(TaskGroup, GivesResultsAsTheyComplete) {
  in_fibers([] {
    std::vector<int> order;
    EXPECT_TRUE(run_scope([&](scope& s) {
      auto group = task_group<int>::create(s).value();
      for (const int turns : {3, 1, 2}) {
        EXPECT_TRUE(group.spawn([turns] {
          EXPECT_TRUE(perform(sleep_for(turns * 2ms)));
          return turns;
        }));
      }
      EXPECT_EQ(group.running(), 3U);
      while (auto next = group.next().value()) order.push_back(next->value());
      EXPECT_EQ(group.running(), 0U);
      EXPECT_FALSE(group.next().value());
      // A second life.
      EXPECT_TRUE(group.spawn([] { return 9; }));
      EXPECT_EQ(group.next().value()->value(), 9);
    }));
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
  });
}

TEST(TaskGroup, RunsAtMostSoMany) {
  for (const std::size_t workers : {1U, 3U}) {
    in_fibers(
        [] {
          std::atomic<int> running = 0;
          std::atomic<int> most = 0;
          EXPECT_TRUE(run_scope([&](scope& s) {
            auto group = task_group<void>::create(s, {.at_most = 3, .name = "three"}).value();
            for (int i = 0; i < 30; ++i) {
              EXPECT_TRUE(group.spawn([&] {
                const int now = ++running;
                for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
                }
                EXPECT_TRUE(yield_now());
                --running;
              }));
            }
            int taken = 0;
            while (auto next = group.next().value()) taken += next->has_value() ? 1 : 0;
            EXPECT_EQ(taken, 30);
          }));
          EXPECT_LE(most, 3);
          EXPECT_GE(most, 1);
        },
        workers);
  }
}

TEST(TaskGroup, AnErrorIsAResultAndAnExceptionAFailure) {
  in_fibers([] {
    const auto got = run_scope([](scope& s) {
      auto group = task_group<void>::create(s).value();
      EXPECT_TRUE(group.spawn([] { return broken("returned"); }));
      EXPECT_EQ(group.next().value()->error(), errc::invalid);
      EXPECT_FALSE(s.is_cancelled());
#if BAST_EXCEPTIONS
      EXPECT_TRUE(group.spawn([] { throw std::runtime_error("thrown"); }));
      EXPECT_EQ(group.next().error(), errc::cancelled);
      EXPECT_EQ(shield([&] { return group.next(); }).value(), std::nullopt);
#else
      EXPECT_TRUE(s.spawn([] { return broken("thrown"); }));
#endif
    });
    EXPECT_EQ(got.error().suppressed_count, 0U);
    EXPECT_NE(got.error().message().find("thrown"), std::string::npos);
  });
}

TEST(TaskGroup, ARefusedTaskIsHandedBack) {
  in_fibers([] {
    EXPECT_EQ(run_scope([](scope& s) {
                return task_group<int>::create(s, {.at_most = 0}).error();
              }).value(),
              errc::invalid);
    EXPECT_TRUE(run_scope([](scope& s) {
      auto group = task_group<int>::create(s).value();
      EXPECT_TRUE(s.close());
      auto value = std::make_unique<int>(5);
      auto function = [kept = std::move(value)] { return *kept; };
      EXPECT_EQ(group.spawn(std::move(function)).error(), errc::closed);
      EXPECT_EQ(function(), 5);  // NOLINT(bugprone-use-after-move): that is the promise
      EXPECT_EQ(group.running(), 0U);
      EXPECT_FALSE(group.next().value());
    }));
    const auto cancelled = run_scope([](scope& s) {
      auto group = task_group<int>::create(s, {.at_most = 1}).value();
      EXPECT_TRUE(group.spawn([] {
        (void)wait_long();
        return 1;
      }));
      EXPECT_TRUE(s.spawn([&] { s.cancel(); }));
      const auto refused = group.spawn([] { return 2; });
      EXPECT_EQ(refused.error(), errc::cancelled);
      return refused;
    });
    EXPECT_EQ(cancelled.error().status, scope_status::cancelled);
  });
}

TEST(TaskGroup, ResultsThatNobodyTakesAreDestroyed) {
  in_fibers([] {
    std::atomic<int> lives = 0;
    EXPECT_TRUE(run_scope([&](scope& s) {
      auto group = task_group<counted>::create(s).value();
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(group.spawn([&] { return counted(lives); }));
      EXPECT_TRUE(group.next().value());
      EXPECT_TRUE(s.join());
      EXPECT_EQ(lives, 2);
    }));
    EXPECT_EQ(lives, 0);
  });
}

TEST(TaskGroup, S8_ManyTasksOneAfterTheOtherNeedTheMemoryOfOne) {
  in_fibers([] {
    std::size_t sum = 0;
    std::size_t opened = 0;
    EXPECT_TRUE(run_scope([&](scope& s) {
      auto group = task_group<std::size_t>::create(s, {.at_most = 1}).value();
      for (std::size_t i = 0; i < 20'000; ++i) {
        if (i == 10) opened = this_fiber::worker_stacks().slots_opened;
        EXPECT_TRUE(group.spawn([i] { return i; }));
        sum += group.next().value()->value();
      }
      EXPECT_EQ(this_fiber::worker_stacks().slots_opened, opened);
    }));
    EXPECT_EQ(sum, 20'000U * 19'999U / 2);
  });
}

TEST(ParallelMap, ReturnsTheResultsInOrder) {
  for (const std::size_t workers : {1U, 4U}) {
    in_fibers(
        [] {
          std::vector<int> numbers(1000);
          std::iota(numbers.begin(), numbers.end(), 0);
          const auto doubled = parallel_map(numbers,
                                            [](int n) {
                                              if (n % 7 == 0) {
                                                EXPECT_TRUE(yield_now());
                                              }
                                              return 2 * n;
                                            },
                                            {.at_most = 5});
          ASSERT_TRUE(doubled);
          for (int& n : numbers) n *= 2;
          EXPECT_EQ(*doubled, numbers);
        },
        workers);
  }
}

TEST(ParallelMap, TheFirstFailureEndsTheRest) {
  in_fibers([] {
    int called = 0;
    const std::array numbers = {1, 2, 3, 4, 5, 6};
    const auto got =
        parallel_map(numbers,
                     [&](int n) -> result<int> {
                       ++called;
                       if (n == 3) return fail(errc::invalid, "test", "three");
                       if (auto waited = perform(sleep_for(n < 3 ? 1ms : 1h)); !waited) {
                         return std::unexpected(waited.error());
                       }
                       return n;
                     },
                     {.at_most = 2, .scope = {.name = "numbers"}});
    EXPECT_EQ(got.error().primary.message(), "fiber 'numbers': test: invalid argument: three");
    EXPECT_LE(called, 4);
  });
}

TEST(ParallelMap, OfNothingAndWithoutValues) {
  in_fibers([] {
    const std::vector<int> none;
    EXPECT_TRUE(parallel_map(none, [](int n) { return n; })->empty());
    std::vector<int> numbers = {1, 2, 3};
    const auto done = parallel_map(numbers, [](int& n) { ++n; });
    EXPECT_TRUE(done);
    EXPECT_EQ(numbers, (std::vector{2, 3, 4}));
    const auto strict = parallel_map(numbers, [](int) { return result<void>(); });
    EXPECT_TRUE(strict);
    const auto refused = parallel_map(numbers, [](int) {}, {.at_most = 0});
    EXPECT_EQ(refused.error().primary.why, errc::invalid);
  });
}

}  // namespace
}  // namespace bast::test
