// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "bast/sched/sched_test.hpp"

namespace bast {
namespace {

using test::rendezvous;

TEST(StackClass, IO7_WhoWaitsForAStackGetsItInOrder) {
  const stack_class_options classes[] = {{.name = "deep", .stacks_max = 1}};
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

}  // namespace
}  // namespace bast
