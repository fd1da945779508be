// SPDX-License-Identifier: Apache-2.0
//
// Parking: a coroutine suspends until its executor resumes it; handles cannot (F-4). For executors;
// other code waits with a waiter.
#pragma once

#include "bast/coro/yielder.hpp"

namespace bast::inline BAST_ABI::internal {

/// Suspends the running coroutine until continue_parked(). Throws `forced_unwind` if it is released
/// first. Both run on one thread, so no wake-up is lost in between.
void park();

/// Returns true if `block`, of the calling thread, is parked and not scheduled.
inline bool is_parked(const coro_block& block) noexcept {
  constexpr coro_tag looked_at = tag_state_mask | flag_parked | flag_scheduled;
  return (block.tag & looked_at) == (static_cast<coro_tag>(coro_state::suspended) | flag_parked);
}

/// Resumes it until it suspends, parks again or ends. Requires is_parked().
void continue_parked(coro_block& block) noexcept;

}  // namespace bast::inline BAST_ABI::internal
