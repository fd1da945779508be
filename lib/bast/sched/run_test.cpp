// SPDX-License-Identifier: Apache-2.0
//
// What a run returns, when it is refused, and how it is stopped.
#include "bast/sched/run.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/heap_growth.hpp"
#include "bast/testing/joined_thread.hpp"
#include "bast/watch/registry.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::primary_of;

TEST(Run, ReturnsAMoveOnlyValue) {
  const auto got = run([] { return std::make_unique<int>(7); });
  ASSERT_TRUE(got);
  EXPECT_EQ(**got, 7);
}

TEST(Run, ReturnsALargeValue) {
  struct large {
    std::string texts[20];
  };
  const auto got = run([] {
    large made;
    made.texts[19] = std::string(100, 'x');
    return made;
  });
  ASSERT_TRUE(got);
  EXPECT_EQ(got->texts[19], std::string(100, 'x'));
}

TEST(Run, FlattensAResult) {
  static_assert(
      std::is_same_v<decltype(run([] { return result<int>(1); })), std::expected<int, failures>>);
  static_assert(std::is_same_v<decltype(run([]() -> result<void> { return {}; })),
                               std::expected<void, failures>>);
  EXPECT_TRUE(run([]() -> result<void> { return {}; }));
  const auto failed =
      run([]() -> result<int> { return fail(errc::invalid, "main", "on purpose"); });
  ASSERT_EQ(primary_of(failed), errc::invalid);
  EXPECT_NE(failed.error().message().find("on purpose"), std::string::npos);
  EXPECT_STREQ(failed.error().primary.fiber, "main");
}

TEST(Run, IsRefusedWithinARun) {
  const auto outer = run([] {
    const auto inner = run([] { return 1; });
    return primary_of(inner);
  });
  EXPECT_EQ(outer.value(), errc::bad_state);
  EXPECT_EQ(run([] { return 2; }).value(), 2) << "and runs follow each other on one thread";
}

TEST(Run, IsRefusedInACoroutine) {
  auto pool = coro_pool::create().value();
  std::optional<errc> refused;
  auto c = pool.make([&] { refused = primary_of(run([] {})); }).value();
  EXPECT_FALSE(c.resume().failed());
  EXPECT_EQ(refused, errc::bad_state);
}

TEST(Run, SeveralRuntimesOnSeveralThreads) {
  std::vector<test::joined_thread> threads;
  std::atomic<int> sum = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &sum] {
      const auto got = run(
          [t] {
            int total = 0;
            for (int i = 0; i < 100; ++i) total += spawn([t] { return t; })->join().value();
            return total;
          },
          {.workers = 2});
      sum += got.value();
    });
  }
  threads.clear();
  EXPECT_EQ(sum, 600);
}

/// The words of a refused option name it.
void expect_refused(const run_options& options, const char* option) {
  int runs = 0;
  const auto got = run([&] { ++runs; }, options);
  ASSERT_EQ(primary_of(got), errc::invalid) << option;
  EXPECT_NE(got.error().message().find(option), std::string::npos) << got.error().message();
  EXPECT_EQ(runs, 0);
}

TEST(RunOptions, AnErrorNamesTheOption) {
  expect_refused({.workers = 1025}, "run_options::workers");
  expect_refused({.stacks_max = 0}, "run_options::stacks_max");
  const pool_options unnamed[] = {{.name = nullptr}};
  expect_refused({.pools = unnamed}, "run_options::pools");
  const pool_options empty_name[] = {{.name = ""}};
  expect_refused({.pools = empty_name}, "run_options::pools");
  const pool_options twice[] = {{.name = "disk"}, {.name = "net"}, {.name = "disk"}};
  expect_refused({.pools = twice}, "run_options::pools");
  const pool_options idle[] = {{.name = "disk", .workers = 0}};
  expect_refused({.pools = idle}, "pool_options::workers");
  const pool_options many[] = {{.name = "disk", .workers = 1025}};
  expect_refused({.pools = many}, "pool_options::workers");
}

TEST(RunOptions, AnInvalidStackIsRefused) {
  const auto got = run([] {}, {.workers = 2, .stack = {.limit = bytes(1)}});
  EXPECT_EQ(primary_of(got), errc::invalid);
  EXPECT_TRUE(run([] {}, {.workers = 2}));
}

TEST(RunOptions, DefaultWorkersIsPositive) {
  EXPECT_GE(default_workers(), 1U);
  const auto workers = run([] { return runtime_handle::current()->workers(); });
  EXPECT_EQ(workers.value(), default_workers());
}

TEST(Run, LeavesNothingBehind) {
  const auto once = [] {
    const pool_options pools[] = {{.name = "disk", .workers = 2}};
    EXPECT_TRUE(run(
        [] {
          for (int i = 0; i < 10; ++i) (void)spawn([] {}, {.pool = "disk"})->join();
        },
        {.workers = 3, .pools = pools}));
  };
  once();
  const test::leak_baseline before;
  for (int i = 0; i < 5; ++i) once();
  EXPECT_EQ(before.differences(), "");
}

