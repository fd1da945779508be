// SPDX-License-Identifier: Apache-2.0
//
// A minimal object to wait for.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "bast/coro.hpp"

namespace bast::test {

/// Any code with its address can end the wait. Its destructor withdraws the wait.
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

/// A coroutine that waits for its own event and appends to `order` when the wait returns.
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
