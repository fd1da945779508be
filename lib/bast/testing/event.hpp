// SPDX-License-Identifier: Apache-2.0
//
// The smallest thing to wait for.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "bast/coro.hpp"

namespace bast::test {

/// What one waits for: whoever has its address ends the wait. Takes its wait back when it ends.
struct event {
  internal::waiter who;
  internal::waiter::armed_word armed = who.arm();
  ~event() { (void)who.withdraw(); }

  bool set(std::uint16_t arm = internal::arm_first) {
    const bool mine = who.commit(armed, arm);
    if (mine) who.wake();
    return mine;
  }
};

/// A coroutine that waits for an event of its own, and that notes in `order` when it returns.
struct waiting_coroutine {
  coro<> coroutine;
  event* at = nullptr;
  int arm = -1;

  waiting_coroutine(coro_pool& pool, std::vector<waiting_coroutine*>& order)
      : coroutine(pool.acquire().value()) {
    EXPECT_TRUE(coroutine
                    .start([this, &order] {
                      event mine;
                      at = &mine;
                      arm = mine.who.wait();
                      order.push_back(this);
                    })
                    .parked());
  }
};

}  // namespace bast::test