std::uint64_t record_bytes() { return watch::registry()->coros_bytes; }

/// Fibers whose records come back in every way.
void use_records() {
  const pool_options pools[] = {{.name = "other"}};
  fiber<int> kept, kept_of_guest;
  EXPECT_TRUE(run(
      [&] {
        const auto give_up_in = [](const char* pool) {
          std::atomic<int> ran = 0;
          for (int i = 0; i < 3; ++i) (void)spawn([&] { ++ran; }, {.pool = pool});
          test::yield_until([&] { return ran == 3; });
        };
        give_up_in(nullptr);
        give_up_in("other");
        // Of the other worker, joined here.
        EXPECT_TRUE(spawn([] { return spawn([] { return 1; }).value(); }, {.pool = "other"})
                        ->join()
                        ->join());
        kept = spawn([] { return 1; }).value();
        auto runtime = runtime_handle::current().value();
        const test::joined_thread other([&] {
          EXPECT_TRUE(runtime.post([] {}));
          EXPECT_TRUE(runtime.spawn([] {})->join());
          kept_of_guest = runtime.spawn([] { return 2; }).value();
        });
      },
      {.workers = 2, .pools = pools}));
  EXPECT_EQ(kept.join().value(), 1);
  const test::joined_thread dropper([gone = std::move(kept_of_guest)] {});
}

TEST(Run, EachRecordComesBack) {
  for (int i = 0; i < 20; ++i) use_records();
  const std::uint64_t before = record_bytes();
  for (int i = 0; i < 50; ++i) use_records();
  EXPECT_EQ(record_bytes(), before);
}

TEST(Run, FreesWhatItAllocated) {
  static const fiber_local<std::string> bound_text;
  struct large {
    std::string text = std::string(100, 'l');
    char more[100] = {};
  };
  const stack_class_options classes[] = {{.name = "deep"}};
  EXPECT_LT(test::heap_growth_of([&] {
              EXPECT_TRUE(run(
                  [] {
                    const auto bound = bound_text.bind(std::string(100, 'b')).value();
                    const auto copies = [held = large()](auto...) { return held; };
                    EXPECT_TRUE(spawn(copies)->join());
                    EXPECT_TRUE(spawn(copies, {.stack = "deep"})->join());
                    EXPECT_TRUE(concurrent(copies)->join());
                    EXPECT_TRUE(async(copies).join());
                    (void)async(copies).is_done();
                    (void)spawn(copies);
                    (void)spawn_batch(3, copies);
                    EXPECT_FALSE(spawn(copies, {.pool = "nowhere"}));
                    EXPECT_TRUE(runtime_handle::current()->spawn(copies));
                  },
                  {.workers = 1, .stack_classes = classes}));
              EXPECT_TRUE(async([] { return large(); }).join());
            }),
            test::heap_caches);
}

TEST(Run, RecordsFromElsewhereAreUsedAgainWithinARun) {
  const pool_options pools[] = {{.name = "other"}};
  EXPECT_TRUE(run(
      [] {
        std::uint64_t before = 0;
        for (int i = 0; i < 10'000; ++i) {
          if (i == 1000) before = record_bytes();
          // Its end, on the other worker, gives the record back.
          std::atomic<bool> ran = false;
          (void)spawn([&] { ran = true; }, {.pool = "other"});
          test::yield_until([&] { return ran.load(); });
        }
        // Ten thousand are 2 MB; some are on their way.
        EXPECT_LT(record_bytes() - before, 200'000U);
      },
      {.workers = 1, .pools = pools}));
}

TEST(Run, StacksEndWithItWhileAHandleLivesOn) {
  const test::leak_baseline before;
  std::optional<runtime_handle> kept;
  ASSERT_TRUE(run([&] { kept = runtime_handle::current().value(); }, {.workers = 2}));
  const auto now = test::process_counts::now();
  kept.reset();
  EXPECT_EQ(before.differences(), "");
  EXPECT_EQ(now.mapped_bytes, test::process_counts::now().mapped_bytes);
}

TEST(RunStop, TheTokenCancelsTheRuntime) {
  const auto stop = cancel_source::create().value();
  const auto ended = run(
      [&]() -> result<void> {
        EXPECT_TRUE(this_coro::checkpoint());
        EXPECT_TRUE(stop.cancel());
        EXPECT_EQ(kind_of(this_coro::checkpoint()), errc::cancelled);
        test::rendezvous<int> never;
        return perform(wrap(never.receive(), [](int) {}));
      },
      {.workers = 1, .stop = stop.token()});
  EXPECT_EQ(primary_of(ended), errc::cancelled);
}

TEST(RunStop, AFiredTokenCancelsFromTheBeginning) {
  const auto stop = cancel_source::create().value();
  stop.cancel();
  std::optional<errc> first;
  const auto ended =
      run([&] { first = kind_of(this_coro::checkpoint()); }, {.workers = 2, .stop = stop.token()});
  EXPECT_TRUE(ended) << "main runs, and may ignore it (C-16)";
  EXPECT_EQ(first, errc::cancelled);
}

TEST(RunStop, ABindingOfTheCallerStopsIt) {
  const auto outer = cancel_source::create().value();
  const cancel_binding bound(outer.token());
  const auto ended = run(
      [&]() -> result<void> {
        (void)outer.cancel();
        return yield_now();
      },
      {.workers = 1});
  EXPECT_EQ(primary_of(ended), errc::cancelled);
}

TEST(RunStop, AnotherThreadFiresWhileAllWait) {
  const auto stop = cancel_source::create().value();
  std::atomic<int> waiting = 0;
  const test::joined_thread canceller([&] {
    while (waiting != 4) std::this_thread::yield();
    (void)stop.cancel();
  });
  test::rendezvous<int> never;
  const auto ended = run(
      [&] {
        for (int i = 0; i < 4; ++i) {
          (void)spawn([&] {
            ++waiting;
            EXPECT_EQ(kind_of(perform(never.receive())), errc::cancelled);
          });
        }
      },
      {.workers = 2, .stop = stop.token()});
  EXPECT_TRUE(ended);
}

#if BAST_EXCEPTIONS
TEST(Run, F6_AnExceptionOfMainIsThePrimary) {
  const auto got = run([]() -> int { throw std::runtime_error("from main"); });
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().primary.exception, nullptr);
  EXPECT_NE(got.error().message().find("from main"), std::string::npos);
  try {
    std::rethrow_exception(got.error().primary.exception);
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "from main");
  }
}

