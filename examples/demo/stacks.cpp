// SPDX-License-Identifier: Apache-2.0
#include "stacks.hpp"

#include <algorithm>

#include "unwrap.hpp"

namespace demo {

void stack_report::attend(const char* name, const std::source_location& where) {
  {
    const auto site = bast::site_key::at(where);
    const std::lock_guard held(lock_);  // For a moment: a worker that waits runs no fiber.
    if (name_of(site).empty()) names_.emplace_back(site, name);
  }
  // A fiber never changes its thread, so this is a variable of the worker.
  thread_local bool is_attended = false;
  if (is_attended) return;
  is_attended = true;
  auto daemon = [this] {
    (void)bast::perform(bast::never_ready<void>());  // until only daemons are left
    add_this_worker();
    is_attended = false;
  };
  (void)unwrap(bast::spawn(daemon, {.name = "stack report", .daemon = true, .pinned = true}));
}

std::string stack_report::name_of(const bast::site_key& site) const {
  const auto found = std::ranges::find(names_, site, [](const auto& each) { return each.first; });
  return found != names_.end() ? found->second : "";
}

void stack_report::add_this_worker() {
  const std::lock_guard held(lock_);
  const auto here = bast::this_fiber::worker_stacks();
  total_.slots_opened += here.slots_opened;
  total_.reserved.count += here.reserved.count;
  bast::this_fiber::for_each_worker_site([this](const bast::site_stats& s) {
    const auto same = std::ranges::find(sites_, s.key, &bast::site_stats::key);
    if (same == sites_.end()) return sites_.push_back(s);
    same->uses += s.uses;
    same->samples += s.samples;
    same->grows += s.grows;
    same->p50 = std::max(same->p50, s.p50);
    same->p99 = std::max(same->p99, s.p99);
    same->max = std::max(same->max, s.max);
  });
}

}  // namespace demo
