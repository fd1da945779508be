// SPDX-License-Identifier: Apache-2.0
//
// What a fiber can read of the stacks of its worker.
#include <gtest/gtest.h>

#include <cstdint>
#include <source_location>

#include "bast/sched.hpp"

namespace bast {
namespace {

TEST(WorkerStacks, OutsideAFiberThereAreNone) {
  EXPECT_EQ(this_fiber::worker_stacks().slots_opened, 0U);
  bool called = false;
  this_fiber::for_each_worker_site([&](const site_stats&) { called = true; });
  EXPECT_FALSE(called);
}

TEST(WorkerStacks, ASiteCountsTheFibersThatHaveEnded) {
  const auto where = std::source_location::current();
  (void)run(
      [&] {
        for (int i = 0; i < 3; ++i) (void)spawn([] {}, {}, where).value().join();
        bool has_started = false;
        (void)spawn(
            [&] {
              has_started = true;
              (void)perform(never_ready<void>());
            },
            {}, where)
            .value();
        while (!has_started) (void)yield_now();
        std::uint64_t uses = 0;
        this_fiber::for_each_worker_site([&](const site_stats& s) {
          if (s.key == site_key::at(where)) uses = s.uses;
        });
        EXPECT_EQ(uses, 3U);
        EXPECT_EQ(this_fiber::worker_stacks().live, 2U) << "main, and the one that waits";
        (void)runtime_handle::current().value().cancel();
      },
      {.workers = 1});
}

}  // namespace
}  // namespace bast
