// SPDX-License-Identifier: Apache-2.0
//
// `epoll_adapter`: follows processes with an epoll set of its own. A program without an event loop
// calls `turn` until it is done; one that has a loop watches `fd()`, sleeps no longer than until
// `next_deadline()`, and then calls `turn` without waiting.
//
//   auto loop = bast::epoll_adapter::create().value();
//   auto id = command.start(*loop, done, context);
//   while (!loop->idle()) (void)loop->turn(std::chrono::hours(1));
//
// See process_driver for `start`, `cancel` and `cancel_from_anywhere`, and for who may call what.
#pragma once

#include <chrono>
#include <memory>

#include "bast/os.hpp"
#include "bast/process/driver.hpp"

namespace bast::inline BAST_ABI {

struct epoll_adapter_options {
  std::size_t processes_max = 256;  // at once; at most 65535
};

class epoll_adapter final : public process_driver {
 public:
  /// An adapter of the calling thread (IO-16). Allocates. Errors: `invalid`, naming the option;
  /// `limit` (descriptors); no_memory.
  [[nodiscard]] static result<std::unique_ptr<epoll_adapter>> create(
      const epoll_adapter_options& options = {}) noexcept;

  epoll_adapter(const epoll_adapter&) = delete;
  epoll_adapter& operator=(const epoll_adapter&) = delete;
  /// No process may be followed any more, and no coroutine may wait that this loop would continue
  /// (checked), except in a forked child.
  ~epoll_adapter();

  /// Waits until something happens, at most `wait_max`, and does what follows from it. Calls the
  /// `finished` of what has ended. Does not wait when there was something to do at once. Errors:
  /// bad_state: called from `finished` or from a coroutine that this loop woke;
  /// wrong_thread; forked; io, when epoll_wait failed. Nothing is lost by any of them.
  [[nodiscard]] result<void> turn(std::chrono::nanoseconds wait_max) noexcept;
  /// Cancels every process and turns until all have ended, which takes as long as their graces.
  /// Afterwards nothing can be started. A coroutine that waits for something else is not waited
  /// for: go on with turns until `idle`. On an error nothing has happened. Errors: those of `turn`
  /// but io.
  [[nodiscard]] result<void> shut_down() noexcept;

  /// Readable when a turn has something to do, deadlines apart. Level-triggered: an edge may come
  /// while a turn is going on.
  int fd() const noexcept { return poller_.get(); }
  /// When the next turn is due, or `never`; in the past when a turn has something to do at once,
  /// such as coroutines that can continue.
  time_point next_deadline() const noexcept { return internal::time_of(next_deadline_ns()); }
  /// Follows no process, and no coroutine waits that this loop would continue; or a forked child.
  /// Ends the process on a wrong thread.
  bool idle() const noexcept {
    return (machine().stats().live == 0 && !has_something() && !has_waiting()) || is_forked();
  }

 private:
  epoll_adapter(os::descriptor wake, os::descriptor poller) noexcept
      : process_driver(std::move(wake)), poller_(std::move(poller)) {}

  void machine_changed() noexcept override { (void)flush(); }
  std::int64_t next_deadline_ns() const noexcept {
    return has_something() && !is_forked() ? 0 : machine_.next_deadline();
  }
  bool flush() noexcept;
  bool has_waiting() const noexcept { return ready().waiting() != 0; }
  bool has_something() const noexcept { return has_more_ || ready().has_ready(); }
  void carry_out(const operation& wanted) noexcept;
  result<void> check_turn(static_string operation) const noexcept;

  os::descriptor poller_;
  bool flushing_ = false;
  bool has_more_ = false;  // a flush ended before everything was done
};

}  // namespace bast::inline BAST_ABI
