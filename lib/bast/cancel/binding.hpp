// SPDX-License-Identifier: Apache-2.0
//
// `cancel_binding`: the token that governs the running coroutine, and the checkpoints that test it.
//
//   coro.start([stop] {
//     bast::cancel_binding bound(stop);
//     while (work()) {
// deep inside, without passing a token
//     }
//   });
#pragma once

#include <type_traits>
#include <utility>

#include "bast/cancel/callback.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// The meaning of a coroutine's attachment.
struct coro_attachment {
  cancel_token token;
  coro_attachment* outer = nullptr;
  // The executor ends the waits of its fibers when the token fires: they need not register.
  bool by_executor = false;
};

/// What governs the running coroutine or thread, or null. It outlives every call that the governed
/// code makes: a binding is on its own stack.
const coro_attachment* governing_attachment() noexcept;
/// What governs the running coroutine, if that may wait by executor::depart(): `home` has chosen
/// it, it is not one that this one has resumed, and `home` cancels its waits. Else null.
[[gnu::always_inline]] inline const coro_attachment* plainly_governing(
    const executor& home) noexcept {
  const coro_block* const running = this_thread.current;
  if (running == nullptr || running != home.chosen()) return nullptr;
  const coro_attachment* const governs = attachment_of(*running);
  return governs != nullptr && governs->by_executor ? governs : nullptr;
}
/// Fails with `cancelled`, in the name of `operation`, if the token that governs the running
/// coroutine or thread has fired.
[[nodiscard]] result<void> check_governing(static_string operation) noexcept;

}  // namespace internal

/// While it exists, `token` governs the coroutine that constructed it, or the thread outside a
/// coroutine: once the token has fired, checkpoints fail and waits end. Bindings nest and end
/// innermost first (checked), or in any order after their coroutine. A binding of the default token
/// shields the code within it. A coroutine without one that a fiber has resumed is governed as the
/// fiber. On an abandoned stack it ends (F-12). Allocates nothing.
class [[nodiscard]] cancel_binding : private internal::abandonable,
                                     private internal::coro_attachment {
 public:
  explicit cancel_binding(cancel_token token) noexcept;
  cancel_binding(const cancel_binding&) = delete;
  cancel_binding& operator=(const cancel_binding&) = delete;
  ~cancel_binding();

 private:
  static void abandoned(internal::abandonable& place) noexcept;
  bool coroutine_is_gone() const noexcept;

  // The governed coroutine, identified by generation; the thread if null.
  const internal::coro_block* coroutine_;
  internal::coro_tag generation_;
  internal::coro_attachment** place_;
};

namespace this_coro {

/// The token that governs the running coroutine or thread; one that never fires if there is none.
cancel_token cancellation() noexcept;

/// Fails with `cancelled` if the governing token has fired, at each call (C-10). Never suspends.
[[nodiscard]] result<void> checkpoint() noexcept;

/// this_coro::yield between two checkpoints: if the first fails, yields nothing.
[[nodiscard]] result<void> cancellable_yield();

}  // namespace this_coro

/// Yields `value`; if the token has fired before, fails with `cancelled` and yields nothing.
/// Returns the value of the next resume even if the token fires meanwhile: no value is lost, and
/// the next checkpoint fails (C-11).
template <class Yield, class Resume, class... Value>
[[nodiscard]] result<Resume> cancellable_yield(yielder<Yield, Resume>& out, Value&&... value) {
  if (auto goes_on = this_coro::checkpoint(); !goes_on) return std::unexpected(goes_on.error());
  if constexpr (std::is_void_v<Resume>) {
    out.yield(std::forward<Value>(value)...);
    return this_coro::checkpoint();
  } else {
    return out.yield(std::forward<Value>(value)...);
  }
}

}  // namespace bast::inline BAST_ABI
