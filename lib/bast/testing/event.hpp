// SPDX-License-Identifier: Apache-2.0
//
// The smallest thing to wait for.
#pragma once

#include <cstdint>

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

}  // namespace bast::test
