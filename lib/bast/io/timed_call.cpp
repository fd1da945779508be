// SPDX-License-Identifier: Apache-2.0
#include "bast/io/timed_call.hpp"

namespace bast::inline BAST_ABI::internal {

timed_call_base::timed_call_base(function call) noexcept : abandonable(abandoned), call_(call) {
  expired = expire;
  mark();
}

timed_call_base::~timed_call_base() {
  unmark();
  (void)cancel();
}

void timed_call_base::abandoned(abandonable& self) noexcept {
  (void)static_cast<timed_call_base&>(self).cancel();
}

void timed_call_base::expire(loop_timer& self) noexcept {
  auto& mine = static_cast<timed_call_base&>(self);
  const no_waiting guard;
  mine.call_(mine);  // May end it.
}

bool timed_call_base::cancel() noexcept {
  if (!is_pending()) return false;
  BAST_CHECK(loop_ == event_loop::here() || event_loop::here() == nullptr,
             "a timed_call is cancelled by another thread than that of its event loop");
  loop_->disarm(*this);
  return true;
}

result<void> timed_call_base::arm(time_limit at) noexcept {
  event_loop* const here = event_loop::here();
  if (here == nullptr) {
    return fail(errc::unsupported, "timed_call",
                "no event loop would call it: ask on a worker of a runtime");
  }
  if (is_pending() && loop_ != here) {
    return fail(errc::wrong_thread, "timed_call", "it is pending in another thread's loop");
  }
  (void)cancel();
  if (at.ns == no_timeout_ns) return {};
  std::int64_t at_ns = at.ns;
  if (at.is_length) {
    const std::uint64_t now_ns = here->now_ns();
    at_ns = saturated_sum(static_cast<std::int64_t>(now_ns), at.ns);
  }
  loop_ = here;
  loop_->arm(*this, at_ns < 0 ? 0 : static_cast<std::uint64_t>(at_ns));
  return {};
}

}  // namespace bast::inline BAST_ABI::internal
