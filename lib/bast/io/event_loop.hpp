// SPDX-License-Identifier: Apache-2.0
//
// `event_loop`: the time and the events of one worker: a wheel of timers over a backend.
//
//   event_loop loop(backend);
//   loop.turn(0);                       // what has happened, without waiting
//   loop.turn(loop.timers().next_ns()); // nothing is ready: sleep
//
//   I1  All functions but wake() are called on the thread that constructed it.
//   I2  A turn hands out what had expired when it began, then what the backend reports; so timers
//       cannot starve descriptors, nor the other way round.
#pragma once

#include "bast/io/backend.hpp"
#include "bast/io/wheel.hpp"

namespace bast::inline BAST_ABI::internal {

/// A timer of an event_loop, owned by its user.
struct loop_timer : timer {
  /// Called within turn(), when it is armed no more. May arm it again, or destroy it.
  void (*expired)(loop_timer& self) noexcept = nullptr;
};

class event_loop {
 public:
  explicit event_loop(io_backend& backend) noexcept
      : backend_(backend), timers_(backend.now_ns()) {}
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;
  ~event_loop() = default;

  /// The loop of the calling thread, which its worker has entered, or null.
  static event_loop* here() noexcept;
  /// The worker's thread enters it, and leaves it with null.
  static void enter(event_loop* loop) noexcept;

  wheel& timers() noexcept { return timers_; }
  io_backend& backend() noexcept { return backend_; }

  /// The time that a duration begins at: a fresh reading of the clock.
  [[nodiscard]] std::uint64_t now_ns() noexcept { return backend_.now_ns(); }
  /// The time of the latest turn.
  [[nodiscard]] std::uint64_t turn_ns() const noexcept { return timers_.now_ns(); }
  /// Arms, so that it is handed out in the next turn if that time has passed.
  void arm(loop_timer& armed, std::uint64_t at_ns) noexcept { timers_.arm(armed, at_ns); }
  void disarm(loop_timer& removed) noexcept { (void)timers_.disarm(removed); }

  /// Calls `expired` of each timer that is due, and `ready` of each descriptor that is. Waits for
  /// the first of them until `until_ns`, if nothing is due; 0 does not wait. Returns how many were
  /// called. An error of the backend is one turn without descriptors: the process ends after a
  /// thousand in a row.
  std::size_t turn(std::uint64_t until_ns) noexcept;
  /// Any thread: ends a turn that waits, this one or the next.
  void wake() noexcept { backend_.wake(); }

 private:
  io_backend& backend_;
  wheel timers_;
  std::uint32_t failures_ = 0;
};

}  // namespace bast::inline BAST_ABI::internal
