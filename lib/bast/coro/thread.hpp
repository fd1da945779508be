// SPDX-License-Identifier: Apache-2.0
//
// What a thread knows about coroutines. A coroutine never leaves its thread (D5), so reading these
// through thread-local storage on either side of a switch is safe.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::internal {

struct thread_state {
  coro_block* current = nullptr;  // who runs here, or null: the thread itself
  // The coroutine that resumed `current`, or null. The two hand over to each other by several
  // stores, and either may need to grow meanwhile.
  coro_block* resuming = nullptr;
  // Who resumed `current`. Here rather than in its block, at an address that no switch both loads
  // and stores; a nested resume keeps the outer one on its own stack meanwhile.
  arch::context resumer;
  arch::exception_state* exceptions = nullptr;
  coro_tag tag = 0;  // this thread's part of a tag: its id, unique among living threads, or 0
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
