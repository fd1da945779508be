// SPDX-License-Identifier: Apache-2.0
#include "bast/process/epoll_adapter.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "bast/process/perform.hpp"

namespace bast::inline BAST_ABI {

namespace {

// Per flush: a child that writes endlessly must not occupy a turn permanently.
constexpr int operations_per_flush = 256;
constexpr std::size_t events_per_turn = 64;

}  // namespace

result<std::unique_ptr<epoll_adapter>> epoll_adapter::create(
    const epoll_adapter_options& options) noexcept {
  auto wake = os::make_event();
  if (!wake) return std::unexpected(wake.error());
  auto poller = os::make_poller();
  if (!poller) return std::unexpected(poller.error());
  auto machine = process_machine::create({.processes_max = options.processes_max,
                                          .timers = machine_timers::ticks,
                                          .wake_fd = wake->get()});
  if (!machine) return std::unexpected(machine.error());
  std::unique_ptr<epoll_adapter> made(
      new epoll_adapter(std::move(*wake), std::move(*machine), std::move(*poller)));
  if (made == nullptr) return fail(errc::no_memory, "epoll_adapter.create", "no memory for it");
  (void)made->flush();
  return made;
}

epoll_adapter::~epoll_adapter() {
  require_last_owner();
  // The machine has no operation in flight except the wake, which one flush cancels. In a forked
  // child the set belongs to the parent, and no operation is requested.
  machine_->shut_down();
  machine_->hold_wake(false);
  while (machine_->stats().live == 0 && !machine_->idle()) (void)flush();
}

/// Returns true if there was something to do.
bool epoll_adapter::flush() noexcept {
  // Called from `finished`: the outer flush continues.
  if (flushing_) return false;
  flushing_ = true;
  int left = operations_per_flush;
  while (left-- > 0) {
    const machine_operation* const wanted = machine_->next();
    if (wanted == nullptr) break;
    const machine_operation copy = *wanted;
    machine_->sent();
    carry_out(copy);
  }
  has_more_ = left < 0;
  flushing_ = false;
  return left != operations_per_flush - 1;
}

void epoll_adapter::machine_changed() noexcept {
  (void)flush();
  // A loop without fibers reads the deadline before it sleeps. A fiber sleeps already.
  if (internal::this_thread.scheduler == nullptr || next_deadline() >= known_deadline_) return;
  known_deadline_ = next_deadline();
  tell_loop();
}

void epoll_adapter::carry_out(const machine_operation& wanted) noexcept {
  switch (wanted.kind) {
    case operation_kind::poll:
    case operation_kind::poll_to_write: {
      const auto awaited =
          wanted.kind == operation_kind::poll ? os::readiness::readable : os::readiness::writable;
      if (auto done = os::watch_once(poller_.get(), wanted.fd, wanted.user_data, awaited); !done) {
        const int error_number = done.error().error_number();
        machine_->complete(wanted.user_data, error_number != 0 ? -error_number : -EIO);
      }
      return;
    }
    case operation_kind::cancel:
      // Only polls are cancelled here. If an event was already delivered, it is ignored as stale.
      os::unwatch(poller_.get(), wanted.fd);
      machine_->complete(wanted.target, -ECANCELED);
      return machine_->complete(wanted.user_data, 0);
    case operation_kind::close: os::unwatch(poller_.get(), wanted.fd); [[fallthrough]];
    default: machine_->complete(wanted.user_data, perform(wanted));
  }
}

result<void> epoll_adapter::check_turn(static_string operation) const noexcept {
  if (auto mine = check_owner(operation); !mine) return mine;
  if (!is_within_loop()) return {};
  return fail(errc::bad_state, operation,
              "called from `finished` or from a coroutine that this loop woke: return to the loop");
}

result<void> epoll_adapter::turn(std::chrono::nanoseconds wait_max) noexcept {
  if (auto may = check_turn("epoll_adapter.turn"); !may) return may;
  const attended awake(ready());
  machine_->tick(now());
  // Coroutines that wait for an end or for output must be resumed before the loop sleeps.
  const bool had_ready = ready().run() != 0;
  hold_wake_for_waiters();
  const bool did_something = flush() || had_ready || ready().has_ready();
  const std::int64_t began = os::monotonic_ns();
  const std::int64_t deadline = did_something ? began
                                              : std::min(internal::nanoseconds_of(next_deadline()),
                                                         internal::later(began, wait_max));
  epoll_event events[events_per_turn];
  const auto count = os::wait_events(poller_.get(), events, deadline);
  machine_->tick(now());
  for (std::size_t i = 0; count && i < *count; ++i) {
    machine_->complete(events[i].data.u64, events[i].events);
  }
  (void)flush();
  ready().run();
  // Coroutines that became ready meanwhile: also notifies callers that watch only the descriptor.
  if (ready().has_ready()) tell_loop();
  known_deadline_ = next_deadline();
  if (!count) return std::unexpected(count.error());
  return {};
}

result<void> epoll_adapter::shut_down() noexcept {
  if (auto may = check_turn("epoll_adapter.shut_down"); !may) return may;
  machine_->shut_down();
  const auto has_more = [this] {
    return machine_->stats().live != 0 || ready().has_ready() ||
           (!machine_->idle() && ready().waiting() == 0);
  };
  while (has_more()) (void)turn(std::chrono::nanoseconds::max());
  return {};
}

}  // namespace bast::inline BAST_ABI