TEST(Run, WhatTheCopyOfMainThrowsReachesTheCaller) {
  struct throws_on_copy {
    throws_on_copy() = default;
    throws_on_copy(const throws_on_copy&) { throw std::runtime_error("copy"); }
    void operator()() const {}
  };
  const throws_on_copy main;
  EXPECT_THROW((void)run(main, {.workers = 2}), std::runtime_error);
  EXPECT_TRUE(run([] {}));
}

TEST(Run, ACopyOfMainThatSpawnsAndThrowsLosesNothing) {
  static std::atomic<int> lives = 0;
  static std::atomic<int> runs = 0;
  struct spawns_on_copy {
    spawns_on_copy() = default;
    spawns_on_copy(const spawns_on_copy&) {
      (void)spawn([held = test::counted(lives)] { ++runs; });
      throw std::runtime_error("copy");
    }
    void operator()() const {}
  };
  const spawns_on_copy main;
  EXPECT_THROW((void)run(main, {.workers = 2}), std::runtime_error);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(lives, 0);
}

TEST(Run, X7_UntakenFailuresAfterMainsAreSuppressed) {
  test::unhandled_failures unhandled;
  const auto got = run(
      [] {
        for (int i = 0; i < 3; ++i) {
          (void)spawn(
              [] {
                // Until main has failed.
                test::yield_until([] { return !this_coro::checkpoint(); });
                throw std::runtime_error("later");
              },
              {.name = "child"});
        }
        throw std::runtime_error("first");
      },
      {.workers = 2, .unhandled = unhandled.sink()});
  ASSERT_FALSE(got);
  const failures& all = got.error();
  EXPECT_EQ(all.primary.message(), "fiber 'main': first");
  ASSERT_EQ(all.suppressed_count, 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(all.suppressed[i].message(), "fiber 'child': later");
  EXPECT_EQ(all.dropped, 0U);
  EXPECT_EQ(unhandled.count(), 0U);
  EXPECT_EQ(all.message(),
            "fiber 'main': first\nsuppressed: fiber 'child': later\n"
            "suppressed: fiber 'child': later\nsuppressed: fiber 'child': later");
}

TEST(Run, X7_OfManyFailuresTheNumberIsKept) {
  const auto got = run(
      [] {
        for (int i = 0; i < 40; ++i) {
          (void)spawn([] {
            test::yield_until([] { return !this_coro::checkpoint(); });
            throw std::runtime_error("later");
          });
        }
        throw std::runtime_error("first");
      },
      {.workers = 1});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().suppressed_count, failures::kept_max);
  EXPECT_EQ(got.error().dropped, 40 - failures::kept_max);
}

TEST(Run, X7_FailuresBeforeMainsGoToUnhandled) {
  test::unhandled_failures unhandled;
  const auto got = run(
      [&] {
        (void)spawn([] { throw std::runtime_error("early"); }, {.name = "child"});
        test::yield_until([&] { return unhandled.count() == 1; });
        throw std::runtime_error("main's");
      },
      {.workers = 1, .unhandled = unhandled.sink()});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().suppressed_count, 0U);
  EXPECT_EQ(unhandled.messages(), std::vector<std::string>{"fiber 'child': early"});
}
#endif

}  // namespace
}  // namespace bast
