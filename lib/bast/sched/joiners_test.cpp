// SPDX-License-Identifier: Apache-2.0
//
// Several that wait for the end of one fiber.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <vector>

#include "bast/sched/sched_test.hpp"

namespace bast {
namespace {

using test::rendezvous;

TEST(Join, BesideOthersThatWaitForTheSameEnd) {
  // Of each, whether it begins to wait before the joiner.
  for (const bool is_before : {false, true}) {
    for (const std::size_t workers : {1U, 2U}) {
      EXPECT_TRUE(run(
          [&] {
            rendezvous<int> go;
            std::atomic<int> waiting = 0;
            std::atomic<int> notified = 0;
            auto one = spawn([&] { return perform(go.receive()).value(); }).value();
            std::vector<fiber<void>> others;
            const auto add_others = [&] {
              for (int i = 0; i < 3; ++i) {
                others.push_back(spawn([&] {
                                   ++waiting;
                                   EXPECT_TRUE(perform(one.done()));
                                   ++notified;
                                 }).value());
              }
            };
            test::yield_until([&] { return go.waiting() == 1; });
            if (is_before) add_others();
            fiber<void> starter = spawn([&] {
                                    if (!is_before) add_others();
                                    test::yield_until([&] { return waiting == 3; });
                                    for (int i = 0; i < 10; ++i) (void)yield_now();
                                    int value = 6;
                                    EXPECT_TRUE(perform(go.send(value)));
                                  }).value();
            if (is_before) {
              test::yield_until([&] { return waiting == 3; });
              for (int i = 0; i < 10; ++i) (void)yield_now();
            }
            EXPECT_EQ(one.join().value(), 6);
            EXPECT_TRUE(starter.join());
            for (auto& each : others) EXPECT_TRUE(each.join());
            EXPECT_EQ(notified, 3);
          },
          {.workers = workers}));
    }
  }
}

TEST(Join, OneOfSeveralThatWaitMayBeCancelled) {
  // The oldest, one in the middle, the newest: the others are notified as before.
  constexpr std::size_t count = 4;
  for (std::size_t cancelled = 0; cancelled < count; ++cancelled) {
    EXPECT_TRUE(run(
        [&] {
          rendezvous<int> go;
          const auto own = cancel_source::create().value();
          auto one = spawn([&] { return perform(go.receive()).value(); }).value();
          std::array<std::optional<errc>, count> ends;
          std::vector<fiber<void>> waiting;
          std::size_t begun = 0;
          for (std::size_t i = 0; i < count; ++i) {
            waiting.push_back(spawn([&, i] {
                                std::optional<cancel_binding> bound;
                                if (i == cancelled) bound.emplace(own.token());
                                ++begun;
                                const auto got = perform(one.done());
                                ends[i] = got ? errc{} : got.error().kind();
                              }).value());
            test::yield_until([&] { return begun == i + 1; });
          }
          EXPECT_TRUE(own.cancel());
          EXPECT_TRUE(waiting[cancelled].join());
          EXPECT_EQ(ends[cancelled], errc::cancelled);
          for (std::size_t i = 0; i < count; ++i) {
            EXPECT_EQ(ends[i].has_value(), i == cancelled) << i;
          }
          int value = 2;
          EXPECT_TRUE(perform(go.send(value)));
          for (std::size_t i = 0; i < count; ++i) {
            if (i == cancelled) continue;
            EXPECT_TRUE(waiting[i].join());
            EXPECT_EQ(ends[i], errc{}) << i;
          }
          EXPECT_EQ(one.join().value(), 2);
        },
        {.workers = 1}));
  }
}

}  // namespace
}  // namespace bast
