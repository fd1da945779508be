// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/transfer.hpp"

#include <utility>

namespace bast::inline BAST_ABI::internal {

void run_setting_aside(coro_block& block, thread_state& thread, coro_tag running) noexcept {
  const set_aside mine(thread, running);
  const bool is_own = (running & flag_own_float) != 0;
  const bool was_own = thread.float_is_own;
  if (is_own && !was_own) thread.shared_float = &mine.float_words();
  thread.float_is_own = is_own || was_own;
  run_plainly(block, thread, running);
  thread.float_is_own = was_own;
  mine.restore(thread);
}

void suspend_setting_aside(coro_block& block, thread_state& thread) noexcept {
  const set_aside mine(thread, block.tag);
  suspend_plainly(block, thread, block.tag);
  mine.restore(thread);
}

}  // namespace bast::inline BAST_ABI::internal
