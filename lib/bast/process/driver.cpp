// SPDX-License-Identifier: Apache-2.0
#include "bast/process/driver.hpp"

namespace bast {

namespace {

constinit thread_local process_driver* driver_of_thread = nullptr;

}  // namespace

process_driver* process_driver::of_this_thread() noexcept { return driver_of_thread; }

result<void> process_driver::begin(process_machine_options options,
                                   const char* operation) noexcept {
  if (wake_) return fail(errc::bad_state, operation, "it was initialised before");
  auto wake = os::make_event();
  if (!wake) return std::unexpected(wake.error());
  options.wake_fd = wake->get();
  if (auto ready = machine_.init(options); !ready) return ready;
  wake_ = std::move(*wake);
  outer_ = driver_of_thread;
  driver_of_thread = this;
  return {};
}

process_driver::~process_driver() {
  // Others may have come and gone in any order.
  for (process_driver** at = &driver_of_thread; *at != nullptr; at = &(*at)->outer_) {
    if (*at != this) continue;
    *at = outer_;
    return;
  }
}

result<process_id> process_driver::start(const process_start& child) noexcept {
  machine_.tick(os::monotonic_ns());
  auto id = machine_.start(child);
  stirred();
  return id;
}

result<void> process_driver::cancel(process_id id) noexcept {
  machine_.tick(os::monotonic_ns());
  auto done = machine_.cancel(id);
  stirred();
  return done;
}

void process_driver::cancel_from_anywhere(process_id id) noexcept {
  if (machine_.request_cancel(id)) (void)os::set_event(wake_.get());
}

}  // namespace bast
