// SPDX-License-Identifier: Apache-2.0
//
// `epoll_adapter`: follows processes with an epoll set of its own. A program without an event loop
// calls `turn` until it is done; one that has a loop watches `fd()`, sleeps no longer than until
// `next_deadline()`, and then calls `turn` without waiting.
//
//   bast::epoll_adapter loop;
//   if (auto ready = loop.init(); !ready) return ready;
//   auto id = command.start(loop, done, context);
//   while (!loop.idle()) (void)loop.turn(std::chrono::hours(1));
//
// See process_driver for `start`, `cancel` and `cancel_from_anywhere`, and for who may call what.
#pragma once

#include <chrono>

#include "bast/os.hpp"
#include "bast/process/driver.hpp"

namespace bast::inline BAST_ABI {

class epoll_adapter final : public process_driver {
 public:
  epoll_adapter() = default;
  epoll_adapter(const epoll_adapter&) = delete;
  epoll_adapter& operator=(const epoll_adapter&) = delete;
  /// No process may be followed any more, and no coroutine may wait that this loop would continue
  /// (checked), except in a forked child.
  ~epoll_adapter();

  /// Once, before anything else. The adapter is the calling thread's from here on (IO-16). Errors:
  /// bad_state, `invalid`, `limit` (descriptors), no_memory.
  [[nodiscard]] result<void> init(std::size_t processes_max = 256) noexcept;

  /// Waits until something happens, at most `wait_max`, and does what follows from it. Calls the
  /// `finished` of what has ended. Does not wait when there was something to do at once. Errors:
  /// bad_state: no init, or called from `finished` or from a coroutine that this loop woke;
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
  /// By CLOCK_MONOTONIC; an instant of the past when a turn has something to do at once, such as
  /// coroutines that can go on.
  std::int64_t next_deadline() const noexcept {
    return has_something() && !is_forked() ? 0 : machine_.next_deadline();
  }
  /// Follows no process, and no coroutine waits that this loop would continue; or a forked child.
  /// Ends the process on a wrong thread.
  bool idle() const noexcept {
    return (machine().stats().live == 0 && !has_something() && !has_waiting()) || is_forked();
  }

 private:
  void stirred() noexcept override { (void)flush(); }
  bool flush() noexcept;
  bool has_waiting() const noexcept { return poller_ && ready().waiting() != 0; }
  bool has_something() const noexcept { return has_more_ || (poller_ && ready().has_ready()); }
  void carry_out(const operation& wanted) noexcept;
  result<void> check_turn(const char* operation) const noexcept;

  os::descriptor poller_;
  bool flushing_ = false;
  bool has_more_ = false;  // a flush ended before everything was done
};

}  // namespace bast::inline BAST_ABI
