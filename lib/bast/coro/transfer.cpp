// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/transfer.hpp"

namespace bast::internal {

void run_setting_aside(coro_block& block, thread_state& thread, coro_tag running) noexcept {
  const set_aside mine(thread, running);
  run_plainly(block, thread, running);
  mine.restore(thread);
}

void suspend_setting_aside(coro_block& block, thread_state& thread) noexcept {
  const set_aside mine(thread, block.tag);
  suspend_plainly(block, thread);
  mine.restore(thread);
}

}  // namespace bast::internal
