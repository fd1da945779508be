// SPDX-License-Identifier: Apache-2.0
//
// IO-15: in a forked child the runtime of the parent is unusable: everything fails with `forked`,
// nothing hangs, and the child can leave.
#include <gtest/gtest.h>

#include <optional>

#include "bast/sched/sched_test.hpp"
#include "bast/testing/in_child.hpp"
#include "bast/testing/joined_thread.hpp"

namespace bast {
namespace {

using test::kind_of;

/// In a child: the number of the first expectation that does not hold, or 0.
int child_of_a_fiber(fiber<int>& running, fiber<int>& finished, runtime_handle& runtime) {
  const auto is_forked = [](const auto& got) { return kind_of(got) == errc::forked; };
  if (!is_forked(spawn([] {}))) return 1;
  if (!is_forked(spawn([] {}, {.daemon = true}))) return 2;
  if (!is_forked(runtime.spawn([] {}))) return 3;
  if (!is_forked(runtime.post([] {}))) return 4;
  if (!is_forked(yield_now())) return 5;
  if (!is_forked(running.join())) return 6;
  if (!is_forked(perform(finished.joined()))) return 7;
  if (!is_forked(perform(never_ready<int>()))) return 8;
  if (runtime.cancel()) return 9;
  if (test::primary_of(run([] {})) != errc::bad_state) return 10;
  {
    const fiber<int> dropped(std::move(running));
  }
  return 0;
}

TEST(SchedForked, IO15_EverythingFailsInTheChild) {
  for (const std::size_t workers : {1U, 3U}) {
    EXPECT_TRUE(run(
        [] {
          test::rendezvous<int> go;
          auto runtime = runtime_handle::current().value();
          auto running = spawn([&] { return perform(go.receive()).value(); }).value();
          auto finished = spawn([] { return 1; }).value();
          EXPECT_TRUE(perform(finished.done()));
          test::yield_until([&] { return go.waiting() == 1; });
          EXPECT_EQ(test::in_child([&] { return child_of_a_fiber(running, finished, runtime); }),
                    0);
          // The parent goes on as if nothing had happened.
          int value = 4;
          EXPECT_TRUE(perform(go.send(value)));
          EXPECT_EQ(running.join().value(), 4);
          EXPECT_EQ(finished.join().value(), 1);
        },
        {.workers = workers}));
  }
}

TEST(SchedForked, IO15_AnotherThreadsChild) {
  if (BAST_WITH_TSAN) GTEST_SKIP() << "TSan follows neither threads nor fibers across fork";
  EXPECT_TRUE(run([] {
    auto runtime = runtime_handle::current().value();
    auto one = spawn([] { return 1; }).value();
    EXPECT_TRUE(perform(one.done()));
    std::atomic<bool> is_over = false;
    const test::joined_thread other([&] {
      EXPECT_EQ(test::in_child([&] {
                  if (kind_of(runtime.post([] {})) != errc::forked) return 1;
                  if (runtime.cancel()) return 2;
                  // This thread runs a runtime of its own in the child.
                  if (run([] { return spawn([] { return 3; })->join().value(); }).value() != 3) {
                    return 3;
                  }
                  return 0;
                }),
                0);
      is_over = true;
    });
    test::yield_until([&] { return is_over.load(); });
    EXPECT_EQ(one.join().value(), 1);
  }));
}

}  // namespace
}  // namespace bast
