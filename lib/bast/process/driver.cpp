// SPDX-License-Identifier: Apache-2.0
#include "bast/process/driver.hpp"

#include <memory>
#include <utility>

namespace bast {

namespace {

/// The latest driver of a thread. Its address names the thread: no two that live have the same.
constinit thread_local process_driver* driver_of_thread = nullptr;

/// The wake function of a driver's ready_queue.
void ring(void* event) noexcept {
  // One that cannot be written to is full: the loop has been told.
  (void)os::set_event(static_cast<const os::descriptor*>(event)->get());
}

}  // namespace

process_driver* process_driver::of_this_thread() noexcept { return driver_of_thread; }

bool process_driver::is_of_this_thread() const noexcept { return thread_ == &driver_of_thread; }

result<void> process_driver::check_fresh(const char* operation) const noexcept {
  if (thread_ == nullptr) return {};
  if (is_forked()) return internal::failed_forked(operation);
  return fail(errc::bad_state, operation, "it was initialised before");
}

result<void> process_driver::check_owner(const char* operation) const noexcept {
  if (thread_ == nullptr) return fail(errc::bad_state, operation, "it has no init");
  if (mark_.is_forked()) return internal::failed_forked(operation);
  if (is_of_this_thread()) return {};
  return fail(errc::wrong_thread, operation, "another thread initialised it, and runs it");
}

void process_driver::require_owner() const noexcept {
  BAST_CHECK(thread_ == nullptr || is_of_this_thread() || ready_.thread_has_ended() || is_forked(),
             "a process driver is used by another thread than the one that initialised it");
}

void process_driver::require_last_owner() const noexcept {
  if (thread_ == nullptr || is_forked()) return;
  BAST_CHECK(is_of_this_thread() || ready_.thread_has_ended(),
             "a process driver is destroyed by another thread while its own still runs");
  BAST_CHECK(!is_within_loop(), "a process driver is destroyed by what its own loop called");
}

result<void> process_driver::begin(process_machine_options options,
                                   const char* operation) noexcept {
  if (auto fresh = check_fresh(operation); !fresh) return fresh;
  auto wake = os::make_event();
  if (!wake) return std::unexpected(wake.error());
  options.wake_fd = wake->get();
  if (auto ready = machine_.init(options); !ready) return ready;
  wake_ = std::move(*wake);
  std::construct_at(&ready_, wake_hook{.wake = ring, .context = &wake_});
  mark_ = os::fork_mark::here();
  thread_ = &driver_of_thread;
  outer_ = driver_of_thread;
  driver_of_thread = this;
  mark();
  return {};
}

process_driver::~process_driver() {
  require_last_owner();
  unmark();
  unlist();
  if (thread_ != nullptr) std::destroy_at(&ready_);
}

void process_driver::abandoned(internal::abandonable& self) noexcept {
  static_cast<process_driver&>(self).unlist();
}

void process_driver::unlist() noexcept {
  // Others may have come and gone in any order. Nothing is found where this is not its thread.
  for (process_driver** at = &driver_of_thread; *at != nullptr; at = &(*at)->outer_) {
    if (*at != this) continue;
    *at = outer_;
    return;
  }
}

result<void> process_driver::has_room() const noexcept {
  if (auto mine = check_owner("process_driver.start"); !mine) return mine;
  return machine_.has_room();
}

result<internal::executor*> process_driver::continues() noexcept {
  if (auto mine = check_owner("process_driver.start"); !mine) return std::unexpected(mine.error());
  internal::executor* const scheduler = internal::this_thread.scheduler;
  return scheduler != nullptr ? scheduler : &ready_;
}

// Not inline: an analysis of stacks finds the call through the pointer in one place only
// (tools/bast-stacks/code/annotations.txt).
[[gnu::noinline]] void process_driver::stir() noexcept { stirred(); }

result<process_id> process_driver::start(process_child&& child) noexcept {
  if (auto mine = check_owner("process_driver.start"); !mine) return std::unexpected(mine.error());
  machine_.tick(os::monotonic_ns());
  auto id = machine_.start({static_cast<const process_policy&>(child), child.pid, child.pidfd.get(),
                            child.output_pipe.get(), child.errors_pipe.get(), child.finished,
                            child.context});
  if (id) {
    // From here on the machine requests their close operations.
    process_child taken = std::move(child);
    for (os::descriptor* const given : {&taken.pidfd, &taken.output_pipe, &taken.errors_pipe}) {
      (void)given->release();
    }
  }
  stir();
  return id;
}

result<void> process_driver::cancel(process_id id) noexcept {
  if (auto mine = check_owner("process_driver.cancel"); !mine) return mine;
  machine_.tick(os::monotonic_ns());
  auto done = machine_.cancel(id);
  stir();
  return done;
}

void process_driver::cancel_from_anywhere(process_id id) noexcept {
  if (machine_.request_cancel(id)) (void)os::set_event(wake_.get());
}

}  // namespace bast
