// SPDX-License-Identifier: Apache-2.0
//
// `no_suspension`: a scope that may not suspend, for example a cancellation callback (C-9). It
// replaces the running coroutine by a stand-in: yielding there fails with bad_state, or ends the
// process if a yielder is used. Yields elsewhere pay nothing. Other coroutines may be resumed.
#pragma once

#include <new>

#include "bast/coro/thread.hpp"

namespace bast::inline BAST_ABI::internal {

/// Stand-ins have no generation and no context. Only their tag, stack, user data and `transfer` are
/// read; `transfer` is the coroutine that they replace.
inline constexpr coro_tag stand_in_tag = static_cast<coro_tag>(coro_state::running);

inline bool is_stand_in(const coro_block& block) noexcept { return block.tag == stand_in_tag; }

/// The running coroutine itself, also behind a stand-in; null outside a coroutine.
inline coro_block* coroutine_here() noexcept {
  coro_block* const running = this_thread.current;
  if (running == nullptr || !is_stand_in(*running)) return running;
  return static_cast<coro_block*>(running->transfer);
}

class no_suspension {
 public:
  no_suspension() noexcept : outer_(this_thread.current) {
    if (outer_ == nullptr) [[likely]]
      return;
    coro_block& stand_in = *::new (&storage_) coro_block;
    stand_in.tag = stand_in_tag;
    stand_in.transfer = coroutine_here();
    stand_in.stack = outer_->stack;
    stand_in.user_data = outer_->user_data;
    this_thread.current = &stand_in;
    ++this_thread.suspension_forbidden;
  }
  ~no_suspension() {
    if (outer_ == nullptr) [[likely]]
      return;
    --this_thread.suspension_forbidden;
    this_thread.current = outer_;
  }
  no_suspension(const no_suspension&) = delete;
  no_suspension& operator=(const no_suspension&) = delete;

 private:
  coro_block* outer_;
  union {
    coro_block storage_;  // only in a coroutine; trivially destroyed
  };
};

/// As no_suspension; and the thread itself, which runs an event loop, may not wait either, where
/// it, and no coroutine, calls the function (waiter::check).
class no_waiting {
 public:
  no_waiting() noexcept { ++this_thread.suspension_forbidden; }
  ~no_waiting() { --this_thread.suspension_forbidden; }
  no_waiting(const no_waiting&) = delete;
  no_waiting& operator=(const no_waiting&) = delete;

 private:
  no_suspension coroutine_;
};

}  // namespace bast::inline BAST_ABI::internal
