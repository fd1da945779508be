// SPDX-License-Identifier: Apache-2.0
//
// The error messages of table F-1.
#include "bast/coro/pool_core.hpp"

namespace bast::inline BAST_ABI::internal {

error pool_core::elsewhere(static_string operation, static_string whose) const noexcept {
  if (process_.is_forked()) {
    return {errc::forked, operation, "its thread does not exist in this process"};
  }
  return {errc::wrong_thread, operation, whose};
}

error pool_core::diagnose(const coro_block& block, std::uint32_t generation, coro_op op) noexcept {
  static constexpr static_string operations[] = {"start",    "resume", "release",
                                                 "returned", "peek",   "describe"};
  const static_string operation = operations[static_cast<std::size_t>(op)];
  const coro_tag tag = block.tag;
  const coro_state state = state_of(tag);
  if (generation_of(tag) != generation || state == coro_state::free ||
      state == coro_state::retired) {
    return {errc::stale_handle, operation, "the coroutine was released, or its pool is gone"};
  }
  if (thread_of(tag) != this_thread.tag) {
    return static_cast<pool_core*>(chunk::of(block).owner)
        ->elsewhere(operation, "the coroutine belongs to another thread");
  }
  if ((tag & flag_scheduled) != 0) {
    return {errc::not_owner, operation, "the coroutine is scheduled: its scheduler runs it"};
  }
  switch (state) {
    case coro_state::running:
      if (op == coro_op::start || op == coro_op::returned) break;
      return {errc::busy, operation, "the coroutine is running"};
    case coro_state::finished:
      if (op != coro_op::resume) break;
      return {errc::finished, operation, "the coroutine ran to its end"};
    case coro_state::suspended:
      if (op == coro_op::peek) {
        return {errc::bad_state, operation, "the coroutine has not been resumed"};
      }
      if (op != coro_op::resume) break;
      return {errc::not_owner, operation, "the coroutine is parked: what it waits for resumes it"};
    default: break;
  }
  static constexpr static_string not_legal[] = {
      "the coroutine is free",     "the coroutine has not been started",
      "the coroutine is running",  "the coroutine is suspended",
      "the coroutine is finished", "the coroutine is retired"};
  return {errc::bad_state, operation, not_legal[static_cast<std::size_t>(state)]};
}

}  // namespace bast::inline BAST_ABI::internal
