// SPDX-License-Identifier: Apache-2.0
//
// Parking: a coroutine suspends until its executor continues it, and nobody else can (F-4). For
// executors; what waits does so by a waiter.
#pragma once

#include "bast/coro/yielder.hpp"

namespace bast::internal {

/// Suspends the running coroutine until continue_parked. Throws `forced_unwind` when it is released
/// meanwhile. All of it happens on one thread, so nothing is lost in between.
void park();

/// Whether `block`, of the calling thread, can be continued.
inline bool is_parked(const coro_block& block) noexcept {
  constexpr coro_tag looked_at = tag_state_mask | flag_parked | flag_scheduled;
  return (block.tag & looked_at) == (static_cast<coro_tag>(coro_state::suspended) | flag_parked);
}

/// Continues it until it suspends, parks again or ends. Requires is_parked().
void continue_parked(coro_block& block) noexcept;

}  // namespace bast::internal
