// SPDX-License-Identifier: Apache-2.0
//
// Parking: a coroutine suspends until what it waits for continues it, and nobody else can (F-4).
// For the layers above; users wait through their operations.
#pragma once

#include "bast/coro/yielder.hpp"

namespace bast::internal {

/// A coroutine that parks, for whoever will continue it. Owns nothing; harmless when stale.
class parked_coro {
 public:
  parked_coro() = default;
  explicit parked_coro(coro_block& block) noexcept
      : block_(&block), generation_(block.tag & tag_generation_mask) {}

  /// Continues it until it suspends, parks again or ends. False, and nothing happens, when it is
  /// not parked: it was released, or continued before. Its own thread only.
  bool wake() const noexcept;

 private:
  coro_block* block_ = nullptr;
  coro_tag generation_ = 0;  // in its place in the tag
};

/// Suspends the running coroutine until its parked_coro is woken. Throws `forced_unwind` when it is
/// released meanwhile; the caller's frame must then forget what it waited for. All of it happens on
/// one thread, so no waking is lost in between.
void park();

}  // namespace bast::internal
