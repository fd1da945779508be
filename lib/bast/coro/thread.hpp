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
  // Who resumed `current`. Here rather than in its block, at an address that no switch both loads
  // and stores; a nested resume keeps the outer one on its own stack meanwhile.
  arch::context resumer;
  arch::exception_state* exceptions = nullptr;
  coro_tag tag = 0;  // this thread's part of a tag: its id, unique among living threads, or 0
};

// constinit on the declaration: access needs no initialisation guard.
extern constinit thread_local thread_state this_thread;

/// Prepares the calling thread: an id, an alternate signal stack, the runtime's exception words.
/// Undone when the thread ends. Errors: `limit` (65,535 threads), and those of
/// os::ensure_alternate_stack.
[[nodiscard]] result<void> prepare_thread() noexcept;

}  // namespace bast::internal
