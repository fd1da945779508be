// SPDX-License-Identifier: Apache-2.0
//
// `this_coro`: the running coroutine, for code that was not handed its yielder.
#pragma once

#include "bast/coro/transfer.hpp"
#include "bast/coro/unwind.hpp"

namespace bast::this_coro {

/// True inside a coroutine.
inline bool exists() noexcept { return internal::this_thread.current != nullptr; }

/// Suspends the running coroutine. For coroutines that yield and take nothing. Throws
/// `forced_unwind` when the coroutine is released meanwhile. Errors: not_in_fiber; bad_state in a
/// coroutine that yields or takes values, which needs its yielder.
[[nodiscard]] result<void> yield();

/// The running coroutine's name, or null.
const char* name() noexcept;
/// Names it; static lifetime. Errors: not_in_fiber.
[[nodiscard]] result<void> set_name(const char* name) noexcept;

/// The running coroutine's user data, or null.
void* user_data() noexcept;
[[nodiscard]] result<void> set_user_data(void* data) noexcept;

/// True while the running coroutine is being unwound: suspending throws.
bool unwinding() noexcept;

/// Bytes of stack between the caller's frame and the limit: what is left to recurse into. 0 outside
/// a coroutine.
bytes stack_left() noexcept;
/// Bytes of stack in use above the caller's frame. 0 outside a coroutine.
bytes stack_used() noexcept;

}  // namespace bast::this_coro
