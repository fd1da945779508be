// SPDX-License-Identifier: Apache-2.0
#include "bast/io/descriptor_ops.hpp"

#include <cerrno>

namespace bast::inline BAST_ABI::internal {

progress descriptor_leaf::commit(performer& who, result<void> with) noexcept {
  outcome_ = with;
  return who.commit_self(*this) ? progress::committed : progress::lost;
}

progress descriptor_leaf::attempt(performer& who) {
  loop_ = who.is_thread() ? nullptr : event_loop::here();
  const auto ready = loop_ != nullptr ? loop_->backend().is_ready(watch_.fd, watch_.awaited)
                                      : os::is_ready(watch_.fd, watch_.awaited);
  if (!ready) return commit(who, std::unexpected(ready.error()));
  if (*ready) return commit(who, {});
  // Here and not in enlist(), which allocates nothing (O-17).
  if (loop_ != nullptr) {
    if (auto reserved = loop_->backend().reserve(watch_.fd); !reserved)
      return commit(who, reserved);
  }
  return progress::none;
}

progress descriptor_leaf::enlist(performer& who) {
  if (!who.number(*this)) return progress::failed;
  if (loop_ == nullptr) {
    return commit(who,
                  fail(errc::unsupported, "perform",
                       "only a fiber can wait for a descriptor: a thread waits with poll(2), a "
                       "coroutine in an event loop",
                       watch_.fd));
  }
  // On the thread of the coroutine, which waits by then: nothing is claimed, and no lock is needed.
  watch_.ready = [](descriptor_watch& self) noexcept {
    performer::complete(*static_cast<own_watch&>(self).of);
  };
  auto watched = loop_->backend().watch(watch_);
  if (!watched) {
    // A file that poll(2) would have called ready.
    const bool is_file = watched.error().error_number() == EPERM;
    return commit(who, is_file ? result<void>() : watched);
  }
  who.expect(*this);
  return progress::none;
}

void descriptor_leaf::delist() noexcept {
  if (loop_ != nullptr) loop_->backend().unwatch(watch_);
}

}  // namespace bast::inline BAST_ABI::internal
