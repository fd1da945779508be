// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/park.hpp"

#include "bast/coro/no_suspension.hpp"

namespace bast::inline BAST_ABI::internal {

void park() {
  coro_block* const block = this_thread.current;
  BAST_CHECK(block != nullptr && !is_stand_in(*block), "parked outside a coroutine");
  BAST_CHECK((block->tag & flag_scheduled) == 0,
             "a scheduled coroutine must wait with its scheduler");
  block->tag = block->tag | flag_parked;
  suspend_self(*block);
}

void continue_parked(coro_block& block) noexcept {
  const coro_tag tag = block.tag;
  BAST_ASSERT(is_parked(block) && thread_of(tag) == this_thread.tag);
  run(block, this_thread, with_state(tag & ~flag_parked, coro_state::running));
}

}  // namespace bast::inline BAST_ABI::internal
