// SPDX-License-Identifier: Apache-2.0
//
// The per-thread state of the coroutine layer. A coroutine never leaves its thread (D5), so
// thread-local storage is safe to read on either side of a switch.
#pragma once

#include <cstdint>

#include "bast/coro/block.hpp"

namespace bast::inline BAST_ABI::internal {

/// Where the resumer of a coroutine continues.
struct resumer_state {
  arch::context context;  // first: resumer_links lead there
  [[no_unique_address]] arch::fiber_hooks hooks;
};

class executor;

struct thread_state {
  coro_block* current = nullptr;  // the running coroutine, or null: the thread itself
  // The coroutine that resumed `current`, or that is switching to it, or null. A handover takes
  // several stores, and meanwhile either stack may need to grow.
  coro_block* resuming = nullptr;
  // The coroutine that ended by switching to `current`, until `current` has returned its stack.
  coro_block* ended = nullptr;
  // The resumer of `current`. Not in its block, so that no switch both loads and stores this
  // address. A nested resume keeps the outer one on its own stack.
  resumer_state resumer;
  resumer_state* outermost = nullptr;  // within a nested resume: the thread's own
  arch::exception_state* exceptions = nullptr;
  std::uint32_t suspension_forbidden = 0;  // number of active no_suspension in its coroutines
  coro_tag tag = 0;  // the tag bits of this thread: its id, unique among living threads, or 0
  // While a coroutine with own control words runs, those of all others are saved: in its resumer's
  // frame, or here.
  bool float_is_own = false;
  const arch::float_control* shared_float = nullptr;
  arch::float_control shared_words;

  void share_float() noexcept {
    shared_words = arch::float_control::read();
    shared_float = &shared_words;
  }
  // The scheduler that runs the current coroutine; waits use it (waiter.hpp).
  executor* scheduler = nullptr;
  std::uint64_t waits = 0;  // number of waits armed on this thread: the epochs
  // Ops that may still succeed at once before the running fiber lets others run (IO-7); its
  // scheduler sets it at each resume.
  std::uint32_t ops_left = 0;
  // Returns the stack of `ended`, for direct switches (switch_to.hpp).
  void (*recycle)(coro_block& ended) noexcept = nullptr;
};

// constinit on the declaration: access needs no initialisation guard.
extern constinit thread_local thread_state this_thread;

/// Prepares the calling thread each time it is about to use a pool: an id, an alternate signal
/// stack, the runtime's exception words. Undone when the thread ends, after its last pool. Errors:
/// `limit` (65,535 threads), and those of os::ensure_alternate_stack and os::at_thread_end.
[[nodiscard]] result<void> prepare_thread() noexcept;

/// The slot that may grow for the calling thread, for stack_pool::set_user; `user` is a thread's
/// tag. Async-signal-safe.
slot* running_stack_of(std::uint64_t user, slot& at) noexcept;

}  // namespace bast::inline BAST_ABI::internal
