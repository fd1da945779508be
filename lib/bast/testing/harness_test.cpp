// SPDX-License-Identifier: Apache-2.0
//
// The checks for other people's harnesses: silent when all is well, and not when it is not.
#include "bast/testing/harness.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace bast::test {
namespace {

TEST(InputWatch, IsSilentWhenAllIsWell) {
  input_watch watch(1);
  for (int input = 0; input < 10; ++input) {
    watch.begin();
    {
      coro_pool pool = *coro_pool::create();
      auto c = pool.acquire();
      ASSERT_TRUE(c->start([](yielder<>& out) { out.yield(); }));
      watch.check(pool);
      EXPECT_TRUE(c->release(abandon));
      watch.check(pool);
    }
    watch.end();
  }
}

TEST(InputWatchDeath, TellsOfWhatWasLost) {
  if (!BAST_WITH_ASAN && !BAST_WITH_TSAN) {
    EXPECT_DEATH(
        {
          input_watch watch(1);
          watch.begin();
          (void)::mmap(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          watch.end();
        },
        "mapped bytes: 1048576 more than before");
  }
}

TEST(InputWatchDeath, TellsOfAGuardThatDoesNotGuard) {
  EXPECT_DEATH(
      {
        coro_pool pool = *coro_pool::create({.stack = {.tier = stack_tier::protection}});
        auto c = pool.acquire();
        (void)c->start([](yielder<>& out) { out.yield(); });
        pool.for_each_stack([](const stack_view& stack) {
          (void)os::protect(slab::of(*stack.record).low(*stack.record), os::page_bytes(),
                            os::access::read_write);
        });
        input_watch::check(pool);
      },
      "the low end of the guard of stack 0 is accessible");
}

}  // namespace
}  // namespace bast::test
