// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/park.hpp"

#include "bast/coro/no_suspension.hpp"

namespace bast::internal {

void park() {
  coro_block* const block = this_thread.current;
  BAST_CHECK(block != nullptr && !is_stand_in(*block), "parked outside a coroutine");
  BAST_CHECK((block->tag & flag_scheduled) == 0, "a scheduled coroutine waits by its scheduler");
  block->tag = block->tag | flag_parked;
  suspend_self(*block, nullptr);
}

bool parked_coro::wake() const noexcept {
  if (block_ == nullptr) return false;
  const coro_tag tag = block_->tag;
  const coro_tag flags = tag & tag_flags_mask;
  const coro_tag wanted =
      generation_ | this_thread.tag | static_cast<coro_tag>(coro_state::suspended) | flags;
  if (tag != wanted || (flags & (flag_parked | flag_scheduled)) != flag_parked) return false;
  run(*block_, this_thread, with_state(tag & ~flag_parked, coro_state::running));
  return true;
}

}  // namespace bast::internal
