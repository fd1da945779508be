// SPDX-License-Identifier: Apache-2.0
//
// `guest_runtime`: fibers inside an event loop that is not ours (IO-16).
//
//   auto fibers = bast::guest_runtime::create().value();
//   fibers.handle().post([] { ... });
//   for (;;) {
//     wait_for_events_or(fibers.fd(), fibers.next_deadline());   // poll, epoll, GLib, Qt ...
//     (void)fibers.turn(std::chrono::nanoseconds(0));
//   }
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "bast/sched/run.hpp"

namespace bast::inline BAST_ABI {

/// A runtime whose first worker is the thread of a host, during its turns. Movable, between turns.
/// All functions but handle() are for that thread: the one of the first turn.
class guest_runtime {
 public:
  /// With one worker unless the options say otherwise: the others have threads of their own, which
  /// the first turn starts. Allocates. Errors: `invalid`, naming the option; no_memory.
  [[nodiscard]] static result<guest_runtime> create(const run_options& options = {}) noexcept;
  guest_runtime(guest_runtime&&) noexcept = default;
  guest_runtime& operator=(guest_runtime&&) = delete;
  guest_runtime(const guest_runtime&) = delete;
  guest_runtime& operator=(const guest_runtime&) = delete;
  /// shut_down(), if that was not called. On the thread of the turns (checked). In a forked child
  /// frees nothing.
  ~guest_runtime();

  /// Spawns, posts and cancels, also between turns, from any thread.
  [[nodiscard]] runtime_handle handle() const noexcept;

  /// Runs fibers that are ready, a bounded number of switches; if none is, waits at most `wait_max`
  /// for one. Errors: wrong_thread (not the thread of the first turn); bad_state (in a coroutine,
  /// on a worker, or after shut_down()); forked; in the first turn those of run(),
  /// with which the fibers that were spawned before end too: the runtime is over then.
  [[nodiscard]] result<void> turn(std::chrono::nanoseconds wait_max) noexcept;
  /// Readable when a turn has something to do; valid after the first turn. Level-triggered.
  [[nodiscard]] int fd() const noexcept;
  /// When the next turn is due even if fd() is not readable; `never` if there is no timer.
  [[nodiscard]] time_point next_deadline() const noexcept;
  /// True if no fiber is left.
  [[nodiscard]] bool idle() const noexcept;
  /// Cancels the runtime and takes turns until no fiber is left. Later calls do nothing. Errors:
  /// those of turn().
  [[nodiscard]] result<void> shut_down() noexcept;

 private:
  explicit guest_runtime(std::shared_ptr<internal::runtime_core> core) noexcept
      : core_(std::move(core)) {}
  [[nodiscard]] result<void> check(static_string operation) noexcept;

  std::shared_ptr<internal::runtime_core> core_;
  std::uint64_t thread_ = 0;  // of the turns, as coro's thread tag; 0: there was none
  bool is_over_ = false;
};

}  // namespace bast::inline BAST_ABI
