// SPDX-License-Identifier: Apache-2.0
//
// Fibers of stack classes: each gets a stack of its class, and waits only for those.
#include "bast/sched/stack_class.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <source_location>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;
using test::rendezvous;

constexpr bytes deep_limit{std::size_t{4} << 20};

/// Uses about so many bytes of stack.
[[gnu::noinline]] std::size_t dig(std::size_t bytes_left) {
  volatile unsigned char frame[4096] = {};
  frame[bytes_left % sizeof(frame)] = 1;
  if (bytes_left <= sizeof(frame)) return frame[0] + std::size_t{1};
  return dig(bytes_left - sizeof(frame)) + frame[1];
}

stack_class_options deep(std::size_t stacks_max = 100) {
  return {.name = "deep", .stack = {.limit = deep_limit}, .stacks_max = stacks_max};
}

TEST(StackClass, D14_AFiberHasAStackOfItsClass) {
  const stack_class_options classes[] = {deep(), {.name = "small", .stack = {.limit = 16_KiB}}};
  for (const std::size_t workers : {1U, 3U}) {
    EXPECT_TRUE(run(
        [] {
          std::vector<fiber<std::size_t>> all;
          for (int i = 0; i < 20; ++i) {
            // Sixteen times what a stack of the default class has.
            all.push_back(
                spawn([] { return dig(std::size_t{3} << 20); }, {.stack = "deep"}).value());
            all.push_back(spawn([] { return dig(1000); }, {.stack = "small"}).value());
            all.push_back(spawn([] { return dig(100'000); }).value());
          }
          for (auto& each : all) EXPECT_TRUE(each.join());
        },
        {.workers = workers, .stack_classes = classes}));
  }
}

TEST(StackClass, ItsStacksAreCountedApart) {
  const stack_class_options classes[] = {deep()};
  const auto where = std::source_location::current();
  EXPECT_TRUE(run(
      [&] {
        EXPECT_EQ(this_fiber::worker_stacks("deep").slots_opened, 0U);
        for (int i = 0; i < 3; ++i) {
          const auto end = spawn(
                               [] {
                                 EXPECT_EQ(this_fiber::worker_stacks("deep").live, 1U);
                                 EXPECT_EQ(this_fiber::worker_stacks().live, 1U) << "main";
                                 return dig(std::size_t{1} << 20);
                               },
                               {.stack = "deep"}, where)
                               ->join();
          EXPECT_TRUE(end);
        }
        EXPECT_EQ(this_fiber::worker_stacks("deep").live, 0U);
        EXPECT_GE(this_fiber::worker_stacks("deep").idle, 1U);
        std::uint64_t uses = 0;
        std::uint64_t growths = 0;
        std::size_t deepest = 0;
        this_fiber::for_each_worker_site(
            [&](const site_stats& s) {
              if (s.key != site_key::at(where)) return;
              uses = s.uses;
              growths = s.grows;
              deepest = s.max.count;
            },
            "deep");
        EXPECT_EQ(uses, 3U);
        EXPECT_GE(growths, 1U);
        // AddressSanitizer keeps arrays elsewhere.
        EXPECT_GE(deepest, std::size_t{256} << 10) << "more than a default one has";
        this_fiber::for_each_worker_site(
            [&](const site_stats& s) { EXPECT_NE(s.key, site_key::at(where)); });
        EXPECT_EQ(this_fiber::worker_stacks("other").slots_opened, 0U);
        this_fiber::for_each_worker_site([](const site_stats&) { ADD_FAILURE(); }, "other");
      },
      {.workers = 1, .stack_classes = classes}));
  EXPECT_EQ(this_fiber::worker_stacks("deep").slots_opened, 0U);
}

TEST(StackClass, ChildrenDoNotInheritIt) {
  const stack_class_options classes[] = {deep()};
  EXPECT_TRUE(run(
      [] {
        const auto end =
            spawn(
                [] { (void)spawn([] { return this_fiber::worker_stacks("deep").live; })->join(); },
                {.stack = "deep"})
                ->join();
        EXPECT_TRUE(end);
        EXPECT_EQ(this_fiber::worker_stacks("deep").slots_opened,
                  this_fiber::worker_stacks("deep").idle);
      },
      {.workers = 1, .stack_classes = classes}));
}

TEST(StackClass, AnUnknownNameIsInvalid) {
  const stack_class_options classes[] = {deep()};
  EXPECT_TRUE(run(
      [] {
        const auto function = [](auto...) {};
        const spawn_options options{.stack = "shallow"};
        const auto refused = spawn(function, options);
        EXPECT_EQ(kind_of(refused), errc::invalid);
        EXPECT_NE(refused.error().message().find("stack_classes"), std::string::npos);
        EXPECT_EQ(kind_of(runtime_handle::current()->spawn(function, options)), errc::invalid);
        EXPECT_EQ(kind_of(concurrent(function, options)), errc::invalid);
        EXPECT_EQ(kind_of(spawn_batch(2, function, options)), errc::invalid);
      },
      {.workers = 1, .stack_classes = classes}));
}

std::string refusal(const run_options& options) {
  const auto got = run([] { ADD_FAILURE(); }, options);
  if (got || test::primary_of(got) != errc::invalid) return "";
  return got.error().primary.message();
}

TEST(StackClass, WrongOptionsAreInvalid) {
  const stack_class_options unnamed[] = {deep(), {}};
  EXPECT_NE(refusal({.stack_classes = unnamed}).find("no name"), std::string::npos);
  const stack_class_options twice[] = {deep(), {.name = "other"}, deep()};
  EXPECT_NE(refusal({.stack_classes = twice}).find("one name"), std::string::npos);
  const stack_class_options none[] = {deep(0)};
  EXPECT_NE(refusal({.stack_classes = none}).find("stacks_max"), std::string::npos);
  const stack_class_options tiny[] = {{.name = "tiny", .stack = {.limit = bytes(10)}}};
  EXPECT_NE(refusal({.workers = 2, .stack_classes = tiny}), "");
  const std::vector<stack_class_options> many(256, {.name = "x"});
  EXPECT_NE(refusal({.stack_classes = many}).find("255"), std::string::npos);
}

TEST(StackClass, TheOptionsAreCopied) {
  auto fibers = [] {
    const stack_class_options classes[] = {deep()};
    return guest_runtime::create({.stack_classes = classes}).value();
  }();
  auto one =
      fibers.handle().spawn([] { return dig(std::size_t{1} << 20); }, {.stack = "deep"}).value();
  while (!fibers.idle()) EXPECT_TRUE(fibers.turn(std::chrono::hours(1)));
  EXPECT_TRUE(one.join());
}

TEST(StackClass, AClassThatIsUsedUpBlocksNoOther) {
  const stack_class_options classes[] = {deep(1), {.name = "other", .stacks_max = 1}};
  for (const bool is_pinned : {false, true}) {
    EXPECT_TRUE(run(
        [&] {
          rendezvous<int> go;
          auto holder =
              spawn([&] { return perform(go.receive()).value(); }, {.stack = "deep"}).value();
          test::yield_until([&] { return go.waiting() == 1; });
          std::vector<fiber<void>> waiting;
          int ran = 0;
          for (int i = 0; i < 10; ++i) {
            waiting.push_back(
                spawn([&] { ++ran; }, {.pinned = is_pinned, .stack = "deep"}).value());
          }
          for (int i = 0; i < 10; ++i) {
            EXPECT_TRUE(
                spawn([] { (void)yield_now(); }, {.pinned = is_pinned, .stack = "other"})->join());
            EXPECT_TRUE(spawn([] { (void)yield_now(); })->join());
          }
          EXPECT_EQ(ran, 0);
          EXPECT_EQ(this_fiber::worker_stacks("deep").live, 1U);
          int value = 3;
          EXPECT_TRUE(perform(go.send(value)));
          for (auto& each : waiting) EXPECT_TRUE(each.join());
          EXPECT_EQ(ran, 10);
          EXPECT_EQ(this_fiber::worker_stacks("deep").slots_opened, 1U);
          EXPECT_TRUE(holder.join());
        },
        {.workers = 1, .stack_classes = classes}));
  }
}

TEST(StackClass, IO7_WhoWaitsForAStackGetsItInOrder) {
  const stack_class_options classes[] = {deep(1)};
  for (const bool is_pinned : {false, true}) {
    std::string order;
    EXPECT_TRUE(run(
        [&] {
          rendezvous<int> go;
          auto holder =
              spawn([&] { return perform(go.receive()).value(); }, {.stack = "deep"}).value();
          test::yield_until([&] { return go.waiting() == 1; });
          std::vector<fiber<void>> waiting;
          // The first ones have been tried in vain when the others come.
          for (const std::string_view names : {"abc", "def"}) {
            for (const char name : names) {
              waiting.push_back(
                  spawn([&order, name] { order += name; }, {.pinned = is_pinned, .stack = "deep"})
                      .value());
            }
            for (int i = 0; i < 1000; ++i) EXPECT_TRUE(yield_now());
          }
          EXPECT_EQ(order, "");
          int value = 1;
          EXPECT_TRUE(perform(go.send(value)));
          for (auto& each : waiting) EXPECT_TRUE(each.join());
          EXPECT_TRUE(holder.join());
        },
        {.workers = 1, .stack_classes = classes}));
    EXPECT_EQ(order, "abcdef") << is_pinned;
  }
}

TEST(StackClass, TheDefaultOnesThatAreUsedUpBlockNoClass) {
  // Main holds the only one.
  const stack_class_options classes[] = {deep(2)};
  EXPECT_TRUE(run(
      [] {
        std::vector<fiber<void>> waiting;
        int ran = 0;
        for (int i = 0; i < 10; ++i) waiting.push_back(spawn([&] { ++ran; }).value());
        for (int i = 0; i < 10; ++i) {
          EXPECT_TRUE(spawn([] { (void)yield_now(); }, {.stack = "deep"})->join());
          EXPECT_TRUE(concurrent([] { (void)yield_now(); }, {.stack = "deep"})->join());
        }
        EXPECT_EQ(ran, 0);
      },
      {.workers = 1, .stacks_max = 1, .stack_classes = classes}));
}

TEST(StackClass, ItsFibersGoThroughOneStack) {
  const stack_class_options classes[] = {deep(1)};
  for (const std::size_t workers : {1U, 3U}) {
    std::atomic<int> ran = 0;
    test::unhandled_failures unhandled;
    EXPECT_TRUE(run(
        [&] {
          for (int i = 0; i < 100; ++i) {
            EXPECT_TRUE(spawn(
                [&] {
                  ++ran;
                  (void)yield_now();
                  EXPECT_TRUE(spawn([&] { ++ran; }, {.stack = "deep"}));
                },
                {.stack = "deep"}));
          }
        },
        {.workers = workers, .stack_classes = classes, .unhandled = unhandled.sink()}));
    EXPECT_EQ(ran, 200);
    EXPECT_EQ(unhandled.messages(), std::vector<std::string>{});
  }
}

TEST(StackClass, IO7_NeitherItsFibersNorOthersStarve) {
  // Each kind spawns the next one for ever, until those of the other kinds have run.
  const stack_class_options classes[] = {deep(3), {.name = "other"}};
  constexpr static std::array<const char*, 4> names = {nullptr, nullptr, "deep", "other"};
  struct chain {
    std::array<int, 4>& ran;
    std::size_t kind;
    void operator()() const {
      ++ran[kind];
      if (*std::ranges::min_element(ran) >= 50) return;
      EXPECT_TRUE(spawn(chain{ran, kind}, {.pinned = kind == 1, .stack = names[kind]}));
    }
  };
  std::array<int, 4> ran{};
  EXPECT_TRUE(run(
      [&] {
        for (std::size_t kind = 1; kind < ran.size(); ++kind) chain{ran, kind}();
        chain{ran, 0}();
      },
      {.workers = 1, .stack_classes = classes}));
  EXPECT_GE(*std::ranges::min_element(ran), 50);
}

TEST(StackClass, IO7_WhoOnlyYieldsReachesTheNextRound) {
  const stack_class_options classes[] = {deep()};
  EXPECT_TRUE(run(
      [] {
        for (const bool is_pinned : {false, true}) {
          for (const char* const name : {"deep", static_cast<const char*>(nullptr)}) {
            bool has_run = false;
            (void)spawn([&] { has_run = true; }, {.pinned = is_pinned, .stack = name});
            int yields = 0;
            test::yield_until([&] { return has_run || ++yields > 1000; });
            EXPECT_LE(yields, 600) << is_pinned;
            test::yield_until([&] { return has_run; });
          }
        }
      },
      {.workers = 1, .stack_classes = classes}));
}

TEST(StackClass, IdleWorkersTakeItsFibers) {
  const stack_class_options classes[] = {deep()};
  EXPECT_TRUE(run(
      [] {
        // Main does not wait: only others can run them.
        std::set<std::size_t> workers;
        std::atomic<int> started = 0;
        std::vector<fiber<std::size_t>> all;
        for (int i = 0; i < 8; ++i) {
          all.push_back(spawn(
                            [&] {
                              ++started;
                              return this_fiber::worker();
                            },
                            {.stack = "deep"})
                            .value());
          while (started != i + 1) std::this_thread::yield();
        }
        for (auto& each : all) workers.insert(each.join().value());
        EXPECT_FALSE(workers.contains(0));
      },
      {.workers = 3, .stack_classes = classes}));
}

TEST(StackClass, PinnedOnesStayAndPoolsHaveThem) {
  const stack_class_options classes[] = {deep()};
  const pool_options pools[] = {{.name = "disk"}};
  EXPECT_TRUE(run(
      [] {
        const std::size_t here = this_fiber::worker();
        for (int i = 0; i < 20; ++i) {
          const auto where = [] {
            (void)dig(std::size_t{1} << 20);
            return this_fiber::worker();
          };
          EXPECT_EQ(spawn(where, {.pinned = true, .stack = "deep"})->join().value(), here);
          EXPECT_EQ(spawn(where, {.pool = "disk", .stack = "deep"})->join().value(), 2U);
          EXPECT_EQ(concurrent(where, {.stack = "deep"})->join().value(), here);
        }
        auto all =
            spawn_batch(20, [](std::size_t i) { return dig(std::size_t{1} << 20) != 0 ? i : 0; },
                        {.stack = "deep"})
                .value();
        for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].join().value(), i);
      },
      {.workers = 2, .pools = pools, .stack_classes = classes}));
}

TEST(StackClass, IO2_ConcurrentNeedsAStackOfTheClass) {
  const stack_class_options classes[] = {deep(1)};
  EXPECT_TRUE(run(
      [] {
        auto one = concurrent([] {}, {.stack = "deep"}).value();
        EXPECT_EQ(kind_of(concurrent([] {}, {.stack = "deep"})), errc::concurrency_unavailable);
        auto after = spawn([] {}, {.stack = "deep"}).value();
        EXPECT_TRUE(after.join());
        EXPECT_TRUE(one.join());
        EXPECT_TRUE(concurrent([] {}, {.stack = "deep"})->join());
      },
      {.workers = 1, .stack_classes = classes}));
}

TEST(StackClass, AStackThatCannotBeHadIsTheOutcome) {
  const stack_class_options classes[] = {{.name = "none", .stack = {.budget = bytes(4096)}}};
  EXPECT_TRUE(run(
      [] {
        EXPECT_EQ(kind_of(spawn([] {}, {.stack = "none"})->join()), errc::limit);
        EXPECT_TRUE(spawn([] {})->join());
      },
      {.workers = 1, .stack_classes = classes}));
}

TEST(StackClass, X6_EachCallFails) {
  const stack_class_options classes[] = {deep(2), {.name = "other", .stacks_max = 1}};
  const auto is_clear = [](const error& e) {
    return e == errc::no_memory || e == errc::limit || e == errc::invalid;
  };
  const auto loop = test::for_each_failing_call([&](test::injection& faults) -> std::string {
    std::string wrong;
    std::atomic<int> lives = 0;
    const auto got = run(
        [&] {
          std::vector<fiber<void>> all;
          for (int i = 0; i < 12; ++i) {
            auto made = spawn([held = test::counted(lives)] { (void)yield_now(); },
                              {.pinned = i % 4 == 3,
                               .stack = i % 3 == 0   ? nullptr
                                        : i % 3 == 1 ? "deep"
                                                     : "other"});
            if (made) {
              all.push_back(std::move(*made));
            } else if (!is_clear(made.error())) {
              wrong = made.error().message();
            }
          }
          for (auto& each : all) {
            if (const auto end = each.join(); !end && !is_clear(end.error())) {
              wrong = end.error().message();
            }
          }
          faults.end();
          for (const char* const name : {"deep", "other"}) {
            if (!spawn([] {}, {.stack = name})->join()) wrong = "after the faults it fails";
          }
        },
        {.workers = 1, .stack_classes = classes});
    faults.end();
    if (lives != 0) return "a function is left";
    if (!got && (!got.error().primary.why || !is_clear(*got.error().primary.why))) {
      return got.error().message();
    }
    return wrong;
  });
  EXPECT_EQ(loop.complaints, "");
  EXPECT_GT(loop.injected, 0U);
}

}  // namespace
}  // namespace bast
