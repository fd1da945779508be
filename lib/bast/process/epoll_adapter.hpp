// SPDX-License-Identifier: Apache-2.0
//
// `epoll_adapter`: supervises processes with its own epoll set. A program without an event loop
// calls `turn` until it is done. A program with a loop watches `fd()`, sleeps at most until
// `next_deadline()`, and then calls `turn` without waiting.
//
//   auto loop = bast::epoll_adapter::create().value();
//   auto id = command.start(*loop, done, context);
//   while (!loop->idle()) (void)loop->turn(std::chrono::hours(1));
//
// See process_driver for `start`, `cancel` and `cancel_from_anywhere`, and for thread-safety.
#pragma once

#include <chrono>
#include <memory>

#include "bast/cancel.hpp"
#include "bast/os.hpp"
#include "bast/process/driver.hpp"

namespace bast::inline BAST_ABI {

struct epoll_adapter_options {
  std::size_t processes_max = 256;  // at once; at most 65534
};

class epoll_adapter final : public process_driver {
 public:
  /// Creates an adapter for the calling thread (IO-16). Allocates. Errors: `invalid`, naming the
  /// option; `limit` (descriptors); no_memory.
  [[nodiscard]] static result<std::unique_ptr<epoll_adapter>> create(
      const epoll_adapter_options& options = {}) noexcept;

  epoll_adapter(const epoll_adapter&) = delete;
  epoll_adapter& operator=(const epoll_adapter&) = delete;
  /// Requires that no process is supervised and no coroutine waits with this loop (checked), except
  /// in a forked child.
  ~epoll_adapter();

  /// Waits for events, at most `wait_max`, and handles them. Calls `finished` for processes that
  /// have ended. Does not wait if there was work at once. Loses nothing on an error. Errors:
  /// bad_state (called from `finished` or from a coroutine that this loop woke); wrong_thread;
  /// forked; io, if epoll_wait failed.
  [[nodiscard]] result<void> turn(std::chrono::nanoseconds wait_max) noexcept;
  /// Cancels every process and turns until all have ended, which takes at most as long as their
  /// graces. Afterwards nothing can be started. Does not wait for coroutines that wait for
  /// something else: continue with turns until `idle`. An error has no effect. Errors: those of
  /// `turn` except io.
  [[nodiscard]] result<void> shut_down() noexcept;

  /// Readable when a turn has something to do, except for deadlines. Use it level-triggered: an
  /// edge may occur during a turn. On the thread of a scheduler of fibers, where a fiber calls
  /// `turn` and waits for fd() while others start processes, it also becomes readable when a start
  /// or a cancel makes the next deadline earlier than it was after the latest turn.
  int fd() const noexcept { return poller_.get(); }
  /// When the next turn is due, or `never`; in the past when a turn has something to do at once,
  /// such as coroutines that can continue.
  time_point next_deadline() const noexcept {
    return has_something() && !is_forked() ? time_point() : machine_->next_deadline();
  }
  /// Returns true if it supervises no process and no coroutine waits with this loop, or in a forked
  /// child. Ends the process on a wrong thread.
  bool idle() const noexcept {
    return (machine().stats().live == 0 && !has_something() && !has_waiting()) || is_forked();
  }

 private:
  epoll_adapter(os::descriptor wake, std::unique_ptr<process_machine> machine,
                os::descriptor poller) noexcept
      : process_driver(std::move(wake), std::move(machine)), poller_(std::move(poller)) {}

  void machine_changed() noexcept override;
  bool flush() noexcept;
  bool has_waiting() const noexcept { return ready().waiting() != 0; }
  bool has_something() const noexcept { return has_more_ || ready().has_ready(); }
  void carry_out(const machine_operation& wanted) noexcept;
  result<void> check_turn(static_string operation) const noexcept;

  os::descriptor poller_;
  bool flushing_ = false;
  bool has_more_ = false;              // a flush ended with work left
  time_point known_deadline_ = never;  // what the fiber that turns has seen, or was woken for
};

}  // namespace bast::inline BAST_ABI
