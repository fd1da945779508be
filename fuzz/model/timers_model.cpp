// SPDX-License-Identifier: Apache-2.0
#include "model/timers_model.hpp"

#include <algorithm>
#include <tuple>

namespace bast::model {

void timers_model::arm(std::size_t who, std::uint64_t at) {
  timers_[who] = {
      .armed = true, .waits = at <= now_, .at = std::max(at, now_), .order = order_++};  // T2
}

std::optional<std::size_t> timers_model::take() {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < timers_.size(); ++i) {
    const entry& each = timers_[i];
    if (!each.armed || each.waits || each.at > now_) continue;
    const auto rank = [&](const entry& e) { return std::tuple(e.at, e.order); };
    if (!found || rank(each) < rank(timers_[*found])) found = i;  // T1
  }
  if (found) timers_[*found].armed = false;
  return found;
}

std::optional<std::size_t> timers_model::advance(std::uint64_t now) {
  if (now < now_) return {};  // T4
  std::optional<std::size_t> found = take();
  if (!found) {
    for (entry& each : timers_) each.waits = false;  // T3
    if (now > now_) {
      now_ = now;
      found = take();
    }
  }
  in_round_ = found.has_value();
  return found;
}

bool timers_model::empty() const {
  return std::ranges::none_of(timers_, [](const entry& each) { return each.armed; });
}

std::uint64_t timers_model::earliest() const {
  std::uint64_t least = UINT64_MAX;
  for (const entry& each : timers_) {
    if (each.armed) least = std::min(least, std::max(each.at, now_));
  }
  return least;
}

}  // namespace bast::model
