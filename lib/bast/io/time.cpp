// SPDX-License-Identifier: Apache-2.0
#include "bast/io/time.hpp"

namespace bast::inline BAST_ABI::internal {

/// Of the loop whose timers would end the wait, else of the kernel.
std::int64_t time_leaf::read_clock(const performer& who) noexcept {
  loop_ = who.is_thread() ? nullptr : event_loop::here();
  if (loop_ == nullptr) return os::monotonic_ns();
  const std::uint64_t now_ns =
      BAST_MUTANT(duration_from_the_turn) ? loop_->turn_ns() : loop_->now_ns();
  return now_ns < static_cast<std::uint64_t>(no_timeout_ns) ? static_cast<std::int64_t>(now_ns)
                                                            : no_timeout_ns;
}

progress time_leaf::commit(performer& who) noexcept {
  return who.commit_self(*this) ? progress::committed : progress::lost;
}

progress time_leaf::attempt(performer& who) {
  if (!looks_ready()) return progress::none;  // In a group it is tried all the same.
  const bool has_passed = at_.is_length || at_.ns <= read_clock(who);
  return has_passed ? commit(who) : progress::none;
}

progress time_leaf::enlist(performer& who) {
  if (is_never()) return progress::none;
  if (!who.number(*this)) return progress::failed;
  const std::int64_t now_ns = read_clock(who);
  const std::int64_t at_ns = at_.is_length ? saturated_sum(now_ns, at_.ns) : at_.ns;
  if (at_ns <= now_ns) return commit(who);
  if (at_ns == no_timeout_ns) return progress::none;
  if (who.is_thread()) {
    who.expire_at(*this, at_ns);
    return progress::none;
  }
  if (loop_ == nullptr) {
    who.fail_with(
        {errc::unsupported, "perform",
         "a coroutine of a plain ready_queue has no clock to wait for a time: run it as a "
         "fiber, or enter an event loop on its thread"});
    return progress::failed;
  }
  // On the thread of the coroutine, which waits by then: nothing is claimed, and no lock is needed.
  timer_.expired = [](loop_timer& self) noexcept {
    performer::complete(*static_cast<own_timer&>(self).of);
  };
  who.expect(*this);
  loop_->arm(timer_, static_cast<std::uint64_t>(at_ns));
  return progress::none;
}

void time_leaf::delist() noexcept {
  if (loop_ != nullptr) loop_->disarm(timer_);
}

}  // namespace bast::inline BAST_ABI::internal
