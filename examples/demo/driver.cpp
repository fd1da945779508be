// SPDX-License-Identifier: Apache-2.0
#include "driver.hpp"

#include <bast/sched.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "unwrap.hpp"

namespace demo {
namespace {

thread_local bast::epoll_adapter* adapter_here = nullptr;

/// Waits until the adapter has something to do, and does it. False: the wait was cancelled.
bool wait_and_turn(bast::epoll_adapter& adapter) {
  const auto woken =
      bast::perform(bast::timeout_at(bast::readable(adapter.fd()), adapter.next_deadline()));
  if (!woken && woken.error() != bast::errc::timed_out && woken.error() != bast::errc::cancelled) {
    unwrap(woken);
  }
  unwrap(adapter.turn(std::chrono::nanoseconds(0)));
  return woken || woken.error() == bast::errc::timed_out;
}

void attend(bast::epoll_adapter& adapter) {
  while (wait_and_turn(adapter)) continue;
  // Cancelled. If it was not for want of other fibers, programs still have to be stopped; the
  // shield lets this fiber wait for that, and then those that ran them see the end.
  const bast::cancel_binding shield{bast::cancel_token()};
  while (!adapter.idle()) (void)wait_and_turn(adapter);
  (void)bast::yield_now();
  adapter_here = nullptr;
}

}  // namespace

bast::process_driver& driver_here() {
  if (adapter_here != nullptr) return *adapter_here;
  auto made = unwrap(bast::epoll_adapter::create());
  adapter_here = made.get();
  (void)unwrap(bast::spawn([adapter = std::move(made)] { attend(*adapter); },
                           {.name = "turn the adapter", .daemon = true, .pinned = true}));
  return *adapter_here;
}

}  // namespace demo
