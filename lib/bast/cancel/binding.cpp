// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/binding.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

namespace {

/// The place that holds the binding of the running coroutine or thread.
coro_attachment*& attachment_here() noexcept {
  static constinit thread_local coro_attachment* of_thread = nullptr;
  const coro_block* const running = coroutine_here();
  return running != nullptr ? attachment_of(*running) : of_thread;
}

}  // namespace

const coro_attachment* governing_attachment() noexcept {
  const coro_attachment* const own = attachment_here();
  if (own != nullptr || this_thread.current == nullptr || this_thread.scheduler == nullptr) {
    return own;
  }
  return this_thread.scheduler->governing();
}

result<void> check_governing(static_string operation) noexcept {
  const coro_attachment* const governed = governing_attachment();
  if (governed == nullptr) return {};
  return governed->token.check(operation);
}

}  // namespace internal

cancel_binding::cancel_binding(cancel_token governing) noexcept
    : abandonable(abandoned),
      coro_attachment{.token = std::move(governing), .outer = internal::attachment_here()},
      coroutine_(internal::coroutine_here()),
      generation_(coroutine_ != nullptr ? coroutine_->tag & internal::tag_generation_mask : 0),
      place_(&internal::attachment_here()) {
  mark();
  *place_ = this;
}

/// Then the stack that contains the place belongs to another coroutine.
bool cancel_binding::coroutine_is_gone() const noexcept {
  if (coroutine_ == nullptr) return false;
  const internal::coro_tag tag = coroutine_->tag;
  return (tag & internal::tag_generation_mask) != generation_ ||
         internal::state_of(tag) == coro_state::retired;
}

cancel_binding::~cancel_binding() {
  if (!coroutine_is_gone()) {
    BAST_CHECK(*place_ == this, "cancel_bindings must end innermost first");
    *place_ = outer;
  }
  unmark();
}

void cancel_binding::abandoned(internal::abandonable& place) noexcept {
  auto& self = static_cast<cancel_binding&>(place);
  if (!self.coroutine_is_gone()) {
    // It may lie on a different stack than the bindings around it.
    for (internal::coro_attachment** at = self.place_; *at != nullptr; at = &(*at)->outer) {
      if (*at != &self) continue;
      *at = self.outer;
      break;
    }
  }
  self.token = {};
}

namespace this_coro {

cancel_token cancellation() noexcept {
  const internal::coro_attachment* const bound = internal::governing_attachment();
  return bound != nullptr ? bound->token : cancel_token();
}

result<void> checkpoint() noexcept { return internal::check_governing("checkpoint"); }

result<void> cancellable_yield() {
  if (auto goes_on = checkpoint(); !goes_on) return goes_on;
  if (auto yielded = yield(); !yielded) return yielded;
  return checkpoint();
}

}  // namespace this_coro
}  // namespace bast::inline BAST_ABI
