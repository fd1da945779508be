// SPDX-License-Identifier: Apache-2.0
//
// What a thread knows about coroutines. A coroutine never leaves its thread (D5), so reading these
// through thread-local storage on either side of a switch is safe.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::internal {

/// Where whoever resumed a coroutine continues.
struct resumer_state {
  arch::context context;  // first: resumer_links lead there
  [[no_unique_address]] arch::fiber_hooks hooks;
};

class executor;

struct thread_state {
  coro_block* current = nullptr;  // who runs here, or null: the thread itself
  // The coroutine that resumed `current`, or that switches to it, or null. The two hand over to
  // each other by several stores, and either may need to grow meanwhile.
  coro_block* resuming = nullptr;
  // The coroutine that ended when it switched to `current`, until that has taken its stack back.
  coro_block* ended = nullptr;
  // Who resumed `current`. Here rather than in its block, at an address that no switch both loads
  // and stores; a nested resume keeps the outer one on its own stack meanwhile.
  resumer_state resumer;
  resumer_state* outermost = nullptr;  // within a nested resume: the thread's own
  arch::exception_state* exceptions = nullptr;
  std::uint32_t suspension_forbidden = 0;  // so many no_suspension are in coroutines of it
  coro_tag tag = 0;  // this thread's part of a tag: its id, unique among living threads, or 0
  // While a coroutine with control words of its own runs, those of all others: in the frame of
  // whoever resumed it, or here.
  bool float_is_own = false;
  const arch::float_control* shared_float = nullptr;
  arch::float_control shared_words;

  void share_float() noexcept {
    shared_words = arch::float_control::read();
    shared_float = &shared_words;
  }
  // While a scheduler runs what runs here, that; whoever waits then waits by it (waiter.hpp).
  executor* scheduler = nullptr;
  std::uint64_t waits = 0;  // that were armed here: epochs
  // Takes the stack of `ended` back, for who switches straight on (switch_to.hpp).
  void (*recycle)(coro_block& ended) noexcept = nullptr;
};

// constinit on the declaration: access needs no initialisation guard.
extern constinit thread_local thread_state this_thread;

/// Prepares the calling thread, whenever a pool is to be used by it: an id, an alternate signal
/// stack, the runtime's exception words. Undone when the thread ends, after its last pool is gone.
/// Errors: `limit` (65,535 threads), and those of os::ensure_alternate_stack and os::at_thread_end.
[[nodiscard]] result<void> prepare_thread() noexcept;

/// The slot that may grow for the calling thread, for stack_pool::set_user; `user` is a thread's
/// tag. Async-signal-safe.
slot* running_stack_of(std::uint64_t user, slot& at) noexcept;

}  // namespace bast::internal
