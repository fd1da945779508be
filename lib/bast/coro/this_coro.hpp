// SPDX-License-Identifier: Apache-2.0
//
// `this_coro`: the running coroutine, for code without access to its yielder.
#pragma once

#include "bast/coro/transfer.hpp"
#include "bast/coro/unwind.hpp"

namespace bast::inline BAST_ABI::this_coro {

/// Returns true inside a coroutine.
inline bool exists() noexcept { return internal::this_thread.current != nullptr; }

/// Suspends the running coroutine, which must yield and take nothing. Throws `forced_unwind` if the
/// coroutine is released meanwhile. Errors: not_in_fiber; bad_state in a coroutine that yields or
/// takes values: use its yielder.
[[nodiscard]] result<void> yield();

/// The running coroutine's name, or null.
const char* name() noexcept;
/// Sets the name, which must have static lifetime. Errors: not_in_fiber.
[[nodiscard]] result<void> set_name(const char* name) noexcept;

/// The running coroutine's user data, or null.
void* user_data() noexcept;
[[nodiscard]] result<void> set_user_data(void* data) noexcept;

/// Returns true while the running coroutine is being unwound: suspending throws.
bool unwinding() noexcept;

/// Bytes of stack between the caller's frame and the limit. 0 outside a coroutine.
bytes stack_left() noexcept;
/// Bytes of stack in use above the caller's frame. 0 outside a coroutine.
bytes stack_used() noexcept;

}  // namespace bast::inline BAST_ABI::this_coro
