// SPDX-License-Identifier: Apache-2.0
//
// The registry is made by the first coroutine of a process, which is what each test's process is.
#include <gtest/gtest.h>

#include "bast/coro.hpp"
#include "bast/os.hpp"

namespace bast {
namespace {

TEST(Registry, X6_ARefusedTableIsNoMemoryAndTheNextAttemptSucceeds) {
  coro_pool pool = *coro_pool::create();
  {
    const os::fault_scope all({.kind = os::call::map, .nth = 1, .persistent = true});
    EXPECT_EQ(pool.acquire().error(), errc::no_memory);
  }
  {
    const os::fault_scope opening({.kind = os::call::protect, .nth = 1});
    EXPECT_EQ(pool.acquire().error(), errc::no_memory);
  }
  auto c = pool.acquire();
  ASSERT_TRUE(c.has_value());
  EXPECT_TRUE(c->start([] {})->finished());
}

TEST(Registry, ASmallerTableServesWhereAddressSpaceIsLimited) {
  coro_pool pool = *coro_pool::create();
  const os::fault_scope largest({.kind = os::call::map, .nth = 1});
  auto c = pool.acquire();
  EXPECT_EQ(largest.injected(), 1U);
  ASSERT_TRUE(c.has_value()) << c.error().message();
  EXPECT_TRUE(c->start([] {})->finished());
}

}  // namespace
}  // namespace bast
