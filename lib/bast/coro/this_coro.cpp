// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/this_coro.hpp"

#include "bast/coro/no_suspension.hpp"
#include "bast/coro/yielder.hpp"

namespace bast::inline BAST_ABI::this_coro {
namespace {

using internal::coro_block;

coro_block* running() noexcept { return internal::this_thread.current; }

std::unexpected<error> nobody(static_string operation) noexcept {
  return fail(errc::not_in_fiber, operation, "no coroutine runs on this thread");
}

const std::byte* here() noexcept {
  return static_cast<const std::byte*>(__builtin_frame_address(0));
}

}  // namespace

result<void> yield() {
  coro_block* const block = running();
  if (block == nullptr) return nobody("this_coro.yield");
  if (internal::is_stand_in(*block)) {
    return fail(errc::bad_state, "this_coro.yield", "a cancellation callback may not suspend");
  }
  if ((block->tag & internal::flag_untyped) == 0) {
    return fail(errc::bad_state, "this_coro.yield",
                "this coroutine yields or takes values: use its yielder");
  }
  internal::suspend_self(*block);
  return {};
}

const char* name() noexcept { return exists() ? running()->stack->name : nullptr; }

result<void> set_name(const char* name) noexcept {
  if (!exists()) return nobody("this_coro.set_name");
  running()->stack->name = name;
  return {};
}

void* user_data() noexcept { return exists() ? running()->user_data : nullptr; }

result<void> set_user_data(void* data) noexcept {
  if (!exists()) return nobody("this_coro.set_user_data");
  running()->user_data = data;
  return {};
}

bool unwinding() noexcept { return exists() && (running()->tag & internal::flag_unwinding) != 0; }

bytes stack_left() noexcept {
  if (!exists()) return {};
  const arch::stack_bounds bounds = stack_pool::bounds_of(*running()->stack);
  return {static_cast<std::size_t>(here() - bounds.base)};
}

bytes stack_used() noexcept {
  if (!exists()) return {};
  const slot& stack = *running()->stack;
  return {static_cast<std::size_t>(stack.top - here())};
}

}  // namespace bast::inline BAST_ABI::this_coro
