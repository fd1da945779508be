// SPDX-License-Identifier: Apache-2.0
#include "bast/scope/deadline.hpp"

namespace bast::inline BAST_ABI::internal {

deadline_domain::deadline_domain(time_limit limit) noexcept
    : opened_(scope_core::check("fail_after")) {
  if (!opened_) return;
  std::int64_t at_ns = limit.ns;
  if (limit.is_length) {
    const auto now_ns = static_cast<std::int64_t>(this_worker->events().now_ns());
    at_ns = saturated_sum(now_ns, limit.ns);
  }
  domain_.emplace(nullptr, *this_worker);
  opened_ = domain_->open({.deadline = time_of(at_ns)});
  if (opened_) {
    domain_->enter();
  } else {
    domain_.reset();
  }
}

bool deadline_domain::has_ended(const error* why) noexcept {
  BAST_ASSERT(opened_);
  const bool by_it =
      why != nullptr && *why == errc::cancelled && domain_ && domain_->has_cancelled_itself();
  leave();
  return by_it;
}

void deadline_domain::leave() noexcept {
  if (!domain_) return;
  domain_->leave();
  domain_->close();
  domain_.reset();
}

}  // namespace bast::inline BAST_ABI::internal
